"""What Transform's graph needs to know of the training days: vocabularies, and the moments of the numeric columns.

It is computed without TFT's analyzers. Each of those adds a dozen stages to the Beam pipeline, and the graph up to
their inputs is traced, saved and loaded once more; on a log of 100,000 rows that takes longer than transforming the
rows. Here the rows of a file become one `Summary`, and summaries are merged.

Vocabularies are counted by the Misra-Gries sketch that TFT's approximate vocabulary uses, with the same order of ties.
Its memory is bounded by the size of the vocabulary, not by the number of different values; it is exact while there are
not more of these than the vocabulary holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tfx_bsl import sketches

from ranker.config.columns import Features
from ranker.features.standardising import Moments, batch_moments
from ranker.features.tensors import RawColumns, Tensor


@dataclass(frozen=True)
class Analysis:
    """The result.

    Attributes:
        vocabularies: categorical or multi-valued column → its values by descending frequency, equally frequent ones by
            descending bytes; at most as many as its `vocabulary_size`. Values with a line break are left out.
        moments: of the numeric columns, in the order of the config.
    """

    vocabularies: Mapping[str, tuple[bytes, ...]]
    moments: Moments


BatchSummary = tuple[tuple[tf.Tensor, ...], dict[str, tuple[tf.Tensor, tf.Tensor]]]


def summarised(features: Features, inputs: Mapping[str, Tensor]) -> BatchSummary:
    """The part of a batch's summary that is computed by TensorFlow.

    Args:
        features: the columns.
        inputs: column → tensor, as Transform's graph reads them.

    Returns:
        Count, mean and variance of the numeric columns, each float64 [columns]; and column of strings → its different
        values in the order of their first row, and their int64 counts.
    """
    columns = RawColumns(inputs, features.names[0])
    moments = batch_moments(columns.numbers(features.numeric_names)) if features.numeric else ()
    counts = {}
    for column in vocabulary_sizes(features):
        values, _, count = tf.unique_with_counts(columns.strings(column).values, tf.int64)
        counts[column] = values, count
    return moments, counts


class Summary:
    """The counts and moments of some rows. It can be pickled.

    Args:
        features: the columns.
    """

    def __init__(self, features: Features) -> None:
        self._sketches = {
            column: sketches.MisraGriesSketch(
                size, order_on_tie=sketches.MisraGriesSketch.OrderOnTie.ReverseLexicographical
            )
            for column, size in vocabulary_sizes(features).items()
        }
        self._moments = Moments.of_nothing(len(features.numeric))

    def add(self, moments: tuple[NDArray[Any], ...], counts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> None:
        """Adds the result of `summarised` for a batch, as arrays."""
        if moments:
            self._moments = self._moments.merged(Moments(*moments))
        for column, (values, count) in counts.items():
            # Each value is a line of the vocabularies' file.
            kept = [i for i, value in enumerate(values) if b"\n" not in value and b"\r" not in value]
            if kept:
                self._sketches[column].AddValues(
                    pa.array(values[kept], pa.binary()), pa.array(count[kept], pa.float32())
                )

    def merge(self, other: "Summary") -> None:
        """Adds the rows of another summary of the same columns."""
        self._moments = self._moments.merged(other._moments)
        for column, sketch in self._sketches.items():
            sketch.Merge(other._sketches[column])

    def analysis(self) -> Analysis:
        """The result for the rows so far."""
        vocabularies = {
            column: tuple(sketch.Estimate().field(0).to_pylist()) for column, sketch in self._sketches.items()
        }
        return Analysis(vocabularies, self._moments)


def merged(features: Features, summaries: Iterable[Summary]) -> Summary:
    """The summary of the rows of all summaries, which are left as they are."""
    total = Summary(features)
    for summary in summaries:
        total.merge(summary)
    return total


def vocabulary_sizes(features: Features) -> dict[str, int]:
    """The columns of strings, and the maximum number of values in the vocabulary of each."""
    return {column.name: column.values_kept for column in features.columns if column.values_kept}
