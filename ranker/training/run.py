"""One training from a feed log to a model, in this process: what the pipeline does from FeedLogGen to TowerTrainer.

The days are cut into the same shards, and each step calls the code that the pipeline's component of that step calls. So
the model predicts what the pipeline's does. Nothing is validated against the schema's limits, evaluated or published.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import apache_beam as beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.config.pipeline import PipelineConfig
from ranker.examples import example_files
from ranker.features.preprocessing import preprocessing_fn
from ranker.features.representation import add_tensor_representations
from ranker.features.transform import SplitFiles, analyse_and_transform
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.fingerprint import source_fingerprint
from ranker.feed_log.layout import window_days
from ranker.feed_log.planning import WindowPlan, plan_window
from ranker.feed_log.repeats import KeyHashes, find_repeats, repeats_warning
from ranker.feed_log.shards import write_unit
from ranker.files import atomic_folder
from ranker.forest.curve import TrainingCurve
from ranker.forest.leaf_shards import Shard, encode_shard
from ranker.forest.model import Forest
from ranker.forest.rows import weighted_forest_rows
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal
from ranker.histories.building import build_histories
from ranker.identity.code import PROJECT_ROOT, code_fingerprint
from ranker.identity.compatibility import warm_start_parts
from ranker.identity.recipe import recipe_fingerprint
from ranker.identity.training import identify
from ranker.in_process_runner import InProcessRunner
from ranker.progress import ProgressReporter
from ranker.registry.plan import StartPlan
from ranker.towers.history import TrainingHistory
from ranker.training.settings import manifest_config, settings_of, transform_config
from ranker.training.towers import TowerData, TrainingRecord, fit_and_export

T = TypeVar("T")

_TRANSFORMED, _GRAPH = "transformed", "transform_graph"

_logger = logging.getLogger(__name__)


def run_training(
    config: PipelineConfig,
    feed_log: str | Path,
    day: date,
    folder: str,
    rows: Path | None = None,
    on_forest: Callable[[TrainingCurve], None] = lambda curve: None,
) -> TrainingHistory:
    """Trains a model on the days before `day` and writes it.

    Args:
        config: of a pipeline. Its Beam arguments, gates and settings of clusters have no effect.
        feed_log: the folder of day folders, a path or URI.
        day: the held-out day; the `train_days` before it are trained on.
        folder: the new folder of the model.
        rows: a local folder for the transformed rows. If it is there, they are read from it: they have to be of the
            same days, and of a config that differs in forest, towers and training at most. None keeps none.
        on_forest: called with the forest's curve before the towers are trained; what it raises ends the training.

    Returns:
        The history of the towers' training.

    Raises:
        FeedLogError: the feed log is invalid.
        ValueError: config, schema and feed log do not belong together, or the config trains on several machines.
        TrainingDivergedError: the loss became NaN or infinite, or exploded.
        FileExistsError: there is something at `folder` already.
        OSError: the schema cannot be read.
    """
    if config.forest.dask or config.training.strategy != "one_device":
        raise ValueError(
            f"config {config.name!r}: forest.dask and training.strategy train on several machines or devices, which "
            "only the pipeline does"
        )
    columns = columns_of(
        config.objectives, config.features, config.keys, config.timestamps, config.exploration, rows=config.rows
    )
    schema_text = (PROJECT_ROOT / config.schema).read_text()
    schema = _schema(schema_text, columns, config.schema)
    data = source_fingerprint(feed_log, window_days(day, config.days_read))
    plan = plan_window(feed_log, day, config.train_days, columns)
    with tempfile.TemporaryDirectory(prefix="feed-ranker-training-") as scratch:
        work = Path(scratch)
        return _train(
            *(config, feed_log, schema, schema_text, data, plan, day),
            *(work, columns, folder, rows or work / "rows", on_forest),
        )


def _train(
    config: PipelineConfig,
    feed_log: str | Path,
    schema: schema_pb2.Schema,
    schema_text: str,
    data: str,
    plan: WindowPlan,
    day: date,
    work: Path,
    columns: LogColumns,
    folder: str,
    kept: Path,
    on_forest: Callable[[TrainingCurve], None],
) -> TrainingHistory:
    temporary, leaves = (_made(work / name) for name in ("temporary", "leaves"))
    if not kept.exists():
        _transform(config, feed_log, schema, plan, work, temporary, columns, kept)
    graph = str(kept / _GRAPH)

    forest_folder = str(work / "forest")
    files = example_files(str(kept / _TRANSFORMED))
    rows = weighted_forest_rows(files, len(config.features.forest_names), len(config.objectives))
    forest, curve = train_forest(rows, config.forest, config.features.forest_names, config.objective_names)
    on_forest(curve)
    forest.save(forest_folder)

    traversal = Traversal(Forest.load(forest_folder))
    for i, file in enumerate(_reported("encoding leaves", files)):
        target = str(leaves / f"leaf_examples-{i:05d}-of-{len(files):05d}")
        encode_shard(Shard(file, target, str(temporary)), traversal)

    recipe = recipe_fingerprint(config, schema_text, code_fingerprint("ranker.training.run"))
    record = TrainingRecord(
        identify(day, recipe, data, "cold"),
        config.name,
        manifest_config(config),
        sorted(one.isoformat() for one in plan.rows_per_day if one != day),
        warm_start_parts(config, schema_text),
    )
    history = fit_and_export(
        settings_of(config),
        TowerData(example_files(str(leaves)), forest_folder, graph, schema),
        record,
        folder,
        StartPlan("cold", "it was trained by the Python API"),
    )
    assert history is not None  # one process is the chief
    return history


def _transform(
    config: PipelineConfig,
    feed_log: str | Path,
    schema: schema_pb2.Schema,
    plan: WindowPlan,
    work: Path,
    temporary: Path,
    columns: LogColumns,
    kept: Path,
) -> None:
    """Writes the transformed rows and the Transform graph into the new folder `kept`, all or nothing."""
    examples, partial_rows = _made(work / "examples"), _made(work / "partial")
    transformed = _made(partial_rows / _TRANSFORMED)
    units = [unit for unit in plan.units if unit.split == "train"]
    histories = build_histories(feed_log, {unit.day for unit in units}, columns, str(temporary / "histories"))
    hashes = {unit.day: KeyHashes(columns, plan.rows_per_day[unit.day]) for unit in units}
    for unit in _reported("reading the feed log", units):
        write_unit(unit, columns.columns, str(examples), str(temporary), hashes[unit.day].add, histories)
    repeats = {day: find_repeats([found.to_bytes()]) for day, found in hashes.items()}
    for warning in repeats_warning(feed_log, repeats, plan.rows_per_day, columns):
        _logger.warning("%s", warning)
    analyse_and_transform(
        partial(preprocessing_fn, custom_config=transform_config(config)),
        config.features,
        "train",
        schema,
        [SplitFiles("train", f"{examples}/*", f"{transformed}/transformed_examples")],
        str(partial_rows / _GRAPH),
        lambda: beam.Pipeline(runner=InProcessRunner()),
        str(temporary),
    )
    with atomic_folder(kept) as made:
        for part in partial_rows.iterdir():
            shutil.move(part, made / part.name)


def _schema(text: str, columns: LogColumns, path: str) -> schema_pb2.Schema:
    """The curated schema, as the pipeline's SchemaImporter writes it."""
    try:
        schema: schema_pb2.Schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ValueError(f"{path}: not a schema: {error}") from None
    add_tensor_representations(schema, columns.columns)
    return schema


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _reported(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items; progress is reported after each."""
    progress = ProgressReporter(what, len(items))
    for done, item in enumerate(items, start=1):
        yield item
        progress.update(done)
