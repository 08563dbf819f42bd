"""The messages of TensorFlow Serving's API that a client needs.

They are described here, in a pool of their own. So they need no generated code, and do not clash with the packages
tensorflow and tensorflow-serving-api in the same process, which register messages of the same names in protobuf's
default pool. Fields that a client never reads are left out: protobuf skips them. The source is
`tensorflow_serving/apis/*.proto` and `tensorflow/core/{framework,protobuf}/*.proto`.
"""

from collections.abc import Sequence
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,  # an enum has the same encoding
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}

# Package → message → its fields, as in a .proto file: type, name and number. `map` is a map with texts as keys.
_MESSAGES = {
    "tensorflow": {
        "TensorShapeProto": ("repeated tensorflow.TensorShapeProto.Dim dim 2", "bool unknown_rank 3"),
        "TensorShapeProto.Dim": ("int64 size 1", "string name 2"),
        "TensorProto": (
            "int32 dtype 1",
            "tensorflow.TensorShapeProto tensor_shape 2",
            "bytes tensor_content 4",
            "repeated float float_val 5",
            "repeated double double_val 6",
            "repeated int32 int_val 7",
            "repeated bytes string_val 8",
            "repeated float scomplex_val 9",
            "repeated int64 int64_val 10",
            "repeated bool bool_val 11",
            "repeated double dcomplex_val 12",
            "repeated int32 half_val 13",
            "repeated uint32 uint32_val 16",
            "repeated uint64 uint64_val 17",
        ),
        "TensorInfo": ("string name 1", "int32 dtype 2", "tensorflow.TensorShapeProto tensor_shape 3"),
        "SignatureDef": (
            "map tensorflow.TensorInfo inputs 1",
            "map tensorflow.TensorInfo outputs 2",
            "string method_name 3",
            "map tensorflow.TensorProto defaults 4",
        ),
    },
    "tensorflow.serving": {
        "ModelSpec": (
            "string name 1",
            "google.protobuf.Int64Value version 2",
            "string signature_name 3",
            "string version_label 4",
        ),
        "PredictRequest": (
            "tensorflow.serving.ModelSpec model_spec 1",
            "map tensorflow.TensorProto inputs 2",
            "repeated string output_filter 3",
        ),
        "PredictResponse": ("map tensorflow.TensorProto outputs 1", "tensorflow.serving.ModelSpec model_spec 2"),
        "GetModelMetadataRequest": ("tensorflow.serving.ModelSpec model_spec 1", "repeated string metadata_field 2"),
        "GetModelMetadataResponse": (
            "tensorflow.serving.ModelSpec model_spec 1",
            "map google.protobuf.Any metadata 2",
        ),
        "SignatureDefMap": ("map tensorflow.SignatureDef signature_def 1",),
    },
}


def _file(package: str, dependencies: Sequence[str]) -> descriptor_pb2.FileDescriptorProto:
    """The description of a package's messages, as a file that needs others."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"feed_ranker_client/{package}.proto", package=package, syntax="proto3", dependency=dependencies
    )
    described: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, fields in _MESSAGES[package].items():
        outer, _, inner = name.rpartition(".")
        message = described[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=name)
        described[name] = message
        for field in fields:
            _add_field(message, field, f".{package}.{name}")
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, scope: str) -> None:
    *label, kind, name, number = text.split()
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if label:
        field.label = _Field.LABEL_REPEATED
    if label == ["map"]:
        # A map is a repeated message of key and value, marked as a map.
        entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, "string key 1", "")
        _add_field(entry, f"{kind} value 2", "")
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{scope}.{entry.name}"
    elif kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind}"


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    standard = [any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR]
    for file in standard:
        pool.AddSerializedFile(file.serialized_pb)
    framework = _file("tensorflow", [])
    pool.AddSerializedFile(framework.SerializeToString())
    serving = _file("tensorflow.serving", [framework.name, *(file.name for file in standard)])
    pool.AddSerializedFile(serving.SerializeToString())
    return pool


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


TensorProto = _message("tensorflow.TensorProto")
SignatureDef = _message("tensorflow.SignatureDef")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")

PREDICT = "/tensorflow.serving.PredictionService/Predict"
"""The method that runs a signature."""

GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
"""The method that returns the signatures."""
