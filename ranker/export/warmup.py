"""Warm-up requests, which TensorFlow Serving replays when it loads a version, before the version serves.

TensorFlow prepares a graph at its first calls. Without warm-up, the first requests after every push wait for it. The
requests are of missing and empty values, as only their shapes matter. The format is that of
https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from ranker.export.names import EXAMPLES
from ranker.export.padding import batch_sizes

ROWS = (1, 100)
"""Candidates of each request: the graph is prepared for one and for many."""

_COMPILED_ROWS = 512
"""A compiled signature is compiled for each padded size up to this, which takes a second or two each."""

_MODEL_NAME = "warmup"  # a server does not look at it while it warms up


def write_warmup(
    path: Path, signatures: Mapping[str, meta_graph_pb2.SignatureDef], dense: Mapping[str, int], max_rows: int
) -> None:
    """Writes the requests as a TFRecord file of `PredictionLog`s.

    Args:
        path: of the file.
        signatures: of the SavedModel, by name; inputs with a default are left out of the requests.
        dense: dense embedding → its size, for the signature that takes tf.Examples.
        max_rows: the model's limit.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, signature in sorted(signatures.items()):
            if name.startswith("__"):
                continue  # TensorFlow's own
            compiled = name.endswith("_xla")
            sizes = [size for size in batch_sizes(max_rows) if size <= _COMPILED_ROWS] if compiled else ROWS
            for rows in sorted({min(rows, max_rows) for rows in sizes}):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = _MODEL_NAME
                request.model_spec.signature_name = name
                for key, values in _inputs(signature, dense, rows):
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString(deterministic=True))


def _inputs(
    signature: meta_graph_pb2.SignatureDef, dense: Mapping[str, int], rows: int
) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, info in sorted(signature.inputs.items()):
        dtype, sizes = tf.as_dtype(info.dtype), [dim.size for dim in info.tensor_shape.dim]
        if name in signature.defaults:
            continue
        # An unknown size is -1: a list of values.
        shape = [rows, *(size if size > 0 else 1 for size in sizes[1:])]
        if name == EXAMPLES:
            # Not np.full, which drops zero bytes at the end.
            yield name, np.array([_example(dense)] * rows, object)
        elif dtype == tf.string:
            yield name, np.full(shape, b"", object)
        else:
            missing = dtype.is_floating and len(shape) == 1  # a number; the numbers of an embedding have to be finite
            yield name, np.full(shape, np.nan if missing else 0, dtype.as_numpy_dtype)


def _example(dense: Mapping[str, int]) -> bytes:
    """An impression of which only what may not be missing is there."""
    example = tf.train.Example()
    for name, size in dense.items():
        example.features.feature[name].float_list.value.extend([0.0] * size)
    serialised: bytes = example.SerializeToString(deterministic=True)
    return serialised
