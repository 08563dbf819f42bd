"""Report inputs made of a real evaluation of simulated impressions."""

from dataclasses import replace
from typing import Any

import numpy as np

from ranker.config.gates import Gate, Gates
from ranker.evaluation.document import Baseline, evaluation_document
from ranker.evaluation.gates import judge
from ranker.evaluation.slicing import SliceSpec
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from ranker.reports.calibration.inputs import Anomaly, FeatureHealth, ReportInputs
from tests.ranker.evaluation.simulated import OBJECTIVES, SLICES, Simulated, accumulate, simulate

GATES = Gates(objective=Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.05), slice=Gate(o_over_e=(0.5, 2.0)))


def evaluated(
    data: Simulated,
    candidate: np.ndarray,
    baseline: np.ndarray | None = None,
    served: Baseline | None = None,
    slices: tuple[SliceSpec, ...] = SLICES,
) -> dict[str, Any]:
    """The evaluation document of these predictions, [objectives, rows]."""
    models = {CANDIDATE: candidate} | ({} if baseline is None else {BASELINE: baseline})
    metrics = list(summarize(accumulate(data, models, slices=slices)))
    return evaluation_document(metrics, judge(metrics, GATES), served or Baseline(), 0.95)


def report_inputs(evaluation: dict[str, Any], **changes: Any) -> ReportInputs:
    """Inputs around an evaluation, with a plausible training behind it."""
    steps = [10, 20, 30, 34]
    rng = np.random.default_rng(3)
    inputs = ReportInputs(
        evaluation=evaluation,
        manifest={
            "trees": 60,
            "leaves": 900,
            "rows": 17_408,
            "eval_day": "2026-01-12",
            "config": {
                "objectives": [{"name": "click", "tower": "passive"}, {"name": "share", "tower": "active"}],
                "towers": {"hidden": [128, 64]},
            },
        },
        forest_curve={"train": [0.5, 0.4, 0.35], "validation": [0.5, 0.42, 0.41], "kept_rounds": 3},
        tower_history={
            "objectives": list(OBJECTIVES),
            "base_rate_loss": 0.6,
            "step": steps,
            "impressions": [512 * step for step in steps],
            "loss": [0.6, 0.5, 0.45, 0.44],
            "objective_losses": rng.uniform(0.1, 0.5, (4, 2)).tolist(),
            "learning_rate": [0.001, 0.002, 0.001, 0.0001],
            "rows_per_second": 9000.0,
            "seconds": 2.0,
        },
        anomalies=(Anomaly("eval", "device", "warning", "Unexpected string values: <fridge> (~1%)."),),
        features=(
            FeatureHealth("age", (0.0, 0.1), (3.0, 4.5), "mean", "Jensen–Shannon divergence", 0.09, 0.3),
            FeatureHealth("device", (0.0, 0.0), (0.5, 0.4), "share of most frequent", "largest change", 0.4, 0.3),
            FeatureHealth("legacy", (0.2, None), (1.0, None), "mean"),
        ),
        base_rates={"click": 0.21, "share": 0.02},
        rows_per_day={"2026-01-10": 8000, "2026-01-11": 9408, "2026-01-12": 6000},
        missing_days=("2026-01-09",),
        fingerprints={"training": "0123456789abcdef"},
        versions={"tfx": "1.21.0"},
        gates={"objective": {"min_auc": 0.55}},
        pushed_version="1700000001",
    )
    return replace(inputs, **changes)


def blessed_inputs() -> ReportInputs:
    """A good model beside a serving model that over-predicts."""
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
    """What there is least of: no slices, no outcome of one objective, no statistics, one day."""
    data = simulate(rows=300, seed=63)
    data.labels[1] = False
    return report_inputs(
        evaluated(data, data.probabilities, served=Baseline("7", "it predicts ['other']"), slices=()),
        anomalies=(),
        features=(),
        base_rates={},
        rows_per_day={"2026-01-12": 300},
        missing_days=(),
        forest_curve={"train": [0.5], "validation": [], "kept_rounds": 1},
    )
