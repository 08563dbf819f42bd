"""What goes wrong when a SavedModel is loaded that is incomplete, damaged, or something else."""

import tensorflow as tf
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from ranker.command_line import explained
from ranker.documents import first_problem
from ranker.plain_text import sentence

LOAD_ERRORS = (
    *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, DecodeError),
    tf.errors.OpError,
)
"""What TensorFlow raises where a file of a model is missing, empty, cut off or of something else."""


def load_problem(error: BaseException) -> str:
    """One of these errors in one line."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, ValidationError):
        return sentence(f"its settings are of another version of this project: {first_problem(error)}", 300)
    text = error.message if isinstance(error, tf.errors.OpError) else explained(error)
    return sentence(str(text), 300)
