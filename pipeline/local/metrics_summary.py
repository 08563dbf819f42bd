"""What `summary.json` says of an evaluation: flat metrics, an undefined value as None."""

from dataclasses import dataclass, field

from ranker.evaluation.gate_states import State
from ranker.evaluation.verdict import Outcome


@dataclass(frozen=True)
class MetricsSummary:
    """Metrics of one model and objective over all impressions; None for undefined values and open interval ends."""

    impressions: int
    positives: int
    auc: float | None = None
    auc_lower: float | None = None
    auc_upper: float | None = None
    o_over_e: float | None = None
    o_over_e_lower: float | None = None
    o_over_e_upper: float | None = None
    o_over_e_variance: float | None = None
    viewer_groups: int = 0
    mean_prediction: float | None = None
    normalized_entropy: float | None = None
    normalized_entropy_lower: float | None = None
    normalized_entropy_upper: float | None = None
    log_loss: float | None = None
    expected_calibration_error: float | None = None
    gauc: float | None = None
    gauc_lower: float | None = None
    gauc_upper: float | None = None
    gauc_sessions: int = 0
    ndcg: float | None = None
    ndcg_lower: float | None = None
    ndcg_upper: float | None = None
    ndcg_sessions: int = 0


@dataclass(frozen=True)
class ObjectiveSummary(MetricsSummary):
    """One objective on the held-out day: the candidate's metrics, and the comparison with the baseline.

    Attributes:
        observed: share of the impressions of which the outcome was observed; metrics leave out the others.
        state: what the gates say: `refused`, `too few` positives to judge, `passed`, or `no gate`.
        gate: the state as text, with the metrics that are refused or have too few positives.
        baseline: metrics of the serving model, or None without a comparison.
        forest: metrics of the forest alone, or None where it was not measured or predicts no single objective.
        base_rate: metrics of predicting the base rate of the training for every impression, or None.
        auc_drop: the serving model's AUC minus the candidate's.
        normalized_entropy_growth: the candidate's normalized entropy minus the serving model's.
        calibration_worsening: |log O/E| of the candidate minus that of the serving model.
        gauc_drop: the serving model's AUC within sessions minus the candidate's.
        ndcg_drop: the serving model's NDCG at k minus the candidate's.
    """

    observed: float = 1.0
    state: State = "no gate"
    gate: str = ""
    baseline: MetricsSummary | None = None
    forest: MetricsSummary | None = None
    base_rate: MetricsSummary | None = None
    auc_drop: float | None = None
    auc_drop_lower: float | None = None
    auc_drop_upper: float | None = None
    normalized_entropy_growth: float | None = None
    normalized_entropy_growth_lower: float | None = None
    normalized_entropy_growth_upper: float | None = None
    calibration_worsening: float | None = None
    calibration_worsening_lower: float | None = None
    calibration_worsening_upper: float | None = None
    gauc_drop: float | None = None
    gauc_drop_lower: float | None = None
    gauc_drop_upper: float | None = None
    ndcg_drop: float | None = None
    ndcg_drop_lower: float | None = None
    ndcg_drop_upper: float | None = None


@dataclass(frozen=True)
class UtilityMetricsSummary:
    """How one model ranks sessions by its utility; see `ranker.evaluation.session_metrics.UtilityMetrics`."""

    sessions: int
    top_utility: float | None = None
    top_utility_lower: float | None = None
    top_utility_upper: float | None = None
    ndcg: float | None = None
    ndcg_lower: float | None = None
    ndcg_upper: float | None = None
    ndcg_sessions: int = 0


@dataclass(frozen=True)
class UtilitySummary(UtilityMetricsSummary):
    """How the candidate ranks the sessions of the held-out day by its utility, compared with the baseline.

    Attributes:
        state: what the gates say: `refused`, `too few` sessions to judge, `passed`, or `no gate`.
        gate: the state as text, with the metrics that are refused or undecided.
        k: of NDCG at k and of the utility of the top k, for the objectives too.
        weights: objective → its factor in the utility.
        session_share: the share of all sessions that session metrics are computed from.
        impressions_without_session: impressions in no session metric, as they have no session id.
        baseline: metrics of the serving model, or None without a comparison.
        utility_drop: the share of the serving model's utility of the top k that the candidate loses.
        ndcg_drop: the serving model's NDCG of the utility minus the candidate's.
    """

    state: State = "no gate"
    gate: str = ""
    k: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    session_share: float = 1.0
    impressions_without_session: int = 0
    baseline: UtilityMetricsSummary | None = None
    utility_drop: float | None = None
    utility_drop_lower: float | None = None
    utility_drop_upper: float | None = None
    ndcg_drop: float | None = None
    ndcg_drop_lower: float | None = None
    ndcg_drop_upper: float | None = None


@dataclass(frozen=True)
class GateSummary:
    """The verdict of one gate; see `ranker.evaluation.verdict.Verdict`. `objective` is "" for the ranking by the
    utility, and `slice` is "" for all impressions.
    """

    objective: str
    slice: str
    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    limit: tuple[float | None, float | None]
    outcome: Outcome
    passed: bool
    blocking: bool
    text: str
    positives_needed: int | None = None
