"""The forms of the leaf table: size, speed and changes of the scores."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import tensorflow as tf

from benchmarks.harness import Figure, alternate
from benchmarks.serving.prepare import PreparedModel
from benchmarks.serving.quality import aucs, labels, probabilities
from benchmarks.serving.sessions import Session, Workshop
from ranker.config.serving import LeafTable
from ranker.export.module import FeedRanker
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.registry.layout import STATE, TOWER_STATE
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.state import TowerState, restore

FOLDED_ERROR = 1e-4

_ROUNDS, _QUICK_ROUNDS = 31, 3


@dataclass(frozen=True)
class TableCost:
    """One form of the leaf table.

    Attributes:
        table: the form.
        variables_bytes: size of the exported model's variables, including the forest's.
        seconds: median for a session's candidates by `score_leaves`, for which the table matters most.
        largest_change: of any probability on the held-out day, compared with `float32`.
        auc: mean over the objectives on the held-out day.
        auc_change: the largest of any objective, compared with `float32`.
    """

    table: str
    variables_bytes: int
    seconds: float
    largest_change: float
    auc: float
    auc_change: float


def table_costs(workshop: Workshop, prepared: PreparedModel, session: Session, quick: bool) -> list[TableCost]:
    """Exports the trained model with every form, and measures them interleaved."""
    objectives, files = workshop.config.objective_names, workshop.eval_files
    outcomes = labels(files, objectives)
    network = _trained(workshop, prepared)
    rankers = {table: _ranker(workshop, network, table) for table in get_args(LeafTable)}
    scores, sizes = {}, {}
    runs: dict[str, Callable[[], object]] = {}
    for table, ranker in rankers.items():
        signatures = ranker.signatures()
        scores[table] = probabilities(signatures["serving_default"], files, objectives)
        sizes[table] = _variables_bytes(ranker, signatures)
        runs[table] = _by_leaves(workshop, signatures["score_leaves"], session)
    for run in runs.values():
        run()
    seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    exact = aucs(scores["float32"], outcomes)
    return [
        TableCost(
            table=table,
            variables_bytes=sizes[table],
            seconds=seconds[table],
            largest_change=float(np.abs(scores[table] - scores["float32"]).max()),
            auc=float(aucs(scores[table], outcomes).mean()),
            auc_change=float(np.abs(aucs(scores[table], outcomes) - exact).max()),
        )
        for table in rankers
    ]


def figures(costs: Sequence[TableCost]) -> list[Figure]:
    """Each form compared with the table as it was trained.

    Raises:
        RuntimeError: folding changed a probability by more than a rounding error.
    """
    by_table = {cost.table: cost for cost in costs}
    plain = by_table["float32"]
    if (error := by_table["folded"].largest_change) > FOLDED_ERROR:
        raise RuntimeError(f"folding changed a probability by {error:.1e}, more than {FOLDED_ERROR:.0e}")
    return [_compared(by_table[table], plain) for table in ("bfloat16", "int8", "folded")]


def _compared(cost: TableCost, plain: TableCost) -> Figure:
    return Figure(
        f"leaf_table_{cost.table}",
        ours=1000 * cost.seconds,
        rival=1000 * plain.seconds,
        unit="ms",
        note=f"compared with float32, by score_leaves; variables of {cost.variables_bytes / 1e6:.2f} instead of "
        f"{plain.variables_bytes / 1e6:.2f} MB; a probability changes by {cost.largest_change:.1e} at most, an AUC by "
        f"{cost.auc_change:.1e}",
    )


def _trained(workshop: Workshop, prepared: PreparedModel) -> TwoTowerNetwork:
    config, inputs = workshop.config, workshop.inputs(workshop.forest)
    base_rates = np.full(len(config.objectives), 0.1)
    network = TwoTowerNetwork(inputs, config.towers, config.objectives, base_rates, seed=1)
    restore(network, TowerState.load(os.path.join(prepared.model, STATE, TOWER_STATE)).latest)
    return network


def _ranker(workshop: Workshop, network: TwoTowerNetwork, table: LeafTable) -> FeedRanker:
    share = workshop.config.towers.forest_share
    return FeedRanker(
        workshop.features,
        ForestLeaves(workshop.forest),
        network,
        workshop.inputs(workshop.forest),
        workshop.config.objectives,
        ForestMargins(workshop.forest) if share else None,
        share,
        leaf_table=table,
    )


def _variables_bytes(ranker: FeedRanker, signatures: dict[str, object]) -> int:
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder:
        tf.saved_model.save(ranker, folder, signatures=signatures)
        return sum(file.stat().st_size for file in Path(folder, "variables").iterdir())


def _by_leaves(workshop: Workshop, score: Callable[..., object], session: Session) -> Callable[[], object]:
    leaves = ForestLeaves(workshop.forest)(session.transformed["forest_features"])
    inputs = workshop.inputs(workshop.forest)
    others = {name: session.transformed[name] for name in inputs.tensor_specs() if name != "leaves"}
    exposure = workshop.exposure(len(session.examples))
    return lambda: score(leaves=leaves, **others, **exposure)
