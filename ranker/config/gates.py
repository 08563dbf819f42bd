"""The limits that a candidate model must meet before it is blessed."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Range, Ratio, Real


@dataclass(frozen=True, config=CHECKED)
class Gate:
    """Limits on one objective's metrics; None sets no limit.

    Attributes:
        min_auc: the lowest AUC.
        min_gauc: the lowest AUC within sessions.
        max_normalized_entropy: the highest normalized entropy; 1 is that of always predicting the base rate.
        o_over_e: the range for O/E (observed over expected), lower limit first.
        max_auc_drop: the largest drop in AUC compared with the baseline.
        max_gauc_drop: the largest drop in AUC within sessions compared with the baseline.
        max_ndcg_drop: the largest drop in NDCG at k compared with the baseline.
        max_normalized_entropy_growth: the largest increase of normalized entropy compared with the baseline.
        max_calibration_worsening: the largest increase of |log O/E| compared with the baseline; 0.1 is about 10 % of
            O/E.
        min_ndcg: the lowest NDCG at k.

    Raises:
        ValueError: the lower limit of `o_over_e` is above the upper one.

    Example:
        >>> strict = Gate(min_auc=0.6, o_over_e=(0.9, 1.1), max_auc_drop=0.005)
    """

    min_auc: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    min_gauc: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    max_normalized_entropy: Ratio | None = 1.0
    o_over_e: Range[Ratio] | None = None
    max_auc_drop: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    max_gauc_drop: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    max_ndcg_drop: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    max_normalized_entropy_growth: Annotated[Real, Field(ge=0.0, le=10.0)] | None = None
    max_calibration_worsening: Annotated[Real, Field(ge=0.0, le=10.0)] | None = None
    min_ndcg: Annotated[Real, Field(ge=0.0, le=1.0)] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.o_over_e is not None and self.o_over_e[0] > self.o_over_e[1]:
            raise ValueError(f"o_over_e: the lower limit comes first, got {self.o_over_e}")


@dataclass(frozen=True, config=CHECKED)
class UtilityGate:
    """Limits on the ranking by the utility over all sessions; None sets no limit.

    Attributes:
        max_utility_drop: the largest share of the baseline's utility of the top k that may be lost; 0.02 is 2 %.
        max_ndcg_drop: the largest drop in NDCG at k of the utility compared with the baseline.
        min_utility: the lowest utility of the top k, the mean over sessions.
        min_ndcg: the lowest NDCG at k of the utility.

    Example:
        >>> strict = UtilityGate(min_ndcg=0.4, max_utility_drop=0.01, max_ndcg_drop=0.005)
    """

    max_utility_drop: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    max_ndcg_drop: Annotated[Real, Field(ge=0.0, le=1.0)] | None = None
    min_utility: Annotated[Real, Field(ge=-1e9, le=1e9)] | None = field(default=None, kw_only=True)
    min_ndcg: Annotated[Real, Field(ge=0.0, le=1.0)] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, config=CHECKED)
class Gates:
    """The limits that a candidate model must meet before it is blessed.

    An absolute limit on one side (`min_auc`, `min_gauc`, `min_ndcg`, `min_utility`, `max_normalized_entropy`) is met if
    the entire confidence interval of the metric is within it, and fails if the entire interval is beyond it. In
    between, there are too few positives, or sessions, to judge. `o_over_e` and the comparisons with the serving model
    fail only if the entire interval is beyond the limit. So noise on a rare objective does not block a good model, and
    does not pass a bad one.

    Attributes:
        objective: the gate of every objective, over all impressions.
        overrides: objective → its own gate in place of `objective`, with all of its limits; `dataclasses.replace` keeps
            those that do not change.
        slice: the gate of every objective on every slice; None gates no slice.
        utility: the gate of the ranking by the utility, over all sessions.
        slice_min_positives: a slice with fewer positives is reported but does not block.
        confidence: level of the confidence intervals.
        too_few: what a gate with too few positives to judge does to the model. `pass` reports it and blesses the model,
            `block_first` blocks the model if no model is serving yet, and `block` always blocks it.
        min_day_share: a held-out day with a smaller share of the impressions of a usual day is a small day; a usual day
            has the median of the days before.
        small_day: what a small day does to the model. `pass` only reports it, `block` blocks the model.
        baseline_required: whether a candidate is blocked that could not be compared with any model although one serves.

    Example:
        >>> from dataclasses import replace
        >>> every = Gate(min_auc=0.6, o_over_e=(0.9, 1.1))
        >>> gates = Gates(
        ...     objective=every,
        ...     overrides={"comment": replace(every, min_auc=0.55)},
        ...     slice=None,
        ...     too_few="block_first",
        ... )
        >>> gates.of("comment").min_auc, gates.of("comment").o_over_e
        (0.55, (0.9, 1.1))
    """

    objective: Gate = Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.01, max_calibration_worsening=0.1)
    overrides: dict[str, Gate] = Field(default_factory=dict)
    # An O/E that the wide range for slices allows can by itself raise the normalized entropy above 1.
    slice: Gate | None = Gate(max_normalized_entropy=None, o_over_e=(0.5, 2.0), max_auc_drop=0.05)
    utility: UtilityGate = UtilityGate(max_utility_drop=0.02)
    slice_min_positives: Count = 100
    confidence: Annotated[Real, Field(ge=0.5, le=0.9999)] = 0.95
    too_few: Literal["pass", "block_first", "block"] = "pass"
    min_day_share: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.25
    small_day: Literal["pass", "block"] = "pass"
    baseline_required: bool = False

    def of(self, objective: str) -> Gate:
        """The gate of one objective over all impressions."""
        return self.overrides.get(objective, self.objective)
