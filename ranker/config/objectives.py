"""The objectives that the model predicts: binary outcomes of an impression."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, MAX_WEIGHT, ColumnName, Real
from ranker.config.named import Named

Tower = Literal["passive", "active"]
UtilityGroup = Literal["passive", "active", "other"]

TOWERS: tuple[Tower, ...] = ("passive", "active")


@dataclass(frozen=True, config=CHECKED)
class Objective(Named):
    """One binary outcome of an impression.

    Attributes:
        name: the key of the probability in every signature, and its name in metrics, gates and reports.
        tower: the tower that predicts it.
        utility_group: the term of the ranking score that it is part of; the tower's own term by default.
        utility_weight: its weight within that term. An outcome that is bad for the viewer, such as hiding an item, has
            a negative weight: the more probable it is, the lower the score. With 0 the objective is predicted, but is
            no part of the score.
        column: the feed log's 0/1 column with the label, with any characters, if it is not `name`.

    Example:
        >>> Objective("comment", tower="active", utility_weight=5.0).group
        'active'
        >>> Objective("hide", tower="passive", utility_weight=-3.0).is_negative
        True
        >>> Objective("order", tower="active", column="Bestellt?").source
        'Bestellt?'
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    tower: Tower
    utility_group: UtilityGroup | None = None
    utility_weight: Annotated[Real, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)] = 1.0
    column: ColumnName | None = field(default=None, kw_only=True)

    @property
    def source(self) -> str:
        """The column of the feed log."""
        return self.column or self.name

    @property
    def group(self) -> UtilityGroup:
        """The utility group, or its default."""
        return self.utility_group or self.tower

    @property
    def is_negative(self) -> bool:
        """Whether more of the outcome is worse."""
        return self.utility_weight < 0

    @property
    def weight_range(self) -> tuple[float, float]:
        """The utility weights that a request may give: those with the sign of the config, and 0.

        An objective with weight 0 counts as one of which more is better.
        """
        return (-MAX_WEIGHT, 0.0) if self.is_negative else (0.0, MAX_WEIGHT)
