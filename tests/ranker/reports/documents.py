"""Report inputs with a real evaluation of simulated impressions."""

from dataclasses import replace
from typing import Any

import numpy as np

from ranker.config.gates import Gate, Gates
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.gates import judge
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.slicing import SliceSpec
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from ranker.forest.curve import TrainingCurve
from ranker.registry.manifest import Manifest
from ranker.reports.calibration.inputs import Anomaly, FeatureComparison, ReportInputs
from ranker.towers.history import TrainingHistory
from tests.ranker.evaluation.simulated import OBJECTIVES, SLICES, Simulated, accumulate, simulate

GATES = Gates(
    objective=Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.05),
    slice=Gate(max_normalized_entropy=None, o_over_e=(0.5, 2.0)),
)


def evaluated(
    data: Simulated,
    candidate: np.ndarray,
    baseline: np.ndarray | None = None,
    served: Baseline | None = None,
    slices: tuple[SliceSpec, ...] = SLICES,
) -> Evaluation:
    """The evaluation of these predictions, [objectives, rows]."""
    models: dict[str, np.ndarray] = {CANDIDATE: candidate} | ({} if baseline is None else {BASELINE: baseline})
    accumulator = accumulate(data, models, slices=slices)
    metrics = list(summarize(accumulator))
    return Evaluation.of(metrics, judge(metrics, GATES), served or Baseline(), 0.95, Sessions.of(accumulator))


def report_inputs(evaluation: Evaluation, **changes: Any) -> ReportInputs:
    """Inputs with an evaluation and a plausible training."""
    steps = [10, 20, 30, 34]
    rng = np.random.default_rng(3)
    inputs = ReportInputs(
        evaluation=evaluation,
        manifest=Manifest(
            trees=60,
            leaves=900,
            rows=17_408,
            eval_day="2026-01-12",
            config={
                "objectives": [{"name": "click", "tower": "passive"}, {"name": "share", "tower": "active"}],
                "towers": {"hidden": [128, 64]},
            },
        ),
        forest_curve=TrainingCurve((0.5, 0.4, 0.35), (0.5, 0.42, 0.41), 3, {"click": 3, "share": 2}),
        tower_history=TrainingHistory(
            objectives=list(OBJECTIVES),
            base_rate_loss=0.6,
            step=steps,
            impressions=[512 * step for step in steps],
            loss=[0.6, 0.5, 0.45, 0.44],
            objective_losses=rng.uniform(0.1, 0.5, (4, 2)).tolist(),
            learning_rate=[0.001, 0.002, 0.001, 0.0001],
            rows_per_second=9000.0,
            seconds=2.0,
        ),
        anomalies=(Anomaly("eval", "device", "warning", "Unexpected string values: <fridge> (~1%)."),),
        features=(
            FeatureComparison("age", (0.0, 0.1), (3.0, 4.5), "mean", "Jensen–Shannon divergence", 0.09, 0.3, 0.09),
            FeatureComparison(
                "device", (0.0, 0.0), (0.5, 0.4), "share of most frequent", "largest change", 0.4, 0.3, 0.02
            ),
            FeatureComparison("legacy", (0.2, None), (1.0, None), "mean"),
        ),
        base_rates={"click": 0.21, "share": 0.02},
        rows_per_day={"2026-01-10": 8000, "2026-01-11": 9408, "2026-01-12": 6000},
        missing_days=("2026-01-09",),
        feed_log_warnings=("part-0.parquet: 2 of the 8,000 rows",),
        fingerprints={"training": "0123456789abcdef"},
        versions={"tfx": "1.21.0"},
        gates={"objective": {"min_auc": 0.55}},
        pushed_version="1700000001",
    )
    return replace(inputs, **changes)


def blessed_inputs() -> ReportInputs:
    """A good model, and a serving model that over-predicts."""
    data = simulate(rows=6000, seed=61)
    evaluation = evaluated(data, data.probabilities, np.minimum(data.probabilities * 1.4, 0.99), Baseline("1700000000"))
    return report_inputs(evaluation)


def refused_inputs() -> ReportInputs:
    """A model that is broken on one device, and no serving model to compare with."""
    data = simulate(rows=6000, seed=62)
    broken = data.probabilities.copy()
    broken[0, data.columns["device"] == b"ios"] *= 0.2
    return report_inputs(evaluated(data, broken), pushed_version=None)


def bare_inputs() -> ReportInputs:
    """Minimal inputs: no slices, no outcome of one objective, no statistics, one day."""
    data = simulate(rows=300, seed=63)
    data.labels[1] = False
    return report_inputs(
        evaluated(data, data.probabilities, served=Baseline("7", "it predicts ['other']"), slices=()),
        anomalies=(),
        features=(),
        base_rates={},
        rows_per_day={"2026-01-12": 300},
        missing_days=(),
        forest_curve=TrainingCurve((0.5,), (), 1, {"click": 1, "share": 1}),
    )
