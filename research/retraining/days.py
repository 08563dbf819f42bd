"""The days of a replay: the rows that a cold start reads per day, and those that a continued model reads."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import apache_beam as beam
import tensorflow_transform as tft
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from benchmarks.part_run import run_up_to
from pipeline.local.run import BEAM_ARGS
from ranker.config.pipeline import PipelineConfig
from ranker.features.transform import SplitFiles, transform_by
from ranker.feed_log.layout import list_days
from ranker.files import atomic_folder
from research.quality.rows import Rows, read_rows

_PREFIX = "rows"


@dataclass(frozen=True, eq=False)
class ReplayDay:
    """One day of the replay.

    Attributes:
        day: the day to predict.
        window: the training days before it, transformed by a graph analysed on them, for a cold start.
        test: the day itself, transformed by the same graph.
        test_by_first: the day itself, transformed by the first day's graph, which a continued model keeps. The next
            day's training of a continued model reads these rows.
    """

    day: date
    window: Rows
    test: Rows
    test_by_first: Rows


@dataclass(frozen=True, eq=False)
class Replay:
    """A log to replay.

    Attributes:
        name: of the feed.
        config: of the pipeline.
        days: oldest first; on the first day every strategy starts cold.
        seen: days of the first day's window that later days train on again, transformed by the first day's graph,
            oldest first.
    """

    name: str
    config: PipelineConfig
    days: tuple[ReplayDay, ...]
    seen: tuple[Rows, ...] = ()


def replay_days(
    name: str, config: PipelineConfig, feed_log: Path, last: date, count: int, work: Path, console: Console
) -> Replay:
    """Runs the pipeline up to Transform for the days, unless `work` has them already.

    Args:
        name: of the feed.
        config: the pipeline's; its windows are truncated at the start of the log.
        feed_log: the log.
        last: the last day to predict.
        count: number of days to predict.
        work: a folder for artifacts.
        console: shows the components' times.

    Raises:
        RuntimeError: a component failed.
    """
    first_graph: Path | None = None
    days = []
    for back in range(count - 1, -1, -1):
        day = last - timedelta(days=back)
        made = run_up_to("Transform", config, feed_log, day, work, console)
        graph = made["transform_graph"]
        first_graph = first_graph or graph
        own = [_read(graph, made["transformed_examples"] / f"Split-{split}") for split in ("train", "eval")]
        by_first = own[1]
        if graph != first_graph:
            by_first = _by_first(first_graph, made, work / "by_first" / f"{name}-{day}")
        days.append(ReplayDay(day, own[0], own[1], by_first))
    assert first_graph is not None
    seen = []
    for day in _days_to_replay(config, feed_log, days[0].day):
        made = run_up_to("Transform", config, feed_log, day, work, console)
        seen.append(_by_first(first_graph, made, work / "by_first" / f"{name}-{day}"))
    return Replay(name, config, tuple(days), tuple(seen))


def replay_count(config: PipelineConfig) -> int:
    """Number of days that a model continued from the day before trains on again, if the log has them."""
    return min(config.retraining.replay_days, config.train_days - 1)


def _days_to_replay(config: PipelineConfig, feed_log: Path, first: date) -> list[date]:
    """The newest days that the first model has seen, without the log's oldest day, which cannot be an eval day."""
    oldest = first - timedelta(days=replay_count(config))
    return [day for day in list_days(feed_log)[1:] if oldest <= day < first]


def _by_first(graph: Path, made: dict[str, Path], folder: Path) -> Rows:
    """The eval day of a run, transformed by another graph unless the folder has it already."""
    if not folder.is_dir():
        _transform_eval(graph, made, folder)
    return _read(graph, folder)


def _read(graph: Path, folder: Path) -> Rows:
    return read_rows(folder, tft.TFTransformOutput(str(graph)).transformed_feature_spec())


def _transform_eval(graph: Path, made: dict[str, Path], folder: Path) -> None:
    with atomic_folder(folder) as building:
        split = SplitFiles("eval", str(made["examples"] / "Split-eval" / "*"), str(building / _PREFIX))
        transform_by(str(graph), [split], _pipeline, str(folder.with_name(".scratch")))


def _pipeline() -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions(list(BEAM_ARGS)))
