"""The objectives that the model predicts: binary outcomes of an impression."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Weight

Tower = Literal["passive", "active"]
UtilityGroup = Literal["passive", "active", "other"]

TOWERS: tuple[Tower, ...] = ("passive", "active")


@dataclass(frozen=True, config=CHECKED)
class Objective:
    """One binary outcome of an impression.

    Attributes:
        name: the feed log's 0/1 column with the label, and the key of the probability in every signature.
        tower: the tower that predicts it.
        utility_group: the term of the ranking score that it is part of; the tower's own term by default.
        utility_weight: its weight within that term.

    Example:
        >>> Objective("comment", tower="active", utility_weight=5.0).group
        'active'
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    tower: Tower
    utility_group: UtilityGroup | None = None
    utility_weight: Weight = 1.0

    @property
    def group(self) -> UtilityGroup:
        """The utility group, or its default."""
        return self.utility_group or self.tower
