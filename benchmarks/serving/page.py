"""The tables of the results page, and the two charts of the docs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

from benchmarks import pages
from benchmarks.drawing import save_svg
from benchmarks.harness import Figure
from benchmarks.pages import Column, Row, words
from benchmarks.serving.batches import BatchCost
from benchmarks.serving.forests import BATCH, ForestCost
from benchmarks.serving.latency import Load
from benchmarks.serving.leaf_tables import TableCost
from benchmarks.serving.objectives import ObjectiveCost
from benchmarks.serving.passes import Pass
from benchmarks.serving.payload import Payload
from benchmarks.serving.progression import Stage
from benchmarks.serving.protocol import ProtocolCost
from benchmarks.serving.side_by_side import Throughput
from benchmarks.serving.trace import OpTime

TITLE = "What serving costs"

_OPS = 12
_WIDTH, _HEIGHT = 7.0, 3.4


@dataclass
class ServingResults:
    """All results of one run."""

    forests: list[ForestCost] = field(default_factory=list)
    objectives: list[ObjectiveCost] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    tables: list[TableCost] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    ops: list[OpTime] = field(default_factory=list)
    side_by_side: list[Throughput] = field(default_factory=list)
    batches: list[BatchCost] = field(default_factory=list)
    protocol: list[ProtocolCost] = field(default_factory=list)


def markdown(results: ServingResults, figures: Sequence[Figure] = (), options: Sequence[str] = ()) -> str:
    """The targets and whether they are reached, then one table per section.

    Args:
        results: of all sections.
        figures: with and without targets.
        options: of the run's command line.
    """
    aimed = [figure for figure in figures if figure.target is not None]
    command = " ".join(["uv run python -m benchmarks.serving", *options, "--page FILE --charts DIR"])
    blocks = [pages.origin(command)]
    if aimed:
        blocks.append(pages.table(_AIMS, aimed))
    for title, about, table in _sections(results):
        blocks += [pages.heading(title), about, table]
    return pages.join(blocks)


def _sections(results: ServingResults) -> list[tuple[str, str, str]]:
    """Heading, description and table of each section."""
    objectives, stages = (
        pages.picture("ms by objectives", "serving_objectives.svg"),
        pages.picture("ms by form", "serving_progression.svg"),
    )
    return [
        (
            "Forest in the graph",
            f"Thousands of rows a second in batches of {BATCH}, from rows in memory to leaf numbers. `DMatrix ready` "
            "excludes the time that XGBoost needs to build one for every batch.",
            pages.table(_FORESTS, results.forests),
        ),
        (
            "Objectives",
            "A session of 500 candidates, from tf.Examples to probabilities. The former setup is a forest of a third "
            "of the trees and a logistic regression for each objective: by its libraries' own calls, and tuned, with "
            f"our traversal and a sum of weights.\n\n{objectives}",
            pages.table(_OBJECTIVES, results.objectives),
        ),
        (
            "Requests side by side",
            "Sessions of 500 candidates per second from tf.Examples, one request per core, each with one thread.",
            pages.table(_SIDE_BY_SIDE, results.side_by_side),
        ),
        (
            "Sizes of requests",
            "One request with 8 objectives on one thread: from tf.Examples and from raw tensors, compared with one "
            "XGBoost model per objective from tf.Examples and on a ready matrix.",
            pages.table(_BATCHES, results.batches),
        ),
        (
            "Progression",
            f"The source's chart: the same towers behind four forms of input.\n\n{stages}",
            pages.table(_stages(results.stages), results.stages),
        ),
        (
            "Payload",
            "Bytes of a serialized `PredictRequest`; of leaves alone, without the dense inputs and codes.",
            pages.table(_PAYLOADS, results.payloads),
        ),
        (
            "Latency and throughput",
            "Of `score_features`, called or over gRPC on this machine.",
            pages.table(_LOADS, results.loads),
        ),
        (
            "Protocol",
            "The parts of a call of 500 candidates by `score_features` to a server in Python on the same machine.",
            pages.table(_PROTOCOL, results.protocol),
        ),
        ("Leaf table", "500 candidates by `score_leaves`.", pages.table(_TABLES, results.tables)),
        (
            "First and second pass",
            "500 candidates; by `score_leaves` one row, repeated. AUC of the held-out day.",
            pages.table(_PASSES, results.passes),
        ),
        (
            "Where the time goes",
            f"Ops of one session of 500 candidates by `score_features`; the {_OPS} that take most.",
            pages.table(_ops(results.ops), results.ops[:_OPS]),
        ),
    ]


def draw(results: ServingResults, folder: Path) -> None:
    """Writes `serving_objectives.svg` and `serving_progression.svg`."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    on_one = [cost for cost in results.objectives if cost.threads == 1]
    counts = [cost.objectives for cost in on_one]
    for name, label in _SETUPS.items():
        axes.plot(counts, [1000 * getattr(cost, name) for cost in on_one], marker="o", label=label)
    axes.set(xlabel="objectives", ylabel="ms for 500 candidates on one core", ylim=(0, None), xticks=counts)
    axes.legend(frameon=False)
    save_svg(figure, folder / "serving_objectives.svg")
    pyplot.close(figure)

    figure, axes = pyplot.subplots(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    names = [stage.name.replace(" as ", "\nas ") for stage in results.stages]
    conversions = [1000 * stage.conversion for stage in results.stages]
    axes.bar(names, [1000 * stage.dense for stage in results.stages], color="#e0b100", label="dense operations")
    bottoms = [1000 * stage.dense for stage in results.stages]
    axes.bar(names, conversions, bottom=bottoms, color="#3f6fb5", label="conversion and lookup")
    axes.set(ylabel="ms for 500 candidates")
    axes.legend(frameon=False)
    save_svg(figure, folder / "serving_progression.svg")
    pyplot.close(figure)


_SETUPS = {
    "ours": "one multi-task model",
    "bfloat16": "the same in bfloat16",
    "networks": "one network each",
    "former": "forest + logistic regression each",
    "former_tuned": "the same, tuned",
    "xgboost": "XGBoost alone each",
}


def _thousands_a_second(heading: str, seconds: Callable[[ForestCost], float]) -> Column[ForestCost]:
    return Column(heading, lambda cost: pages.count(BATCH / seconds(cost) / 1000))


def _milliseconds(heading: str, seconds: Callable[[Row], float]) -> Column[Row]:
    return Column(heading, lambda row: pages.decimal(1000 * seconds(row), 1))


def _setup(name: str, label: str) -> Column[ObjectiveCost]:
    return _milliseconds(f"{label}, ms", lambda cost: getattr(cost, name))


def _optional(seconds: float | None) -> str:
    return "—" if seconds is None else pages.decimal(1000 * seconds, 1)


def _bytes(heading: str, size: Callable[[Payload], int]) -> Column[Payload]:
    return Column(heading, lambda payload: pages.count(size(payload)))


def _stages(stages: Sequence[Stage]) -> list[Column[Stage]]:
    return [
        words("input", lambda stage: stage.name),
        _milliseconds("conversion and lookup, ms", lambda stage: stage.conversion),
        _milliseconds("dense operations, ms", lambda stage: stage.dense),
        Column("relative cost", lambda stage: pages.decimal(stage.total / stages[0].total, 2)),
    ]


def _ops(ops: Sequence[OpTime]) -> list[Column[OpTime]]:
    total = sum(op.milliseconds for op in ops) or 1.0
    return [
        words("op", lambda op: op.op),
        Column("calls", lambda op: pages.count(op.calls)),
        Column("ms", lambda op: pages.decimal(op.milliseconds, 2)),
        Column("share", lambda op: f"{100 * op.milliseconds / total:.0f} %"),
    ]


_AIMS: list[Column[Figure]] = [
    pages.codes("figure", lambda figure: figure.name),
    Column("ratio", lambda figure: f"{figure.ratio:.4g}"),
    Column("target", lambda figure: f"{'≥' if figure.target_is_least else '≤'} {figure.target:g}"),
    words("reached", lambda figure: "yes" if figure.reached else "no"),
    words("measured", lambda figure: figure.note),
]
_FORESTS: list[Column[ForestCost]] = [
    Column("depth", lambda cost: pages.count(cost.depth)),
    Column("trees", lambda cost: pages.count(cost.trees)),
    Column("threads", lambda cost: pages.count(cost.threads)),
    _thousands_a_second("XGBoost k rows/s", lambda cost: cost.native),
    _thousands_a_second("… DMatrix ready", lambda cost: cost.native_matrix_ready),
    _thousands_a_second("graph", lambda cost: cost.graph),
    _thousands_a_second("graph + XLA", lambda cost: cost.xla),
    Column("graph ÷ XGBoost", lambda cost: pages.decimal(cost.native / cost.graph, 2)),
    Column("XLA ÷ XGBoost", lambda cost: pages.decimal(cost.native / cost.xla, 2)),
]
_OBJECTIVES: list[Column[ObjectiveCost]] = [
    Column("objectives", lambda cost: pages.count(cost.objectives)),
    Column("threads", lambda cost: pages.count(cost.threads)),
    *(_setup(name, label) for name, label in _SETUPS.items()),
    _setup("transform", "Transform alone"),
    _setup("xgboost_ready", "XGBoost, matrix ready"),
    Column("Treelite, matrix ready, ms", lambda cost: _optional(cost.treelite)),
    Column("ONNX Runtime, matrix ready, ms", lambda cost: _optional(cost.onnxruntime)),
]
_SIDE_BY_SIDE: list[Column[Throughput]] = [
    Column("objectives", lambda cost: pages.count(cost.objectives)),
    Column("requests", lambda cost: pages.count(cost.requests)),
    Column("one multi-task model", lambda cost: pages.decimal(cost.ours, 1)),
    Column("the same in bfloat16", lambda cost: pages.decimal(cost.bfloat16, 1)),
    Column("XGBoost alone each", lambda cost: pages.decimal(cost.xgboost, 1)),
]
_BATCHES: list[Column[BatchCost]] = [
    Column("candidates", lambda cost: pages.count(cost.candidates)),
    _milliseconds("tf.Examples, ms", lambda cost: cost.ours),
    _milliseconds("raw tensors, ms", lambda cost: cost.tensors),
    _milliseconds("XGBoost, ms", lambda cost: cost.xgboost),
    _milliseconds("XGBoost, matrix ready, ms", lambda cost: cost.xgboost_ready),
]
_PROTOCOL: list[Column[ProtocolCost]] = [
    words("part", lambda cost: cost.part),
    Column("ms", lambda cost: pages.decimal(1000 * cost.seconds, 2)),
]
_PAYLOADS: list[Column[Payload]] = [
    _bytes("candidates", lambda payload: payload.candidates),
    _bytes("tf.Examples", lambda payload: payload.examples),
    _bytes("raw tensors", lambda payload: payload.features),
    _bytes("leaves, sparse", lambda payload: payload.sparse),
    _bytes("… listed", lambda payload: payload.sparse_listed),
    _bytes("int64", lambda payload: payload.int64),
    _bytes("int32", lambda payload: payload.int32),
    _bytes("smallest", lambda payload: payload.smallest),
]
_LOADS: list[Column[Load]] = [
    Column("candidates", lambda load: pages.count(load.candidates)),
    Column("sessions at a time", lambda load: pages.count(load.sessions)),
    words("over", lambda load: "gRPC" if load.over_grpc else "a call"),
    Column("p50 ms", lambda load: pages.decimal(load.p50_ms, 1)),
    Column("p95 ms", lambda load: pages.decimal(load.p95_ms, 1)),
    Column("p99 ms", lambda load: pages.decimal(load.p99_ms, 1)),
    Column("candidates/s", lambda load: pages.count(load.per_second)),
]
_TABLES: list[Column[TableCost]] = [
    words("leaf table", lambda cost: cost.table),
    Column("variables, MB", lambda cost: pages.decimal(cost.variables_bytes / 1e6, 2)),
    _milliseconds("ms", lambda cost: cost.seconds),
    Column("largest change of a probability", lambda cost: f"{cost.largest_change:.1e}"),
    Column("mean AUC", lambda cost: pages.decimal(cost.auc, 4)),
    Column("largest change of an AUC", lambda cost: f"{cost.auc_change:.1e}"),
]
_PASSES: list[Column[Pass]] = [
    words("config", lambda found: found.name),
    Column("trees", lambda found: pages.count(found.trees)),
    Column("leaves", lambda found: pages.count(found.leaves)),
    Column("load, s", lambda found: pages.decimal(found.load_seconds, 1)),
    _milliseconds("ms by score_features", lambda found: found.features_seconds),
    _milliseconds("ms by score_leaves", lambda found: found.leaves_seconds),
    Column("mean AUC", lambda found: pages.decimal(float(found.auc.mean()), 4)),
]
