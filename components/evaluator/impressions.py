"""The columns that an evaluation reads."""

from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluator.eval_config import EvaluationSpec


def impression_schema(settings: EvaluationSpec) -> schema_pb2.Schema:
    """The columns that an evaluation reads; other features of an example are decoded only inside the model."""
    schema = schema_pb2.Schema()
    for name in settings.objectives:
        schema.feature.add(name=name, type=schema_pb2.INT)
    for name in dict.fromkeys((settings.viewer_key, settings.session_key, *settings.slice_columns)):
        schema.feature.add(name=name, type=schema_pb2.BYTES)
    return schema
