"""Columns that are known only once a session has been ranked."""

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName, Real
from ranker.config.kinds.categorical import Categorical
from ranker.config.kinds.numeric import Numeric
from ranker.config.named import Named


@dataclass(frozen=True, config=CHECKED)
class Exposure(Named):
    """A column known only once a session has been ranked: position, slot, how the order was drawn.

    It is the previous ranker's output, which a candidate does not have yet. So it is logged and kept in the Examples,
    but no score depends on it; only an exposure model (`ranker.config.examination`) reads it. A request may hold it.

    Attributes:
        name: in the schema, in Examples and in requests.
        default: stands for a missing value; a number makes the column numeric, a text categorical. It should be the
            exposure of the most attention, such as the first position.
        column: of the feed log and of tables, with any characters, if it is not `name`.

    Example:
        >>> type(Exposure("position", default=1.0).read_as).__name__
        'Numeric'
        >>> type(Exposure("slot", default="feed").read_as).__name__
        'Categorical'
    """

    name: ColumnName
    default: Annotated[Real, Field(ge=-1e15, le=1e15)] | Annotated[str, Field(min_length=1)]
    column: ColumnName | None = field(default=None, kw_only=True)

    @property
    def read_as(self) -> Numeric | Categorical:
        """How the column is read."""
        kind = Categorical if isinstance(self.default, str) else Numeric
        return kind(self.name, column=self.column)
