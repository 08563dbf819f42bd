"""How TFX reads each column of a schema into tensors."""

from collections.abc import Collection

from tensorflow_metadata.proto.v0 import schema_pb2


def add_tensor_representations(schema: schema_pb2.Schema, numeric: Collection[str]) -> None:
    """Says of every column whether it is read as a dense or a sparse tensor.

    By default a column that may be missing is sparse. Of the numeric ones there are many, each has at most one value a
    row, and NaN already stands for a gap, so they are read as dense columns [batch, 1]: Transform, whose graph then
    lacks three placeholders and a conversion for each of them, takes three quarters of the time.

    Args:
        schema: changed in place; a column with a fixed shape is dense, and any other sparse.
        numeric: names of the numeric columns.

    Raises:
        ValueError: a numeric column that the schema does not have, or has as another type than FLOAT.
    """
    types = {feature.name: feature.type for feature in schema.feature}
    for name in numeric:
        if types.get(name) != schema_pb2.FLOAT:
            found = schema_pb2.FeatureType.Name(types[name]) if name in types else "no such column"
            raise ValueError(
                f"schema: the numeric column {name!r} should have type FLOAT, found {found}; `python -m "
                "pipeline.infer_schema --help` makes a schema anew"
            )
    representations = schema.tensor_representation_group[""].tensor_representation
    for feature in schema.feature:
        representation = representations[feature.name]
        if feature.name in numeric:
            representation.dense_tensor.column_name = feature.name
            representation.dense_tensor.shape.dim.add(size=1)
            representation.dense_tensor.default_value.float_value = float("nan")
        elif feature.HasField("shape"):
            representation.dense_tensor.column_name = feature.name
            representation.dense_tensor.shape.CopyFrom(feature.shape)
        else:
            representation.varlen_sparse_tensor.column_name = feature.name
