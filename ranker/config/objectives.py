"""What is predicted: the yes/no outcomes of an impression."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED

Tower = Literal["passive", "active"]
UtilityGroup = Literal["passive", "active", "other"]

TOWERS: tuple[Tower, ...] = ("passive", "active")


@dataclass(frozen=True, config=CHECKED)
class Objective:
    """One yes/no outcome of an impression.

    Attributes:
        name: the column of the feed log that holds it as 0/1, and the key of its probability in every signature.
        tower: the tower whose layers predict it.
        utility_group: the term of the ranking score that it counts in; the tower's own term by default.
        utility_weight: its weight within that term.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    tower: Tower
    utility_group: UtilityGroup | None = None
    utility_weight: Annotated[float, Field(ge=0.0)] = 1.0

    @property
    def group(self) -> UtilityGroup:
        """The utility group with the default filled in."""
        return self.utility_group or self.tower
