"""Size of a real serialised PredictRequest, for each form of a session's candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.harness import Figure
from feed_ranker_client.tensors import predict_request
from ranker import keys

CANDIDATES = (1, 25, 100, 500)
THIRD, NINTH = 0.334, 0.111

_MODEL = "feed"


@dataclass(frozen=True)
class Payload:
    """Bytes of one session's request, by the form of its leaves.

    Attributes:
        candidates: of the session.
        examples: raw features as tf.Examples.
        features: raw features as tensors.
        sparse: leaves as a sparse tensor, int64 values with int64 indices (row, tree), and its shape.
        sparse_listed: the same as lists of integers of variable length instead of packed bytes.
        int64, int32: leaves as a dense tensor.
        smallest: leaves numbered within each tree, in the smallest sufficient integer type.
    """

    candidates: int
    examples: int
    features: int
    sparse: int
    sparse_listed: int
    int64: int
    int32: int
    smallest: int


def payload(
    examples: Sequence[bytes],
    features: Mapping[str, NDArray[Any]],
    leaves: NDArray[np.int32],
    first_leaf: NDArray[np.int32],
    local_dtype: tf.DType,
    candidates: int,
) -> Payload:
    """Measures the first candidates of a session.

    Args:
        examples: serialised tf.Examples.
        features: the inputs of `score_features`, of the same candidates.
        leaves: int32 [candidates, trees].
        first_leaf: int32 [trees + 1], the first leaf id of each tree.
        local_dtype: type of leaves numbered within their tree.
        candidates: number of candidates to send.
    """
    leaves = leaves[:candidates]
    rows, trees = leaves.shape
    indices = np.stack(np.meshgrid(np.arange(rows), np.arange(trees), indexing="ij"), axis=-1).reshape(-1, 2)
    local = (leaves - first_leaf[:-1]).astype(local_dtype.as_numpy_dtype)
    sparse = {
        "leaves/values": leaves.reshape(-1).astype(np.int64),
        "leaves/indices": indices.astype(np.int64),
        "leaves/shape": np.array(leaves.shape, np.int64),
    }
    return Payload(
        candidates=rows,
        examples=_size("serving_default", {"examples": np.array(examples[:candidates], object)}),
        features=_size("score_features", {name: array[:candidates] for name, array in features.items()}),
        sparse=_size("score_leaves", sparse),
        sparse_listed=_size("score_leaves", sparse, listed=True),
        int64=_size("score_leaves", {keys.LEAVES: leaves.astype(np.int64)}),
        int32=_size("score_leaves", {keys.LEAVES: leaves}),
        smallest=_size("score_local_leaves", {keys.LEAVES: local}),
    )


def figures(payloads: Sequence[Payload]) -> list[Figure]:
    """The size of a dense tensor compared with the sparse one, for the largest session."""
    largest = payloads[-1]
    note = f"serialised PredictRequest, {largest.candidates} candidates"
    return [
        Figure(
            "payload_dense_over_sparse",
            ours=largest.int64,
            rival=largest.sparse,
            unit="bytes",
            target=THIRD,
            target_is_least=False,
            note=f"{note}; dense int64 compared with values and indices in int64, as the source compares them",
        ),
        Figure(
            "payload_smallest_over_sparse",
            ours=largest.smallest,
            rival=largest.sparse,
            unit="bytes",
            target=NINTH,
            target_is_least=False,
            note=f"{note}; the leaf's number within its tree, in the smallest integer type that holds it",
        ),
    ]


def _size(signature: str, inputs: Mapping[str, NDArray[Any]], listed: bool = False) -> int:
    request = predict_request(_MODEL, signature, inputs)
    if listed:
        for name, array in inputs.items():
            request.inputs[name].ClearField("tensor_content")
            request.inputs[name].int64_val.extend(array.reshape(-1).tolist())
    return len(request.SerializeToString())
