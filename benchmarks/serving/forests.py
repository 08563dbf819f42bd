"""The forest in the graph compared with XGBoost's own prediction of leaves, over depths and numbers of trees.

It runs in a worker, see `benchmarks.serving.worker`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import xgboost as xgb
from numpy.typing import NDArray

from benchmarks.harness import Figure, alternate
from benchmarks.serving.worker import Task
from ranker.forest.graph import ForestLeaves
from ranker.forest.model import Forest

BATCH = 512
GRID = tuple((depth, trees) for depth in (4, 6, 8) for trees in (100, 300, 900))
QUICK_GRID = ((4, 100), (6, 300))
TARGET, XLA_TARGET = 1.0, 1.5

_TRAINED_ON, _QUICK_TRAINED_ON = 10_000, 2_000
_ROUNDS, _QUICK_ROUNDS = 41, 5
_OUTPUTS = 5


@dataclass(frozen=True)
class ForestCost:
    """Median seconds for the leaves of one batch, with the same number of threads on both sides.

    Attributes:
        depth, trees, leaves: the forest.
        threads: on both sides.
        native: XGBoost's `predict(pred_leaf=True)` on a numpy batch, as in a server.
        native_matrix_ready: the same on a DMatrix that was built before.
        graph: ours, plain ops.
        xla: ours, compiled.
    """

    depth: int
    trees: int
    leaves: int
    threads: int
    native: float
    native_matrix_ready: float
    graph: float
    xla: float


def features(rows: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Rows like the built-in feed's: 29 numbers with missing values, 9 ranks of categories, two sets of 33 columns."""
    numbers = random.lognormal(0, 1, (rows, 29)).astype(np.float32)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    ranks = np.minimum(random.geometric(0.2, (rows, 9)), 20).astype(np.float32)
    sets = (random.random((rows, 66)) < 0.1).astype(np.float32)
    sets[:, 0], sets[:, 33] = sets[:, 1:33].sum(axis=1), sets[:, 34:].sum(axis=1)
    return np.concatenate([numbers, ranks, sets], axis=1)


def grown(depth: int, trees: int, rows: int) -> Forest:
    """A forest with several outputs, trained on labels that depend on the features."""
    random = np.random.default_rng(depth)
    matrix = features(rows, random)
    signal = np.log1p(np.nan_to_num(matrix)) @ random.standard_normal((matrix.shape[1], _OUTPUTS))
    noise = 3 * random.logistic(size=signal.shape)
    labels = (signal - signal.mean(axis=0) + noise > signal.std(axis=0)).astype(np.float32)
    settings = {"objective": "binary:logistic", "max_depth": depth, "min_child_weight": 5, "nthread": 1}
    booster = xgb.train(settings, xgb.DMatrix(matrix, labels), trees // _OUTPUTS)
    return Forest.from_booster(booster, [f"f{i}" for i in range(matrix.shape[1])])


def cost(depth: int, trees: int, threads: int, quick: bool) -> ForestCost:
    """Measures one forest.

    Raises:
        RuntimeError: the leaves of two implementations differ.
    """
    forest = grown(depth, trees, _QUICK_TRAINED_ON if quick else _TRAINED_ON)
    batch = features(BATCH, np.random.default_rng(0))
    spec = [tf.TensorSpec([None, batch.shape[1]], tf.float32)]
    graph = tf.function(ForestLeaves(forest), input_signature=spec)
    xla = tf.function(ForestLeaves(forest, xla=True), jit_compile=True)
    booster = forest.booster
    booster.set_param({"nthread": threads})
    ready = xgb.DMatrix(batch, nthread=threads)
    expected = forest.renumber(booster.predict(ready, pred_leaf=True))
    for leaves in (graph(batch), xla(batch)):
        if not np.array_equal(leaves, expected):
            raise RuntimeError(f"depth {depth}, {trees} trees: the graph's leaves are not XGBoost's")
    seconds = alternate(
        {
            "native": lambda: booster.predict(xgb.DMatrix(batch, nthread=threads), pred_leaf=True),
            "native_matrix_ready": lambda: booster.predict(ready, pred_leaf=True),
            "graph": lambda: graph(tf.constant(batch)).numpy(),
            "xla": lambda: xla(tf.constant(batch)).numpy(),
        },
        _QUICK_ROUNDS if quick else _ROUNDS,
    )
    return ForestCost(depth, trees, forest.leaves, threads, **seconds)


def figures(costs: Sequence[ForestCost], suffix: str = "") -> list[Figure]:
    """For each kind of graph, the forest with the worst ratio to XGBoost's own prediction."""
    made = []
    for kind, name, target in (("graph", "graph_forest", TARGET), ("xla", "graph_forest_xla", XLA_TARGET)):
        worst = min(costs, key=lambda c: c.native / getattr(c, kind))
        ratios = sorted(c.native / getattr(c, kind) for c in costs)
        ready = sorted(c.native_matrix_ready / getattr(c, kind) for c in costs)
        made.append(
            Figure(
                name + suffix,
                ours=BATCH / getattr(worst, kind),
                rival=BATCH / worst.native,
                unit="rows/s",
                target=target,
                note=f"{BATCH} rows, {worst.threads} thread(s) on either side, the forest that compares worst: "
                f"{worst.trees} trees of depth {worst.depth}; over all {len(costs)} forests {ratios[0]:.2f} to "
                f"{ratios[-1]:.2f} times, and {ready[0]:.2f} to {ready[-1]:.2f} times XGBoost on a ready DMatrix",
            )
        )
    return made


def results(task: Task) -> Iterator[ForestCost]:
    """The costs of all forests, in a process that has measured nothing before."""
    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    for depth, trees in QUICK_GRID if task.quick else GRID:
        yield cost(depth, trees, task.threads, task.quick)
