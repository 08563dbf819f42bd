"""A column of the feed log, for component parameters and error messages."""

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class LogColumn:
    """One column of the feed log.

    Attributes:
        name: its name in the Parquet files.
        kind: the name of its kind, such as "numeric"; `ranker.features.registry.column_kind` returns the kind.
        size: dimension of a dense embedding; 1 for every other kind.
    """

    name: str
    kind: str
    size: int = 1
