"""The vocabularies of all columns of strings: one file, and one lookup table in Transform's graph.

A table per column costs several operations each in every trace of the graph, and several functions each in a
SavedModel. So the keys of the table are `number=value`, with the number of the value's column. A key is unambiguous
whatever the value contains, and short, as it is made for every value of a request.

The file starts with a line `=column` per column, in the order of their numbers. No key is equal to such a line. The
keys follow, one per line, column by column, and within a column by descending frequency.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

VOCABULARIES = "vocabularies"
"""The name of the file, an asset of the Transform graph."""

NO_RANK = -1
"""What stands in place of the rank of a value outside the vocabulary."""


class Vocabularies:
    """Replaces strings by their rank, by frequency over the training days.

    Args:
        vocabularies: column → its values, most frequent first.
        table: returns the lookup table of the file that `write_vocabularies` wrote for them.
    """

    def __init__(
        self, vocabularies: Mapping[str, Sequence[bytes]], table: Callable[[], tf.lookup.StaticHashTable]
    ) -> None:
        self._table = table
        self._lengths = {column: len(values) for column, values in vocabularies.items()}
        self._numbers = {column: number for number, column in enumerate(vocabularies)}
        first = len(vocabularies) + np.cumsum([0, *self._lengths.values()])
        self._first = dict(zip(vocabularies, first.tolist(), strict=False))

    def rest(self, columns: Iterable[str]) -> tf.Tensor:
        """int64 [columns]: the code of all values outside each column's vocabulary, the number of values in it.

        It is at least 1, so that the value's code is no rank even where the training days had no value at all.
        """
        return tf.constant([max(self._lengths[column], 1) for column in columns], tf.int64)

    def ranks(self, values: tf.Tensor, columns: Sequence[str], owners: tf.Tensor | None = None) -> tf.Tensor:
        """The rank of each value in its column's vocabulary.

        Args:
            values: string [batch, columns], or string [values] with `owners`.
            columns: names of columns.
            owners: int [values], the index in `columns` of each value's column.

        Returns:
            int64, of the shape of `values`; `NO_RANK` for values outside the vocabulary.
        """
        prefixes = tf.constant([_prefix(self._numbers[column]) for column in columns])
        first = tf.constant([self._first[column] for column in columns], tf.int64)
        if owners is not None:
            prefixes, first = tf.gather(prefixes, owners), tf.gather(first, owners)
        lines = self._table().lookup(prefixes + values)
        return tf.where(lines < 0, tf.constant(NO_RANK, tf.int64), lines - first)


def vocabulary_table(file: str, anonymous: bool = False) -> tf.lookup.StaticHashTable:
    """Key → line number in the vocabularies' file, which is read when the table is made.

    Args:
        file: local path.
        anonymous: a table without a name. A named one has the file's path in the graph, so that equal models of
            different folders differ.
    """
    lines = tf.lookup.TextFileInitializer(
        file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    return tf.lookup.StaticHashTable(lines, default_value=NO_RANK, experimental_is_anonymous=anonymous)


def tracked_table(file: str) -> tf.lookup.StaticHashTable:
    """The same inside a preprocessing function of TFT, which stores the file in the Transform graph; one table only."""
    return tft.make_and_track_object(lambda: vocabulary_table(file), name=VOCABULARIES)


def write_vocabularies(vocabularies: Mapping[str, Sequence[bytes]], file: str) -> None:
    """Writes the values of all columns.

    Args:
        vocabularies: column → its values, most frequent first, none with a line break.
        file: local path.
    """
    with open(file, "wb") as lines:
        lines.writelines(b"=" + column.encode() + b"\n" for column in vocabularies)
        for number, values in enumerate(vocabularies.values()):
            lines.writelines(_prefix(number) + value + b"\n" for value in values)


def vocabulary_file(graph: str) -> str:
    """The path of the file in the folder of a Transform graph."""
    folder = tft.TFTransformOutput(graph).transform_savedmodel_dir
    return os.path.join(folder, tf.saved_model.ASSETS_DIRECTORY, VOCABULARIES)


def read_vocabularies(graph: str) -> dict[str, tuple[bytes, ...]]:
    """Column → its values, most frequent first, from the folder of a Transform graph.

    A graph without columns of strings has no such file.
    """
    if not tf.io.gfile.exists(vocabulary_file(graph)):
        return {}
    with tf.io.gfile.GFile(vocabulary_file(graph), "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    columns = [line[1:].decode() for line in takewhile(lambda line: line.startswith(b"="), lines)]
    values: dict[str, list[bytes]] = {column: [] for column in columns}
    for line in lines[len(columns) :]:
        number, _, value = line.partition(b"=")
        values[columns[int(number)]].append(value)
    return {column: tuple(of_column) for column, of_column in values.items()}


def read_vocabulary(graph: str, column: str) -> tuple[bytes, ...]:
    """The values of one column, most frequent first.

    Args:
        graph: folder of a Transform graph.
        column: name of the column.

    Raises:
        ValueError: the graph has no vocabulary of the column.

    Example:
        >>> read_vocabulary(graph, "device")
        (b'ios', b'web', b'android')
    """
    vocabularies = read_vocabularies(graph)
    if column not in vocabularies:
        raise ValueError(f"vocabularies: {column!r} is not one of {', '.join(vocabularies)}")
    return vocabularies[column]


def _prefix(number: int) -> bytes:
    return b"%d=" % number
