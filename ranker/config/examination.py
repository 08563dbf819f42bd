"""The optional exposure model: how exposure decides whether a viewer looks at an impression at all."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, MAX_WEIGHT, ColumnName, Ordered, Real, Whole


@dataclass(frozen=True, config=CHECKED)
class Examination:
    """The probability of an outcome is examination × relevance: an item that nobody looks at gets no reaction.

    Examination depends on the exposure columns and on a few features. It is fitted on the impressions whose position
    was drawn at random, and is 1 at the default of every exposure column. Relevance is what forest and towers predict.

    Attributes:
        by: categorical features on whose value the effect of exposure depends, such as the device.
        pieces: largest number of linear pieces of the effect of a numeric exposure column.
        shrinkage: how strongly the effect on each value of `by` is drawn to the common one: the precision of a Gaussian
            prior of the difference, in log-probability.

    Example:
        >>> Examination(by=("device",)).pieces
        8
    """

    by: Ordered[ColumnName] = ()
    pieces: Annotated[Whole, Field(ge=1, le=64)] = 8
    shrinkage: Annotated[Real, Field(gt=0.0, le=MAX_WEIGHT)] = 16.0
