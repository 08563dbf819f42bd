"""Checks whether a SavedModel can be evaluated.

Only a reason that lies in the model is a finding: a signature or an input that it lacks, or files that cannot be read.
Anything else, such as memory or disk that is used up, says nothing about the model and is raised.
"""

import os
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from ranker import keys
from ranker.export.names import SERVING_DEFAULT
from ranker.registry.layout import SAVED_MODEL

_LONGEST_REASON = 400  # characters

# What TensorFlow raises for a damaged or unsuitable model. ResourceExhaustedError (memory, disk), UnavailableError,
# PermissionDeniedError and others are left out on purpose.
_OF_THE_MODEL = (
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.UnimplementedError,
    DecodeError,
    FileNotFoundError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


class UnsuitableModelError(ValueError):
    """A SavedModel cannot be evaluated; the message says why."""


def example_batches(file_patterns: Sequence[str], size: int) -> Iterator[list[bytes]]:
    """All serialized examples of TFRecord files, `size` at a time; a file with the suffix .gz is gzipped."""
    for file in sorted(file for pattern in file_patterns for file in tf.io.gfile.glob(pattern)):
        compression = "GZIP" if file.endswith(".gz") else ""
        for batch in tf.data.TFRecordDataset(file, compression_type=compression).batch(size):
            yield batch.numpy().tolist()


def signature_problem(path: str, objectives: Sequence[str]) -> str | None:
    """Why a SavedModel does not predict exactly these objectives, or None; reads its signature without loading it."""
    try:
        outputs = predicted_outputs(path) - {keys.EXAMINATION}
    except UnsuitableModelError as error:
        return str(error)
    if outputs != set(objectives):
        return f"it predicts {sorted(outputs)} and not {sorted(objectives)}"
    return None


def predicted_outputs(path: str) -> frozenset[str]:
    """The outputs of a SavedModel's signature for serialized tf.Examples; reads it without loading the model.

    Raises:
        UnsuitableModelError: it cannot be read, or has no such signature.
    """
    file = os.path.join(path, SAVED_MODEL)
    if not tf.io.gfile.exists(file):
        raise UnsuitableModelError(f"there is no SavedModel at {path}")
    with tf.io.gfile.GFile(file, "rb") as opened:
        content = opened.read()
    try:
        saved = saved_model_pb2.SavedModel.FromString(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's two implementations raise different types for a damaged file
        raise UnsuitableModelError(f"{file} cannot be read: {error}") from error
    signatures = {name: s for graph in saved.meta_graphs for name, s in graph.signature_def.items()}
    if SERVING_DEFAULT not in signatures:
        there = sorted(name for name in signatures if not name.startswith("__"))
        raise UnsuitableModelError(f"it has no signature {SERVING_DEFAULT}, only {there}")
    inputs, outputs = signatures[SERVING_DEFAULT].inputs, signatures[SERVING_DEFAULT].outputs
    if [tensor.dtype for tensor in inputs.values()] != [tf.string.as_datatype_enum]:
        raise UnsuitableModelError(
            f"{SERVING_DEFAULT} takes {sorted(inputs)} and not one batch of serialized tf.Examples"
        )
    return frozenset(outputs)


def scoring_problem(path: str, batches: Iterable[Sequence[bytes]]) -> str | None:
    """Why a SavedModel fails to load or to score serialized examples, or None.

    Raises:
        Exception: whatever TensorFlow raised, if the reason does not lie in the model.
    """
    try:
        score = tf.saved_model.load(path).signatures[SERVING_DEFAULT]
    except Exception as error:
        return _finding("it cannot be loaded", error)
    for batch in batches:
        examples = tf.constant(list(batch))
        try:
            score(examples)
        except Exception as error:
            return _finding("it fails to score today's examples", error)
    return None


def lies_in_the_model(error: Exception) -> bool:
    """Whether an error from loading or calling a SavedModel says something about the model."""
    if isinstance(error, _OF_THE_MODEL):
        return True
    # TensorFlow raises an OSError without a number for a file that is missing or cannot be parsed, and its checkpoint
    # reader an error without a type for a damaged index.
    if type(error) is OSError:
        return error.errno is None
    return type(error) is tf.errors.OpError and "sstable" in str(error)


def _finding(what: str, error: Exception) -> str:
    if not lies_in_the_model(error):
        raise error
    return f"{what}: {type(error).__name__}: {textwrap.shorten(str(error), _LONGEST_REASON)}"
