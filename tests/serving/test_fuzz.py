"""Malformed requests: each is either scored correctly or refused with the name of the invalid input."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from feed_ranker_client.tensors import predict_request
from ranker import keys
from tests.ranker.export.feed import MAX_ROWS, OBJECTIVES, TinyFeed, dense_tensors, serialized
from tests.serving.conftest import MODEL

pytestmark = pytest.mark.slow

ROWS = 4
FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPES = (tf.float32, tf.float64, tf.int32, tf.int64, tf.uint8, tf.bool, tf.string, tf.half, tf.complex64)


@pytest.fixture(scope="module")
def stub(address: str) -> Iterator[Any]:
    """A plain connection without validation before the server."""
    with grpc.insecure_channel(address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@st.composite
def tensors(draw: st.DrawFn) -> tensor_pb2.TensorProto:
    """Protos of any type and shape, whose values may or may not fill the shape."""
    dtype = draw(st.sampled_from(TYPES))
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, ROWS, MAX_ROWS + 1, 1 << 40, -1]), max_size=3))
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = draw(st.integers(0, 9)) == 0
    values = draw(st.integers(0, 12))
    match draw(st.sampled_from(["content", "list", "both"])):
        case "content":
            proto.tensor_content = draw(st.binary(max_size=48))
        case "list":
            proto.float_val.extend([np.nan] * values)
            proto.int_val.extend([7] * values)
            proto.string_val.extend([b"web"] * values)
        case _:
            proto.tensor_content = b"\0" * 4 * values
            proto.float_val.append(1.0)
    return proto


def _outcome(stub: Any, request: predict_pb2.PredictRequest) -> tuple[dict[str, np.ndarray] | None, str]:
    """Scores, or None and the error message of a correctly refused request."""
    try:
        response = stub.Predict(request, timeout=60.0)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise
        return None, error.details()
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}, ""


def _request(signature: str, inputs: dict[str, Any]) -> predict_pb2.PredictRequest:
    own = predict_request(MODEL, signature, {name: np.asarray(values) for name, values in inputs.items()})
    return predict_pb2.PredictRequest.FromString(own.SerializeToString())


def _assert_scores(scores: dict[str, np.ndarray], rows: int) -> None:
    assert set(scores) == {o.name for o in OBJECTIVES}
    for values in scores.values():
        assert values.shape == (rows,)
        assert np.all((values >= 0) & (values <= 1))


@FUZZ
@given(data=st.data())
def test_any_tensor_in_place_of_a_feature(feed: TinyFeed, stub: Any, data: st.DataObject) -> None:
    features = {name: tensor.numpy() for name, tensor in dense_tensors(feed.rows[:ROWS]).items()}
    request = _request("score_features", features)
    name = data.draw(st.sampled_from(sorted(features)))
    match data.draw(st.sampled_from(["drop", "rename", "replace"])):
        case "drop":
            del request.inputs[name]
        case "rename":
            request.inputs["other"].CopyFrom(request.inputs[name])
            del request.inputs[name]
        case _:
            request.inputs[name].CopyFrom(data.draw(tensors()))

    scores, complaint = _outcome(stub, request)

    if scores is None:
        assert name in complaint or "fewer candidates than the other inputs" in complaint
    else:
        _assert_scores(scores, ROWS)


@FUZZ
@given(data=st.data())
def test_bytes_in_place_of_an_example(feed: TinyFeed, stub: Any, data: st.DataObject) -> None:
    examples = serialized(feed.rows[:ROWS])
    row = data.draw(st.integers(0, ROWS - 1))
    example = bytearray(examples[row])
    match data.draw(st.sampled_from(["random", "cut", "flip", "insert"])):
        case "random":
            example = bytearray(data.draw(st.binary(max_size=40)))
        case "cut":
            del example[data.draw(st.integers(0, len(example))) :]
        case "flip":
            example[data.draw(st.integers(0, len(example) - 1))] ^= data.draw(st.integers(1, 255))
        case _:
            at = data.draw(st.integers(0, len(example)))
            example[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    examples[row] = bytes(example)

    scores, complaint = _outcome(stub, _request("serving_default", {"examples": np.array(examples, object)}))

    if scores is None:
        assert complaint
    else:
        _assert_scores(scores, ROWS)
        untouched = [i for i in range(ROWS) if i != row]
        expected = feed.probabilities()
        for i, objective in enumerate(OBJECTIVES):
            np.testing.assert_allclose(scores[objective.name][untouched], expected[untouched, i], atol=1e-6)


@FUZZ
@given(
    signature=st.sampled_from(["score_leaves", "score_local_leaves"]),
    changes=st.lists(
        st.tuples(st.integers(0, ROWS - 1), st.integers(0, 5), st.integers(-(1 << 31), (1 << 31) - 1)), max_size=3
    ),
)
def test_any_leaf_id(feed: TinyFeed, stub: Any, signature: str, changes: list[tuple[int, int, int]]) -> None:
    local = signature == "score_local_leaves"
    batch = {name: values[:ROWS] for name, values in feed.batch().items()}
    leaves = feed.leaves[:ROWS] - (feed.forest.first_leaf[:-1] if local else 0)
    limit = np.diff(feed.forest.first_leaf) if local else np.full(feed.forest.trees, feed.forest.leaves)
    leaves = leaves.astype(np.uint8 if local else np.int32)
    for row, tree, leaf in changes:
        leaves[row, tree] = leaf % 256 if local else leaf

    scores, complaint = _outcome(stub, _request(signature, {**batch, keys.LEAVES: leaves}))

    if np.all((leaves >= 0) & (leaves < limit)):
        assert scores is not None
        _assert_scores(scores, ROWS)
    else:
        assert complaint.startswith("leaves: every leaf id must lie in")


@FUZZ
@given(
    name=st.sampled_from(["alpha", "lambda_", "weight_like"]),
    value=st.floats(width=32),
    signature=st.sampled_from(["rank_weighted", "rank"]),
)
def test_any_trade_off(feed: TinyFeed, stub: Any, name: str, value: float, signature: str) -> None:
    features = {key: tensor.numpy() for key, tensor in dense_tensors(feed.rows[:ROWS]).items()}
    trade_off = {"alpha": np.float32(0.5), "lambda_": np.float32(0.1), name: np.float32(value)}

    ranked, complaint = _outcome(stub, _request(signature, {**features, **trade_off}))

    if ranked is None:
        inside = 0.0 <= value <= (1.0 if name == "alpha" else 1e6)
        assert name in complaint
        assert not inside or (name, signature) == ("weight_like", "rank")
    else:
        assert np.isfinite(ranked["score"]).all()
        assert np.all(np.diff(ranked["score"][ranked["order"]]) <= 0)
