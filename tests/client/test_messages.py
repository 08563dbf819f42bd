"""The client's messages are those of TensorFlow Serving, and live beside its package in one process."""

import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from feed_ranker_client import messages

REAL = {
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
}
ENUM, INT32 = descriptor_pb2.FieldDescriptorProto.TYPE_ENUM, descriptor_pb2.FieldDescriptorProto.TYPE_INT32


def assert_alike(own: Descriptor, real: Descriptor, seen: set[str]) -> None:
    """Every field of the client's message has the number, the type and the label of the real one."""
    assert own.full_name == real.full_name
    if own.full_name in seen:
        return
    seen.add(own.full_name)
    assert own.GetOptions().map_entry == real.GetOptions().map_entry
    for field in own.fields:
        other = real.fields_by_name[field.name]
        kind = INT32 if other.type == ENUM else other.type
        assert (field.number, field.type, field.is_repeated, field.is_packed) == (
            *(other.number, kind, other.is_repeated, other.is_packed),
        ), f"{own.full_name}.{field.name}"
        if field.message_type is not None:
            assert_alike(field.message_type, other.message_type, seen)


@pytest.mark.parametrize("name", REAL)
def test_a_message_is_described_as_tensorflow_serving_does(name: str) -> None:
    seen: set[str] = set()
    assert_alike(getattr(messages, name).DESCRIPTOR, REAL[name].DESCRIPTOR, seen)
    assert len(seen) > 2


def test_the_methods_are_those_of_the_service() -> None:
    asked = []

    class Channel:
        def unary_unary(self, method: str, **_: object) -> None:
            asked.append(method)

    prediction_service_pb2_grpc.PredictionServiceStub(Channel())
    assert {messages.PREDICT, messages.GET_MODEL_METADATA} <= set(asked)


CHECK = """
import sys
import feed_ranker_client
assert "tensorflow" not in sys.modules
from tensorflow_serving.apis.predict_pb2 import PredictRequest as Real
for attempt in ("first", "second"):
    from feed_ranker_client.messages import PredictRequest as Own
    own = Own()
    own.model_spec.version.value = 7
    own.inputs["votes"].float_val.append(0.5)
    real = Real.FromString(own.SerializeToString())
    assert real.model_spec.version.value == 7 and list(real.inputs["votes"].float_val) == [0.5]
    assert Own.FromString(real.SerializeToString()) == own and Own is not Real
    for name in [name for name in sys.modules if name.startswith("feed_ranker_client")]:
        del sys.modules[name]
print("alike")
"""


@pytest.mark.slow
def test_either_package_can_be_imported_first() -> None:
    """The client before TensorFlow; then again, when TensorFlow's messages are there."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["alike"], done.stderr
