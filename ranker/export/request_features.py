"""From a request to the inputs of forest and towers: what the Transform graph computes, for the served model.

The Transform graph is written for Beam: an input per column, and among them columns that no request has. So the served
model has its own graph of the same operations on the same constants, in which all columns of a type are one tensor. A
Transform graph of an earlier version does not have these constants beside it, and is served as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf
import tensorflow_transform as tft

from ranker.export.raw_features import RawFeatures
from ranker.features.joined import JoinedColumns, RequestColumns, joined
from ranker.features.outputs import feature_outputs
from ranker.features.standardising import Moments, read_moments
from ranker.features.vocabularies import Vocabularies, read_vocabularies, vocabulary_file, vocabulary_table

Tensors = Mapping[str, tf.Tensor]
Columns = dict[str, Any]  # tensors of any kind that TensorFlow passes to a function


class RequestOfExamples(NamedTuple):
    """What a model reads of serialised tf.Examples.

    Attributes:
        columns: the feature columns.
        exposure: the exposure columns, float32 or string [batch], NaN or "" where missing; none unless wanted.
        ids: the ids of random effects, string [batch], "" where missing.
    """

    columns: Columns
    exposure: Sequence[tf.Tensor]
    ids: Sequence[tf.Tensor]


class RequestFeatures(Protocol):
    """The two forms of a request → columns, and columns → outputs of Transform.

    Whatever the form, the columns are the same tensors, so that signatures can share the function behind them.

    Attributes:
        raw: what requests have.
    """

    raw: RawFeatures

    def of_examples(self, examples: tf.Tensor, exposure: bool = False) -> RequestOfExamples:
        """Serialised tf.Examples, string [batch]; `exposure` says whether the exposure columns are wanted."""

    def of_tensors(self, tensors: Tensors) -> Columns:
        """By input name, with the specs of `RawFeatures.tensor_specs`."""

    def __call__(self, columns: Columns) -> Tensors:
        """The tensors of `ranker/keys.py` that depend on features alone."""


class GraphFeatures(tf.Module):
    """The Transform graph as it is.

    Args:
        raw: reads the raw features.
        transform: the graph as a layer, such as `TFTransformOutput.transform_features_layer()`.
    """

    def __init__(self, raw: RawFeatures, transform: Callable[[Columns], Tensors]) -> None:
        super().__init__(name="request_features")
        self.raw = raw
        self._transform = transform

    def of_examples(self, examples: tf.Tensor, exposure: bool = False) -> RequestOfExamples:
        """See `RequestFeatures`."""
        shown = self.raw.parse_exposure(examples) if exposure else []
        return RequestOfExamples(self.raw.parse(examples), shown, self.raw.parse_ids(examples))

    def of_tensors(self, tensors: Tensors) -> Columns:
        """See `RequestFeatures`."""
        return self.raw.from_dense(tensors)

    def __call__(self, columns: Columns) -> Tensors:
        """See `RequestFeatures`."""
        return self._transform(columns)


class JoinedFeatures(tf.Module):
    """The same outputs, bit by bit, with all columns of a type as one tensor.

    Args:
        raw: reads the raw features.
        moments: of the numeric columns.
        vocabularies: of the columns of strings, and the path of their file.
        calibrated_by: the categorical feature that is the key of the calibration, if there is one.
        examined_by: the categorical features that examination depends on.
    """

    def __init__(
        self,
        raw: RawFeatures,
        moments: Moments,
        vocabularies: tuple[Mapping[str, Sequence[bytes]], str],
        calibrated_by: str | None = None,
        examined_by: Sequence[str] = (),
    ) -> None:
        super().__init__(name="request_features")
        self.raw = raw
        self._moments = moments
        values, file = vocabularies
        # Without columns of strings there is no file.
        self._table = vocabulary_table(file, anonymous=True) if values else None
        self._vocabularies = Vocabularies(values, lambda: self._table)
        self._calibrated_by = calibrated_by
        self._examined_by = tuple(examined_by)

    def of_examples(self, examples: tf.Tensor, exposure: bool = False) -> RequestOfExamples:
        """See `RequestFeatures`."""
        raw, rows = self.raw, tf.size(examples, tf.int64)
        shown = raw.exposure_types() if exposure else {}
        types = {**shown, **dict.fromkeys(raw.effect_ids, tf.string)}
        parsed = raw.parse_joined(examples, types)
        columns = RequestColumns(parsed, rows)
        single: dict[str, tf.Tensor] = {}
        for dtype, read in ((tf.float32, columns.numbers), (tf.string, columns.texts)):
            if names := [name for name, of in types.items() if of == dtype]:
                single |= dict(zip(names, tf.unstack(read(names), len(names), axis=1), strict=True))
        features = self._joined({name: parsed[name] for name in raw.features.names_read}, rows)
        return RequestOfExamples(features, [single[name] for name in shown], [single[name] for name in raw.effect_ids])

    def of_tensors(self, tensors: Tensors) -> Columns:
        """See `RequestFeatures`."""
        columns = {column: tensors[name] for column, name in (self.raw.input_names | self.raw.key_names).items()}
        return self._joined(columns, tf.shape(next(iter(columns.values())), tf.int64)[0])

    def __call__(self, columns: Columns) -> Tensors:
        """See `RequestFeatures`."""
        return feature_outputs(
            self.raw.features,
            JoinedColumns(self.raw.features, columns),
            self._vocabularies,
            self._moments,
            self._calibrated_by,
            self._examined_by,
        )

    def _joined(self, columns: Columns, rows: tf.Tensor) -> Columns:
        return joined(self.raw.features, RequestColumns(columns, rows))


def request_features(
    raw: RawFeatures, graph: str, calibrated_by: str | None = None, examined_by: Sequence[str] = ()
) -> RequestFeatures:
    """The features' part of a served model.

    Args:
        raw: reads the raw features.
        graph: folder of the Transform graph.
        calibrated_by: see `JoinedFeatures`, as `examined_by`.
    """
    moments = read_moments(graph)
    if moments is None:
        return GraphFeatures(raw, tft.TFTransformOutput(graph).transform_features_layer())
    vocabularies = read_vocabularies(graph), vocabulary_file(graph)
    return JoinedFeatures(raw, moments, vocabularies, calibrated_by, examined_by)
