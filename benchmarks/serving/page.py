"""The measurements as Markdown tables, and the two charts of the docs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

from benchmarks.drawing import save_svg
from benchmarks.harness import Figure
from benchmarks.serving.forests import BATCH, ForestCost
from benchmarks.serving.latency import Load
from benchmarks.serving.leaf_tables import TableCost
from benchmarks.serving.objectives import ObjectiveCost
from benchmarks.serving.passes import Pass
from benchmarks.serving.payload import Payload
from benchmarks.serving.progression import Stage
from benchmarks.serving.trace import OpTime

_OPS = 12
_WIDTH, _HEIGHT = 7.0, 3.4


@dataclass
class Results:
    """All that one run measured."""

    forests: list[ForestCost] = field(default_factory=list)
    objectives: list[ObjectiveCost] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    tables: list[TableCost] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    ops: list[OpTime] = field(default_factory=list)


def markdown(results: Results, figures: Sequence[Figure] = ()) -> str:
    """What was aimed at and reached, then one table a section."""
    sections = [
        (
            "Forest in the graph",
            f"Thousands of rows a second in batches of {BATCH}, rows in memory to leaf numbers. `DMatrix ready` leaves "
            "out that XGBoost has to build one for every batch.",
            _forests(results.forests),
        ),
        (
            "Objectives",
            "A session of 500 candidates, tf.Examples to probabilities. The former setup is a forest of a third of the "
            "trees and a logistic regression for each objective: by its libraries' own calls, and tuned, with our "
            "traversal and a sum of weights. ![ms by objectives](serving_objectives.svg)",
            _objectives(results.objectives),
        ),
        (
            "Progression",
            "The source's chart: the same towers behind four forms of input. ![ms by form](serving_progression.svg)",
            _stages(results.stages),
        ),
        (
            "Payload",
            "Bytes of a serialized `PredictRequest`; of leaves alone, without the dense inputs and codes beside them.",
            _payloads(results.payloads),
        ),
        ("Latency and throughput", "Of `score_features`, called or over gRPC on this machine.", _loads(results.loads)),
        ("Leaf table", "500 candidates by `score_leaves`.", _tables(results.tables)),
        ("First and second pass", "500 candidates; AUC of the held-out day.", _passes(results.passes)),
        ("Where the time goes", "Ops of one session of 500 candidates by `score_features`.", _ops(results.ops)),
    ]
    command = "uv run python -m benchmarks.serving --page docs/serving_costs.md --charts docs"
    parts = [f"# What serving costs\n\nFrom `{command}`.\n"]
    if figures:
        parts.append(_aims(figures) + "\n")
    return "\n".join([*parts, *(f"## {title}\n\n{about}\n\n{table}\n" for title, about, table in sections)])


def _aims(figures: Sequence[Figure]) -> str:
    rows = [
        (
            f"`{figure.name}`",
            f"{figure.ratio:.4g}",
            f"{'≥' if figure.target_is_least else '≤'} {figure.target:g}",
            "yes" if figure.reached else "no",
            figure.note,
        )
        for figure in figures
        if figure.target is not None
    ]
    return _table(["figure", "ratio", "target", "reached", ""], rows)


def draw(results: Results, folder: Path) -> None:
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
    "networks": "one network each",
    "former": "forest + logistic regression each",
    "former_tuned": "the same, tuned",
    "xgboost": "XGBoost alone each",
}


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _forests(costs: Sequence[ForestCost]) -> str:
    rows = [
        (
            cost.depth,
            cost.trees,
            cost.threads,
            _thousands(BATCH / cost.native),
            _thousands(BATCH / cost.native_matrix_ready),
            _thousands(BATCH / cost.graph),
            _thousands(BATCH / cost.xla),
            f"{cost.native / cost.graph:.2f}",
            f"{cost.native / cost.xla:.2f}",
        )
        for cost in costs
    ]
    headings = ["depth", "trees", "threads", "XGBoost k rows/s", "… DMatrix ready", "graph", "graph + XLA"]
    return _table([*headings, "graph ÷ XGBoost", "XLA ÷ XGBoost"], rows)


def _objectives(costs: Sequence[ObjectiveCost]) -> str:
    headings = ["objectives", "threads", *(f"{label}, ms" for label in _SETUPS.values()), "Transform alone, ms"]
    names = [*_SETUPS, "transform"]
    return _table(
        headings, [(c.objectives, c.threads, *(f"{1000 * getattr(c, name):.1f}" for name in names)) for c in costs]
    )


def _stages(stages: Sequence[Stage]) -> str:
    rows = [
        (s.name, f"{1000 * s.conversion:.1f}", f"{1000 * s.dense:.1f}", f"{s.whole / stages[0].whole:.2f}")
        for s in stages
    ]
    return _table(["input", "conversion and lookup, ms", "dense operations, ms", "relative cost"], rows)


def _payloads(payloads: Sequence[Payload]) -> str:
    headings = ["candidates", "tf.Examples", "raw tensors", "leaves, sparse", "… listed", "int64", "int32", "smallest"]
    rows = [
        (p.candidates, p.examples, p.features, p.sparse, p.sparse_listed, p.int64, p.int32, p.smallest)
        for p in payloads
    ]
    return _table(headings, [[f"{cell:,}" for cell in row] for row in rows])


def _loads(loads: Sequence[Load]) -> str:
    headings = ["candidates", "sessions at a time", "over", "p50 ms", "p95 ms", "p99 ms", "candidates/s"]
    rows = [
        (
            load.candidates,
            load.sessions,
            "gRPC" if load.over_grpc else "a call",
            *(f"{ms:.1f}" for ms in (load.p50_ms, load.p95_ms, load.p99_ms)),
            f"{load.per_second:,.0f}",
        )
        for load in loads
    ]
    return _table(headings, rows)


def _tables(costs: Sequence[TableCost]) -> str:
    rows = [
        (
            cost.table,
            f"{cost.variables_bytes / 1e6:.2f}",
            f"{1000 * cost.seconds:.1f}",
            f"{cost.largest_change:.1e}",
            f"{cost.auc:.4f}",
            f"{cost.auc_change:.1e}",
        )
        for cost in costs
    ]
    headings = ["leaf table", "variables, MB", "ms", "largest change of a probability", "mean AUC", "of an AUC"]
    return _table(headings, rows)


def _passes(passes: Sequence[Pass]) -> str:
    rows = [
        (
            p.name,
            p.trees,
            f"{p.leaves:,}",
            f"{p.load_seconds:.1f}",
            f"{1000 * p.features_seconds:.1f}",
            f"{1000 * p.leaves_seconds:.1f}",
            f"{p.auc.mean():.4f}",
        )
        for p in passes
    ]
    return _table(
        ["config", "trees", "leaves", "load, s", "ms by score_features", "ms by score_leaves", "mean AUC"], rows
    )


def _ops(ops: Sequence[OpTime]) -> str:
    total = sum(op.milliseconds for op in ops) or 1.0
    rows = [
        (op.op, f"{op.calls:.0f}", f"{op.milliseconds:.2f}", f"{100 * op.milliseconds / total:.0f} %")
        for op in ops[:_OPS]
    ]
    return _table(["op", "calls", "ms", "share"], rows)


def _thousands(value: float) -> str:
    return f"{value / 1000:,.0f}"
