"""Handmade evaluations of every kind that a run can write."""

import math

from ranker.evaluation.baseline import Baseline
from ranker.evaluation.evaluated_slice import ObjectiveCurves, ObjectiveEvaluation, SliceEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.metrics import Reliability
from ranker.evaluation.scores import ScoreHistogram
from ranker.evaluation.session_metrics import (
    NO_UTILITY,
    NOT_RANKED,
    RankingMetrics,
    UtilityComparison,
    UtilityMetrics,
)
from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.summary import Comparison, Curves, ObjectiveMetrics, UtilityEvaluation
from ranker.evaluation.verdict import Limit, Outcome, Verdict

INFINITY = math.inf

MEASURED = ObjectiveMetrics(
    impressions=10_000,
    positives=2_000,
    auc=Estimate(0.7512, 0.74, 0.7625),
    ranking=RankingMetrics(Estimate(0.651, 0.63, 0.67), 480, Estimate(0.52, 0.5, 0.54), 490),
    o_over_e=Estimate(1.01, 0.97, 1.05),
    o_over_e_variance=4e-4,
    viewer_groups=32,
    mean_prediction=0.198,
    normalized_entropy=Estimate(0.9, 0.85, 0.95),
    log_loss=0.45,
    expected_calibration_error=0.01,
)
ONE_VIEWER = ObjectiveMetrics(
    impressions=10_000,
    positives=1,
    auc=Estimate(0.6, 0.0, 1.0),
    ranking=RankingMetrics(Estimate(0.75, 0.0, 1.0), 1, Estimate(0.631, 0.0, 1.0), 1),
    o_over_e=Estimate(2.0, 0.0, INFINITY),
    o_over_e_variance=INFINITY,
    viewer_groups=1,
    mean_prediction=0.00005,
    normalized_entropy=Estimate(1.1, 0.0, INFINITY),
    log_loss=0.001,
    expected_calibration_error=0.00005,
)
NEVER = ObjectiveMetrics(
    impressions=10_000,
    positives=0,
    auc=UNDEFINED,
    ranking=NOT_RANKED,
    o_over_e=Estimate(0.0, 0.0, 0.5),
    o_over_e_variance=0.0,
    viewer_groups=32,
    mean_prediction=0.001,
    normalized_entropy=UNDEFINED,
    log_loss=0.001,
    expected_calibration_error=0.001,
)
COMPARISON = Comparison(
    auc_drop=Estimate(0.01, -INFINITY, INFINITY),
    normalized_entropy_growth=Estimate(0.02, -0.01, 0.05),
    gauc_drop=Estimate(0.002, -0.01, 0.014),
    ndcg_drop=Estimate(-0.003, -0.02, 0.014),
    calibration_worsening=UNDEFINED,
)
UTILITY = UtilityEvaluation(UtilityMetrics(Estimate(1.234, 1.2, 1.268), 500, Estimate(0.55, 0.53, 0.57), 495))
COMPARED_UTILITY = UtilityEvaluation(
    UTILITY.candidate,
    UtilityMetrics(Estimate(1.0, -INFINITY, INFINITY), 500, UNDEFINED, 0),
    UtilityComparison(Estimate(-0.234, -0.3, -0.168), UNDEFINED),
)
SESSIONS = Sessions(UtilityWeights({"click": 0.5, "reply": 2.0}, k=10))
CURVES = ObjectiveCurves(
    Curves(
        Reliability((0.0, 0.2, 1.0), (6_000.0, 4_000.0), (500.0, 1_500.0), (480.5, 1_499.5)),
        ScoreHistogram(77, (0.1, 0.2, 0.4), (7_000.0, 3_000.0)),
    )
)


def verdict(
    objective: str, metric: str, outcome: Outcome = "passed", where: str = "", blocking: bool = True
) -> Verdict:
    """A gate on O/E or AUC."""
    estimate = UNDEFINED if outcome == "too few" else Estimate(1.0, 0.5, INFINITY)
    limit: Limit = (0.55, None) if metric == "auc" else (0.8, 1.25)
    text = f"{objective}{f' on {where}' if where else ''}: {metric} {outcome}"
    return Verdict(
        objective, where, metric, estimate.value, estimate.lower, estimate.upper, limit, outcome, blocking, text
    )


def first() -> Evaluation:
    """Two objectives and no baseline, as no model is serving yet; one of them has not been observed."""
    return Evaluation(
        blessed=True,
        confidence=0.95,
        baseline=Baseline(),
        objectives={"click": ObjectiveEvaluation(MEASURED), "reply": ObjectiveEvaluation(NEVER)},
        curves={"click": CURVES, "reply": CURVES},
        utility=UTILITY,
        sessions=SESSIONS,
        verdicts=(
            verdict("click", "auc"),
            verdict("click", "o_over_e"),
            verdict("reply", "auc", "too few", blocking=False),
        ),
    )


def compared() -> Evaluation:
    """A refused candidate with a baseline, and slices whose names contain HTML characters."""
    evaluated = ObjectiveEvaluation(MEASURED, ONE_VIEWER, COMPARISON)
    return Evaluation(
        blessed=False,
        confidence=0.9,
        baseline=Baseline("41"),
        objectives={"click": evaluated, "a<b": ObjectiveEvaluation(ONE_VIEWER, NEVER, COMPARISON)},
        curves={"click": ObjectiveCurves(CURVES.candidate, CURVES.candidate), "a<b": CURVES},
        utility=COMPARED_UTILITY,
        sessions=Sessions(UtilityWeights({"click": 0.5, "a<b": -2.0}, k=3), share=0.25, impressions_without=1200),
        slices=(
            SliceEvaluation({"device": '<tv> & "co"'}, {"click": evaluated, "a<b": evaluated}, COMPARED_UTILITY),
            SliceEvaluation(
                {"device": "ios", "country": "(missing)"}, {"click": ObjectiveEvaluation(ONE_VIEWER)}, UTILITY
            ),
        ),
        slices_dropped=(("author",), ("author", "<i>")),
        verdicts=(
            verdict("click", "auc"),
            verdict("click", "o_over_e", "failed", 'device=<tv> & "co"'),
            verdict("a<b", "o_over_e", "failed", "device=ios", blocking=False),
        ),
        slice_verdicts={"passed": 3, "failed": 2},
    )


def dropped() -> Evaluation:
    """One objective, no slices, no gates, and a baseline that could not be compared with."""
    return Evaluation(
        blessed=True,
        confidence=0.95,
        baseline=Baseline("7", "it predicts ['follow'] & nothing <else>"),
        objectives={"click": ObjectiveEvaluation(MEASURED)},
        curves={"click": CURVES},
        utility=UtilityEvaluation(NO_UTILITY),
        sessions=SESSIONS,
    )
