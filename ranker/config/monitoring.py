"""When the monitor raises an alarm on a day."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Count, Range, Ratio, Real, Share


@dataclass(frozen=True, config=CHECKED)
class Monitoring:
    """When the monitor raises an alarm on a day; `docs/monitoring.md` explains the choices.

    Attributes:
        o_over_e: the range for O/E over all impressions, lower limit first.
        slice_o_over_e: the range for O/E on every slice; None checks no slice.
        false_alarm_rate: probability that a day raises an O/E alarm although every true O/E is in its range. It is
            divided among all objectives and slices: with more of them the intervals get wider, and alarms do not get
            more frequent.
        min_outcomes: an objective on a slice is not checked if the larger of its observed and expected outcomes is
            below this.
        drift: Jensen–Shannon divergence from the reference window, in bits, that never raises an alarm.
        drift_factor: a feature's divergence from the reference window may be this many times that of its most divergent
            day.
        missing: change of a feature's share of missing values that never raises an alarm.
        score_drift: limit for the Jensen–Shannon divergence, in bits, of a day's scores from those of the model's
            evaluation day, beyond the divergence that sampling noise explains at that number of impressions.

    Example:
        >>> strict = Monitoring(o_over_e=(0.9, 1.1), slice_o_over_e=None, false_alarm_rate=0.001)
    """

    o_over_e: Range[Ratio] = (0.8, 1.25)
    slice_o_over_e: Range[Ratio] | None = (0.67, 1.5)
    false_alarm_rate: Annotated[Real, Field(ge=1e-6, le=0.5)] = 0.01
    min_outcomes: Count = 10
    drift: Share = 0.05
    drift_factor: Annotated[Real, Field(ge=1.0, le=1000.0)] = 3.0
    missing: Share = 0.05
    score_drift: Share = 0.05

    def __post_init__(self) -> None:
        for field, limit in (("o_over_e", self.o_over_e), ("slice_o_over_e", self.slice_o_over_e)):
            if limit is not None and limit[0] > limit[1]:
                raise ValueError(f"{field}: the lower limit comes first, got {limit}")
