"""A column of the feed log, for component parameters and error messages."""

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class LogColumn:
    """One column of the feed log.

    Attributes:
        name: its name in Examples, and in batches of rows as lists.
        kind: the name of its kind, such as "numeric"; `ranker.features.registry.column_kind` returns the kind.
        size: dimension of a dense embedding; 1 for every other kind.
        column: its name in the Parquet files, if it is not `name`.
    """

    name: str
    kind: str
    size: int = 1
    column: str | None = None

    @property
    def source(self) -> str:
        """Its name in the Parquet files."""
        return self.column or self.name
