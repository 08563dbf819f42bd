"""Random requests, for measuring a model without a feed log."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2

from feed_ranker_client.validation import inputs_of

_TEXTS = 50  # distinct texts per column
_VALUES = 3  # values per row of a multi-valued column


def sample_inputs(signature: meta_graph_pb2.SignatureDef, rows: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Inputs for a signature of raw features or leaves: numbers from 0 to 1, texts of a small vocabulary, leaves 0."""
    random = np.random.default_rng(seed)
    texts = np.array([f"value {i}".encode() for i in range(_TEXTS)], object)
    inputs: dict[str, NDArray[Any]] = {}
    for name, form in inputs_of(signature).items():
        shape = [rows if i == 0 else (size or _VALUES) for i, size in enumerate(form.shape)]
        if form.dtype.is_text:
            inputs[name] = random.choice(texts, shape)
        elif form.dtype.dtype == np.float32:
            inputs[name] = np.asarray(random.random(shape), np.float32)
        else:
            inputs[name] = np.zeros(shape, form.dtype.dtype)
    return inputs
