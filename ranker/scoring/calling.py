"""Calls of a served graph: what TensorFlow raises there becomes an error about the rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from ranker.export.checks import in_short
from ranker.feed_log.layout import FeedLogError
from ranker.plain_text import sentence


@contextmanager
def errors_of(place: str) -> Iterator[None]:
    """An error of TensorFlow within the block is one of the rows that it is about.

    A value may be valid in its column and still be too large to be scored, which only the graph finds.

    Args:
        place: of the rows, such as a file, and the first and the last row.

    Raises:
        FeedLogError: the model cannot score the rows.
    """
    try:
        yield
    except tf.errors.OpError as error:
        raise FeedLogError(f"{place}: cannot be scored: {sentence(in_short(error), 300)}") from error
