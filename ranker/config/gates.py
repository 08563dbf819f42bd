"""The limits that a candidate model must meet before it is blessed."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Ratio


@dataclass(frozen=True, config=CHECKED)
class Gate:
    """Limits on one objective's metrics; None sets no limit.

    Attributes:
        min_auc: the lowest AUC.
        o_over_e: the range for O/E (observed over expected), lower limit first.
        max_auc_drop: the largest drop in AUC compared with the serving model.
        max_calibration_worsening: the largest increase of |log O/E| compared with the serving model.
    """

    min_auc: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    o_over_e: tuple[Ratio, Ratio] | None = None
    max_auc_drop: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    max_calibration_worsening: Annotated[float, Field(ge=0.0, le=10.0)] | None = None

    def __post_init__(self) -> None:
        if self.o_over_e is not None and self.o_over_e[0] > self.o_over_e[1]:
            raise ValueError(f"o_over_e: the lower limit comes first, got {self.o_over_e}")


@dataclass(frozen=True, config=CHECKED)
class Gates:
    """The limits that a candidate model must meet before it is blessed.

    A gate fails when the entire confidence interval of the metric is beyond the limit. So noise on a rare objective
    does not block a good model.

    Attributes:
        objective: the gate of every objective, over all impressions.
        overrides: objective → its own gate in place of `objective`.
        slice: the gate of every objective on every slice; None gates no slice.
        slice_min_positives: a slice with fewer positives is reported but does not block.
        confidence: level of the confidence intervals.

    Example:
        >>> gates = Gates(
        ...     objective=Gate(min_auc=0.6, o_over_e=(0.9, 1.1)),
        ...     overrides={"comment": Gate(min_auc=0.55)},
        ...     slice=None,
        ... )
        >>> gates.of("comment").min_auc
        0.55
    """

    objective: Gate = Gate(min_auc=0.55, o_over_e=(0.8, 1.25), max_auc_drop=0.01, max_calibration_worsening=0.1)
    overrides: dict[str, Gate] = Field(default_factory=dict)
    slice: Gate | None = Gate(o_over_e=(0.5, 2.0), max_auc_drop=0.05)
    slice_min_positives: Count = 100
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95

    def of(self, objective: str) -> Gate:
        """The gate of one objective over all impressions."""
        return self.overrides.get(objective, self.objective)
