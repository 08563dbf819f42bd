"""The list of all kinds of columns. A new kind is added here."""

from typing import Any

from ranker.config.columns import (
    AnyHistory,
    Categorical,
    DenseEmbedding,
    EmbeddingHistory,
    FeatureColumn,
    Features,
    HashedId,
    History,
    MultiValued,
    Numeric,
)
from ranker.features.categorical import CategoricalKind
from ranker.features.dense import DenseKind
from ranker.features.embedding_history import EmbeddingHistoryKind
from ranker.features.exploration import PropensityKind, RandomisedKind
from ranker.features.hashed_id import HashedIdKind
from ranker.features.history import HistoryKind
from ranker.features.keys_and_labels import IdKind, ObjectiveKind, OptionalIdKind, TimestampKind
from ranker.features.kind import ColumnKind, FeatureKind
from ranker.features.multi_valued import MultiValuedKind
from ranker.features.numeric import NumericKind
from ranker.features.row_weight import RecencyKind, WeightKind
from ranker.features.viewer_history import ViewerHistoryKind

_FEATURE_KINDS: dict[type[FeatureColumn], type[FeatureKind[Any]]] = {
    Numeric: NumericKind,
    Categorical: CategoricalKind,
    MultiValued: MultiValuedKind,
    DenseEmbedding: DenseKind,
    History: HistoryKind,
    EmbeddingHistory: EmbeddingHistoryKind,
    HashedId: HashedIdKind,
}
_KINDS: tuple[type[ColumnKind], ...] = (
    *(IdKind, OptionalIdKind, TimestampKind, ObjectiveKind, RandomisedKind, PropensityKind, WeightKind, RecencyKind),
    *_FEATURE_KINDS.values(),
)
_BY_NAME = {kind.name: kind for kind in _KINDS}


def feature_kinds(features: Features) -> tuple[tuple[str, FeatureKind[Any]], ...]:
    """Every feature column with its kind, in the order of `Features.names`.

    Example:
        >>> [(name, kind.name) for name, kind in feature_kinds(Features(numeric=("age_hours",)))]
        [('age_hours', 'numeric')]
    """
    return tuple((column.name, _FEATURE_KINDS[type(column)](column)) for column in features.columns)


def history_kind(history: AnyHistory) -> ViewerHistoryKind[Any]:
    """A history with its kind."""
    kind = _FEATURE_KINDS[type(history)](history)
    assert isinstance(kind, ViewerHistoryKind)
    return kind


def exposure_kinds(features: Features) -> tuple[tuple[str, FeatureKind[Any]], ...]:
    """Every exposure column with the kind that reads it, in the order of the config.

    Example:
        >>> from ranker.config.columns import Exposure
        >>> slots = Features(numeric=("age_hours",), exposure=(Exposure("slot", default="feed"),))
        >>> [(name, kind.name) for name, kind in exposure_kinds(slots)]
        [('slot', 'categorical')]
    """
    columns = (exposure.read_as for exposure in features.exposure)
    return tuple((column.name, _FEATURE_KINDS[type(column)](column)) for column in columns)


def column_kind(name: str) -> type[ColumnKind]:
    """The kind with that name.

    Raises:
        ValueError: no kind has that name.
    """
    if name not in _BY_NAME:
        raise ValueError(f"column kind: {name!r} is not one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
