"""A column that a model reads, of any kind."""

from collections.abc import Collection, Sequence
from dataclasses import field

from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, ColumnName
from ranker.config.keys import Keys
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

    @property
    def is_computed(self) -> bool:
        """Whether it is computed from earlier days where the log lacks it, so that on the first days nobody has any."""
        return False

    @property
    def is_discrete(self) -> bool:
        """Whether an impression has one id or category of it, so that others are found with the same."""
        return bool(self.codes)

    def check_columns(self, columns: "Sequence[FeatureColumn]", exposure: Collection[str]) -> None:
        """Checks what the column says of other columns.

        Args:
            columns: all feature columns of the config, this one too.
            exposure: the names of the exposure columns.

        Raises:
            ValueError: it says what no model can learn; the message begins with the reason.
        """

    def check_log(self, objectives: Sequence[str], keys: Keys, renamed: Collection[str]) -> None:
        """Checks what the column says of objectives and keys.

        Args:
            objectives: the names of the objectives.
            keys: the names of the keys in Examples.
            renamed: keys of the log that have another name in Examples.

        Raises:
            ValueError: as `check_columns`.
        """
