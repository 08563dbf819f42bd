"""Calls a loaded model on batches of a table's rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2

from ranker import keys
from ranker.ahead import one_ahead
from ranker.export.names import EXAMPLES, SCORE_FEATURES, SERVING_DEFAULT
from ranker.export.row_limit import row_limit
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import check_schema
from ranker.feed_log.reading import Numbers, as_lists, place_of
from ranker.feed_log.tf_example import encode_examples
from ranker.scoring.calling import errors_of
from ranker.scoring.description import Description, ModelError
from ranker.scoring.tensors import most_cells, request_tensors

Floats = NDArray[np.float32]

_MOST_ROWS = 8192
"""Rows of a call. More rows are not faster, and take more memory."""

_MOST_CELLS = 1_000_000
"""A column of lists is padded to its longest one, so a single long list would make a large tensor of few values."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of some rows.

    Attributes:
        probabilities: float32 [objectives, rows], at the exposure in the rows where the model has an exposure model.
        examination: float32 [rows], the factor of the probabilities that exposure makes; 1 without an exposure model.
    """

    probabilities: Floats
    examination: Floats

    @property
    def relevance(self) -> Floats:
        """The probabilities without the effect of exposure, which rankings use, [objectives, rows]."""
        return self.probabilities / self.examination

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.probabilities.shape[1]

    @staticmethod
    def joined(parts: Sequence["Scores"], objectives: int) -> "Scores":
        """The rows of all parts, one part after the other."""
        none = Scores(np.zeros((objectives, 0), np.float32), np.zeros(0, np.float32))
        parts = [none, *parts]
        return Scores(
            np.concatenate([part.probabilities for part in parts], axis=1),
            np.concatenate([part.examination for part in parts]),
        )


class Scorer:
    """Scores rows as a server does.

    It calls `score_features`, which takes a tensor per column. It calls `serving_default` for a model with an exposure
    model, as this signature alone tells the factor of exposure, and for a batch with a list that is far longer than the
    others. Both give the same probabilities.

    Args:
        model: what `tf.saved_model.load` returned.
        description: of the model.
        signatures: of the model, by name.
    """

    def __init__(
        self, model: Any, description: Description, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
    ) -> None:
        # The signatures work only as long as the model that they are part of exists.
        self._model = model
        self._of_examples = model.signatures[SERVING_DEFAULT]
        self.description = description
        self.batch_rows = min(_MOST_ROWS, row_limit(signatures[SERVING_DEFAULT]) or _MOST_ROWS)
        missing = set(description.objective_names) - set(self._of_examples.structured_outputs)
        if missing:
            raise ModelError(f"the model predicts no {', '.join(sorted(missing))}, which its manifest names")
        self._of_columns = None
        if SCORE_FEATURES in signatures and keys.EXAMINATION not in self._of_examples.structured_outputs:
            self._of_columns = model.signatures[SCORE_FEATURES]
            self._specs = self._of_columns.structured_input_signature[1]
            defaults = signatures[SCORE_FEATURES].defaults
            self._defaults = {name: tf.constant(tf.make_ndarray(value)) for name, value in defaults.items()}

    def columns_in(self, names: Iterable[str]) -> tuple[LogColumn, ...]:
        """The columns that are read of a table with these: all features, and of exposure and ids what it has."""
        there = set(names)
        description = self.description
        return (
            *description.feature_columns,
            *(column for column in description.optional_columns if column.source in there),
        )

    def check(self, where: str, schema: pa.Schema) -> tuple[LogColumn, ...]:
        """The columns that are read of a table.

        Args:
            where: the table, for the message.
            schema: of the table.

        Raises:
            FeedLogError: a column is missing, or has a type that its kind does not accept.
        """
        columns = self.columns_in(schema.names)
        check_schema(where, schema, columns)
        return columns

    def examples(
        self, batch: pa.RecordBatch, columns: Sequence[LogColumn], where: str, first_row: Numbers = 0
    ) -> pa.BinaryArray:
        """The rows as serialised tf.Examples, as FeedLogGen makes them.

        Args:
            batch: rows of a table.
            columns: from `check`.
            where: the table, for the message.
            first_row: index of the first row within the table, or the index of each, for the message.

        Raises:
            FeedLogError: a value that its column may not hold.
        """
        return encode_examples(as_lists(where, first_row, columns, batch))

    def request(
        self, batch: pa.RecordBatch, columns: Sequence[LogColumn], where: str, first_row: Numbers = 0
    ) -> "Request":
        """At most `batch_rows` rows in the form that the model takes; the arguments are those of `examples`.

        Raises:
            FeedLogError: a value that its column may not hold.
        """
        lists = as_lists(where, first_row, columns, batch)
        place = place_of(where, first_row, batch.num_rows)
        if self._of_columns is not None and most_cells(lists, self._specs) <= _MOST_CELLS:
            inputs = {**self._defaults, **request_tensors(lists, self._specs)}
            # The signature of an earlier version may lack the default of an input that the rows lack.
            if inputs.keys() == self._specs.keys():
                return Request(place, batch.num_rows, self._of_columns, inputs)
        return Request(place, batch.num_rows, self._of_examples, _as_input(encode_examples(lists)))

    def __call__(self, request: "Request") -> Scores:
        """Scores the rows of a request.

        Raises:
            FeedLogError: the model cannot score them; the message names the table, and the first and the last row.
        """
        with errors_of(request.place):
            return _scores(request.signature(**request.inputs), self.description.objective_names, request.rows)

    def of_examples(self, examples: pa.BinaryArray) -> Scores:
        """Scores at most `batch_rows` serialised tf.Examples."""
        return _scores(self._of_examples(**_as_input(examples)), self.description.objective_names, len(examples))

    def table(self, table: pa.Table, where: str, numbers: NDArray[np.int64] | None = None) -> Scores:
        """Scores the rows of a table in memory.

        Args:
            table: [rows].
            where: what messages call it.
            numbers: what messages call its rows, [rows]; None counts them from 0.

        Raises:
            FeedLogError: a column is missing, has a wrong type, or has a value that it may not hold; or the model
                cannot score a row.
        """
        columns = self.check(where, table.schema)
        numbers = np.arange(table.num_rows) if numbers is None else numbers
        requests = one_ahead(self._requests(table, columns, where, numbers))
        return Scores.joined([self(request) for request in requests], len(self.description.objectives))

    def _requests(
        self, table: pa.Table, columns: Sequence[LogColumn], where: str, numbers: NDArray[np.int64]
    ) -> Iterator["Request"]:
        done = 0
        for batch in table.to_batches(self.batch_rows):
            if batch.num_rows:
                yield self.request(batch, columns, where, numbers[done : done + batch.num_rows])
                done += batch.num_rows


@dataclass(frozen=True, eq=False)
class Request:
    """A call of the model.

    Attributes:
        place: the table, and the first and the last row; for messages.
        rows: that are scored.
        signature: what is called.
        inputs: input name → tensor.
    """

    place: str
    rows: int
    signature: Callable[..., Mapping[str, Any]]
    inputs: Mapping[str, tf.Tensor]


def _as_input(examples: pa.BinaryArray) -> dict[str, tf.Tensor]:
    return {EXAMPLES: tf.constant(examples.to_numpy(zero_copy_only=False))}


def _scores(outputs: Mapping[str, Any], objectives: Sequence[str], rows: int) -> Scores:
    given = {name: np.asarray(tensor).reshape(rows) for name, tensor in outputs.items()}
    return Scores(
        np.stack([given[name] for name in objectives]), given.get(keys.EXAMINATION, np.ones(rows, np.float32))
    )
