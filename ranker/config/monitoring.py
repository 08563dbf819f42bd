"""When the health of a day raises an alarm."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED


@dataclass(frozen=True, config=CHECKED)
class Monitoring:
    """When the health of a day raises an alarm; `docs/monitoring.md` explains the choices.

    Attributes:
        o_over_e: the range that O/E must lie in over all impressions.
        slice_o_over_e: the same on every slice; None judges no slice.
        false_alarm_rate: chance that a day raises an alarm of O/E though every true O/E is in its range. It is shared
            out over all objectives and slices, so that more of them make each interval wider and not alarms frequent.
        min_outcomes: outcomes observed or expected, whichever are more, below which an objective on a slice is not
            judged.
        drift: Jensen–Shannon divergence from the training window, in bits, up to which a feature is always in order.
        drift_factor: a feature may lie this many times as far from the training window as its farthest training day.
        missing: change of a feature's share of missing values that is always in order.
        score_drift: Jensen–Shannon divergence, in bits, of a day's scores from those on the day the model was
            evaluated, beyond what so many impressions differ by chance.
    """

    o_over_e: tuple[PositiveFloat, PositiveFloat] = (0.8, 1.25)
    slice_o_over_e: tuple[PositiveFloat, PositiveFloat] | None = (0.67, 1.5)
    false_alarm_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.01
    min_outcomes: PositiveInt = 10
    drift: PositiveFloat = 0.05
    drift_factor: Annotated[float, Field(ge=1.0)] = 3.0
    missing: PositiveFloat = 0.05
    score_drift: PositiveFloat = 0.05

    def __post_init__(self) -> None:
        for field, limit in (("o_over_e", self.o_over_e), ("slice_o_over_e", self.slice_o_over_e)):
            if limit is not None and limit[0] > limit[1]:
                raise ValueError(f"{field}: the lower limit comes first, got {limit}")
