"""The warm-up requests of an exported model are requests that it answers, one or more per signature."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from ranker.registry.layout import WARMUP

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def logs(saved_model: Path) -> list[prediction_log_pb2.PredictionLog]:
    """The requests as TensorFlow Serving reads them."""
    records = tf.data.TFRecordDataset(str(saved_model / WARMUP)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def test_every_request_is_answered(saved_model: Path, logs: list[prediction_log_pb2.PredictionLog]) -> None:
    signatures = tf.saved_model.load(str(saved_model)).signatures
    asked: Counter[str] = Counter()
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        name = request.model_spec.signature_name
        if name.endswith("_xla") and asked[name]:
            continue  # each size is compiled, which takes seconds
        asked[name] += 1
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        # Python does not fill in the defaults of a signature, a server does.
        spec = signatures[name].structured_input_signature[1]
        for key in set(spec) - set(inputs):
            inputs[key] = tf.ones([1] * len(spec[key].shape), spec[key].dtype)
        outputs = signatures[name](**inputs)
        rows = max(len(value) for value in inputs.values() if value.shape.rank)
        assert all(np.isfinite(tensor.numpy()).all() and len(tensor) == rows for tensor in outputs.values())
    assert set(asked) == set(signatures)


def test_one_candidate_and_many(logs: list[prediction_log_pb2.PredictionLog]) -> None:
    rows: dict[str, list[int]] = {}
    for log in logs:
        request = log.predict_log.request
        first = next(iter(sorted(request.inputs)))
        rows.setdefault(request.model_spec.signature_name, []).append(request.inputs[first].tensor_shape.dim[0].size)
    assert rows["serving_default"] == rows["rank"] == rows["score_features"] == [1, 100]
    assert rows["rank_xla"] == [32, 64, 128, 256, 512]
