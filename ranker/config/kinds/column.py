"""A column that a model reads, of any kind."""

from dataclasses import field

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName
from ranker.config.named import Named


@dataclass(frozen=True, config=CHECKED)
class FeatureColumn(Named):
    """A column that a model reads: its name, and what forest and towers get of it.

    How each kind of column is read, transformed and served is in `ranker.features`.

    Attributes:
        name: of the feature everywhere: in the schema, in Examples, in requests to a model and in reports.
        column: of the feed log and of tables, with any characters, if it is not `name`.
    """

    name: ColumnName
    column: ColumnName | None = field(default=None, kw_only=True)

    @property
    def source(self) -> str:
        """The column of the feed log."""
        return self.column or self.name

    @property
    def forest_names(self) -> tuple[str, ...]:
        """The forest's inputs that the column becomes, in order."""
        return ()

    @property
    def codes(self) -> int:
        """Codes that the towers can embed the column's value by, each in [0, codes); 0 where there are none."""
        return 0

    @property
    def values_kept(self) -> int:
        """Size of the column's vocabulary; 0 where it has none."""
        return 0

    @property
    def embedding_size(self) -> int:
        """Numbers of the vector that the feed log has in the column, and every request too; 0 for other columns."""
        return 0

    @property
    def vector_size(self) -> int:
        """Numbers of the vector that the towers read by the column's name; 0 where there is none."""
        return 0
