"""Compares two models, or two configs, on the same impressions: `python -m pipeline.compare A B --feed-log DIR`."""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.configs import ConfigError, UnknownConfigError, load_config
from ranker.command_line import (
    day,
    exit_with,
    location,
    make_console,
    output_file,
    print_error,
    readable_location,
    sleep_while_waiting,
)
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.table import text_table
from ranker.feed_log.layout import latest_day
from ranker.files import write_text
from ranker.reports.comparison.differences import objective_differences, utility_differences
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from ranker.config.pipeline import PipelineConfig
    from ranker.feed_log.columns import LogColumns
    from ranker.scoring.description import Description
    from ranker.scoring.loading import LoadedModel

_USAGE = 2
_ROWS = 65_536

_DESCRIPTION = """\
Evaluates two models on the impressions of one day, and says where they differ significantly. Each of A and B is a
version of a pushed model, a push destination for its newest version, as a path or a URI, or the name of a config in
pipeline_config.py. A config is trained first, on its days before the day. No model should have been trained on the day.

Differences are A's minus B's, with 95 % intervals over viewers, in pairs: both models score the same impressions.
"""


@dataclass(frozen=True)
class _Compared:
    """A or B: the location of a model, or a config to train."""

    name: str
    location: str
    config: "PipelineConfig | None"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 2 after an error, which it prints in one line."""
    options = _parser().parse_args(arguments)
    try:
        readable_location("--feed-log", options.feed_log)
        held_out = options.day or latest_day(options.feed_log)
        both = [_compared(name, str(place)) for name, place in (("A", options.a), ("B", options.b))]
        sleep_while_waiting()
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from ranker.histories.tables import day_tables
            from ranker.progress_bar import shown_progress
            from ranker.scoring.evaluating import evaluate_tables

        with tempfile.TemporaryDirectory(prefix="feed-ranker-compare-") as folder:
            models, notes, progress = [], {}, make_console(stderr=True)
            for one in both:
                with shown_progress(progress):
                    model, note = _model(one, str(options.feed_log), held_out, Path(folder))
                models.append(model)
                notes[one.name] = note
                print(f"{one.name}: {'; '.join(note)}", flush=True)
            for name, alone in _only_of_one(models[0].description, models[1].description).items():
                if name == "B":  # the page says it of A by itself
                    notes[name].append(alone)
                print(f"{name} {alone}", flush=True)
            columns = _columns(models[0].description, models[1].description)
            where = models[0].description.rows.where
            tables = day_tables(str(options.feed_log), held_out, columns, _ROWS, where)
            slices = [(column,) for column in options.slice]
            evaluation = evaluate_tables(models[0], tables, models[1], slices)
        for line in comparison_lines(evaluation, held_out):
            print(line)
        if options.json is not None:
            write_text(options.json, evaluation.to_json() + "\n")
        if options.report is not None:
            from ranker.reports.comparison.page import comparison_page

            write_text(options.report, comparison_page(evaluation, held_out.isoformat(), notes))
            print(f"report: {options.report}")
    except (ConfigError, OSError, ValueError) as error:
        print_error(error)
        return _USAGE
    return 0


def _compared(name: str, text: str) -> _Compared:
    """What a word of the command line names: a model if there is one, else a config.

    Raises:
        ConfigError: there is neither, or the config cannot be loaded.
    """
    if "://" in text or Path(text).exists():
        return _Compared(name, text, None)
    try:
        return _Compared(name, text, load_config(text))
    except UnknownConfigError as error:
        known = ", ".join(error.known)
        raise ConfigError(f"{name}: there is no model at {text}, and the configs are {known}") from None


def _model(one: _Compared, feed_log: str, held_out: date, folder: Path) -> "tuple[LoadedModel, list[str]]":
    """The model, and what to say of it."""
    from ranker.scoring.loading import load_model

    if one.config is None:
        model = load_model(one.location)
        days = model.description.manifest.trained_days
        seen = ["it was trained on this day"] if held_out.isoformat() in days else []
        return model, [str(model.location), *seen, *_without_effects(model)]
    from ranker.api import train
    from ranker.towers.loss_watch import TrainingDivergedError

    start = time.monotonic()
    try:
        train(one.config, feed_log, held_out, folder / one.name)
    except TrainingDivergedError as error:
        raise ValueError(f"{one.name}: config {one.location}: {error}") from None
    model = load_model(str(folder / one.name))
    days = sorted(model.description.manifest.trained_days)
    trained = f"trained on {days[0]} to {days[-1]} in {time.monotonic() - start:.0f} s"
    return model, [f"config {one.location}", trained, *_without_effects(model)]


def _without_effects(model: "LoadedModel") -> list[str]:
    """That a model lacks the random effects of its config: their offsets are those of a model pushed before."""
    lacks = model.description.ids and model.description.manifest.effects is None
    return ["without the random effects of its config, which need a model that was pushed before"] if lacks else []


def comparison_lines(evaluation: Evaluation, held_out: date) -> Iterator[str]:
    """The comparison as text: a table over all impressions, and one per slice."""
    yield f"{held_out}: {evaluation.impressions:,} impressions; differences are A minus B, * is significant"
    headings = ("objective", "AUC of A", "AUC of B", "AUC", "GAUC", "normalized entropy", "|log O/E|")
    for name, objectives in (("", evaluation.objectives), *((one.name, one.objectives) for one in evaluation.slices)):
        rows = []
        for objective, found in objectives.items():
            differences = objective_differences(found)
            theirs = _value(found.baseline.auc) if found.baseline is not None else "–"
            shown = map(str, differences) if differences else ("–",) * 4
            rows.append((objective, _value(found.candidate.auc), theirs, *shown))
        if name:
            yield f"{name}:"
        yield text_table(headings, rows, (1, 2))
    for difference in utility_differences(evaluation):
        yield f"{difference.metric}: {difference}"


def _value(estimate: Estimate) -> str:
    return f"{estimate.value:.4f}" if estimate.defined else "–"


def _only_of_one(first: "Description", second: "Description") -> dict[str, str]:
    """A or B → the objectives that it alone predicts, which are not compared, in a sentence."""
    found = {}
    for name, mine, theirs in (("A", first, second), ("B", second, first)):
        if alone := [one for one in mine.objective_names if one not in theirs.objective_names]:
            other = {"A": "B", "B": "A"}[name]
            found[name] = f"alone predicts {', '.join(alone)}: not compared, as {other} does not"
    return found


def _columns(first: "Description", second: "Description") -> "LogColumns":
    """The columns that the histories of both models are computed from.

    Raises:
        ValueError: the models have different histories of the same name, or histories of different rows.
    """
    from ranker.config.rows import Rows
    from ranker.config.timestamps import Timestamps
    from ranker.feed_log.columns import columns_of

    found = [
        columns_of(one.objectives, one.features, one.keys, one.timestamps, rows=Rows(where=one.rows.where))
        for one in (first, second)
    ]
    histories = {history.name: history for one in found for history in one.histories}
    if differing := sorted({h.name for one in found for h in one.histories if histories[h.name] != h}):
        raise ValueError(f"A and B have different histories of the name {differing[0]!r}, which a log cannot have both")
    if all(one.histories for one in found) and first.rows.where != second.rows.where:
        raise ValueError(
            "A and B have histories and different conditions rows.where, so their histories are of different rows"
        )
    columns = {column.name: column for one in found for column in one.columns}
    rows = next((one.rows for one in found if one.histories), found[0].rows)
    # One of the configs reads the log with the wider limits.
    timestamps = Timestamps(*map(max, astuple(first.timestamps), astuple(second.timestamps)))
    return replace(
        found[0],
        columns=tuple(columns.values()),
        timestamps=timestamps,
        histories=tuple(histories.values()),
        rows=rows,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pipeline.compare", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=location, metavar="A", help="a model, or a config")
    parser.add_argument("b", type=location, metavar="B", help="the model or config to compare it with")
    parser.add_argument("--feed-log", required=True, type=location, metavar="DIR", help="the folder of day folders")
    parser.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="the day (default: the newest)")
    parser.add_argument(
        "--slice", action="append", default=[], metavar="COLUMN", help="also compare by the values of this column"
    )
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the evaluation there")
    parser.add_argument("--report", type=output_file, metavar="FILE", help="write a page there, one HTML file")
    return parser


if __name__ == "__main__":
    exit_with(main)
