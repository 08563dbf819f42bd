"""Sets how TFX reads each column of a schema into tensors."""

from collections.abc import Iterable

from tensorflow_metadata.proto.v0 import schema_pb2

from ranker.features.drafting import Seen
from ranker.features.hashed_id import HashedIdKind
from ranker.features.keys_and_labels import OptionalIdKind
from ranker.features.kind import ColumnKind, FeatureKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import column_kind
from ranker.features.row_weight import WeightKind


def add_tensor_representations(schema: schema_pb2.Schema, columns: Iterable[LogColumn]) -> None:
    """Sets for every column whether it is read as a dense or a sparse tensor.

    Args:
        schema: changed in place. A column of the schema that is not in `columns` is read as dense if its shape is
            fixed, otherwise as sparse. A history, an optional id or a weight that it lacks is added.
        columns: the columns that a config names.

    Raises:
        ValueError: the schema lacks a feature column, or has it with another type than its kind's.
    """
    columns = list(columns)
    kinds = {column.name: column_kind(column.kind) for column in columns}
    there = {feature.name for feature in schema.feature}
    for column in columns:
        kind = kinds[column.name]
        # Nothing is validated of these columns, so a schema need not name them.
        unvalidated = kind.computed or kind in (OptionalIdKind, HashedIdKind) or issubclass(kind, WeightKind)
        if unvalidated and column.name not in there:
            schema.feature.append(kind.draft(column, Seen()))
    types = {feature.name: feature.type for feature in schema.feature}
    for name, kind in kinds.items():
        if issubclass(kind, FeatureKind) and types.get(name) != kind.schema_type:
            found = schema_pb2.FeatureType.Name(types[name]) if name in types else "no such column"
            raise ValueError(
                f"schema: the {kind.name} column {name!r} should have type "
                f"{schema_pb2.FeatureType.Name(kind.schema_type)}, found {found}; `python -m pipeline.infer_schema "
                "--help` infers a new schema"
            )
    representations = schema.tensor_representation_group[""].tensor_representation
    for feature in schema.feature:
        kinds.get(feature.name, ColumnKind).represent(feature, representations[feature.name])
