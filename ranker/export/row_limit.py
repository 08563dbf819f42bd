"""The model's limit on candidates per request, where every client and server of the model can read it.

A SavedModel's signature says nothing about the largest batch. The graph asserts `Serving.max_rows`, but that costs a
round trip, and a client should know how to split a session. So the name of the batch dimension, which no other program
reads, says it: `at most 8192`. TensorFlow Serving passes it on with the signature.
"""

import re

from tensorflow.core.protobuf import meta_graph_pb2

_LIMIT = re.compile(r"at most ([1-9]\d{0,8})")


def write_row_limit(signature: meta_graph_pb2.SignatureDef, max_rows: int) -> None:
    """Adds the limit to all inputs with one row per candidate, in place."""
    for info in signature.inputs.values():
        if info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1:
            info.tensor_shape.dim[0].name = f"at most {max_rows}"


def row_limit(signature: meta_graph_pb2.SignatureDef) -> int | None:
    """The limit of a signature; None for a model that was exported without one."""
    names = [info.tensor_shape.dim[0].name for info in signature.inputs.values() if info.tensor_shape.dim]
    limits = [int(found[1]) for name in names if (found := _LIMIT.fullmatch(name))]
    return min(limits, default=None)
