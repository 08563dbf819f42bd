"""Checks whether a SavedModel can be evaluated, before an evaluation starts."""

import os
import textwrap
from collections.abc import Sequence

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ranker.export.names import SERVING_DEFAULT
from ranker.registry.layout import SAVED_MODEL

_LONGEST_REASON = 400  # characters


def first_examples(file_patterns: Sequence[str], count: int = 32) -> list[bytes]:
    """The first serialized examples of TFRecord files; a file with the suffix .gz is gzipped."""
    found: list[bytes] = []
    for file in sorted(file for pattern in file_patterns for file in tf.io.gfile.glob(pattern)):
        compression = "GZIP" if file.endswith(".gz") else ""
        records = tf.data.TFRecordDataset(file, compression_type=compression).take(count - len(found))
        found += list(records.as_numpy_iterator())
        if len(found) >= count:
            break
    return found


def signature_problem(path: str, objectives: Sequence[str]) -> str | None:
    """Why a SavedModel does not predict these objectives, or None; reads the signature without loading the model."""
    file = os.path.join(path, SAVED_MODEL)
    if not tf.io.gfile.exists(file):
        return f"there is no SavedModel at {path}"
    try:
        with tf.io.gfile.GFile(file, "rb") as opened:
            saved = saved_model_pb2.SavedModel.FromString(opened.read())
    except Exception as error:  # protobuf's two implementations raise different types for a damaged file
        return f"{file} cannot be read: {error}"
    signatures = {name: s for graph in saved.meta_graphs for name, s in graph.signature_def.items()}
    if SERVING_DEFAULT not in signatures:
        return f"it has no signature {SERVING_DEFAULT}, only {sorted(s for s in signatures if not s.startswith('__'))}"
    inputs, outputs = signatures[SERVING_DEFAULT].inputs, signatures[SERVING_DEFAULT].outputs
    if [tensor.dtype for tensor in inputs.values()] != [tf.string.as_datatype_enum]:
        return f"{SERVING_DEFAULT} takes {sorted(inputs)} and not one batch of serialized tf.Examples"
    if set(outputs) != set(objectives):
        return f"it predicts {sorted(outputs)} and not {sorted(objectives)}"
    return None


def scoring_problem(path: str, examples: Sequence[bytes]) -> str | None:
    """Why a SavedModel fails to load or to score these examples, or None."""
    try:
        model = tf.saved_model.load(path)
        model.signatures[SERVING_DEFAULT](tf.constant(list(examples)))
    except Exception as error:  # any serving model may be here and raise anything, and that must not fail the run
        return f"it fails to score today's examples: {in_short(error)}"
    return None


def in_short(error: Exception) -> str:
    """An error's type and the start of its text, on one line."""
    return f"{type(error).__name__}: {textwrap.shorten(str(error), _LONGEST_REASON)}"
