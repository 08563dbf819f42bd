"""Impressions as tf.Examples → rows that effects are fitted on, with the log-odds of models that have not seen them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from ranker import keys
from ranker.config.columns import Features
from ranker.config.effects import Effects
from ranker.effects.inputs import EffectInputs, frequent_values, input_layout, principal_components
from ranker.effects.rows import UNOBSERVED, Rows, RowShape
from ranker.effects.state import Basis
from ranker.export.names import SCORE_WITHOUT_EFFECTS, SERVING_DEFAULT
from ranker.export.raw_features import RawFeatures
from ranker.export.row_limit import row_limit
from ranker.features.fingerprints import fingerprints
from ranker.registry.layout import SAVED_MODEL
from ranker.storage import local_copy

BATCH_ROWS = 4096
SAMPLE_ROWS = 20_000
"""Impressions that the components of an embedding are computed from."""

_LEAST = 1e-12

Offsets = Callable[[tf.Tensor], NDArray[np.float32]]
"""Serialised tf.Examples [rows] → the log-odds of a model without effects, [rows, objectives]."""


def offsets_of(model: str, objectives: Sequence[str]) -> Offsets:
    """The log-odds of a pushed model.

    Args:
        model: path or URI of the SavedModel's folder.
        objectives: in the order of the result.

    Raises:
        ValueError: the model predicts other objectives.
    """
    with local_copy(model) as folder:
        loaded = tf.saved_model.load(str(folder))
        saved = saved_model_pb2.SavedModel.FromString((folder / SAVED_MODEL).read_bytes())
    name = SCORE_WITHOUT_EFFECTS if SCORE_WITHOUT_EFFECTS in loaded.signatures else SERVING_DEFAULT
    signature = loaded.signatures[name]
    if missing := sorted(set(objectives) - set(signature.structured_outputs)):
        raise ValueError(f"effects: {model}: it does not predict {missing}, so it gives no offsets for them")

    most = row_limit(saved.meta_graphs[0].signature_def[name]) or BATCH_ROWS

    def score(examples: tf.Tensor, _loaded: Any = loaded) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(examples), most):
            scores = signature(examples=examples[start : start + most])
            parts.append(np.stack([scores[name].numpy().reshape(-1) for name in objectives], axis=1))
        return log_odds(np.concatenate(parts))

    return score


def log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The log-odds of probabilities, finite also where float32 has rounded one to 0 or 1.

    Example:
        >>> log_odds(np.array([0.5, 1.0], np.float32)).round(1).tolist()
        [0.0, 16.6]
    """
    rounding = np.finfo(np.float32).eps / 2
    p = np.clip(probabilities.astype(np.float64), _LEAST, 1 - rounding)
    return (np.log(p) - np.log1p(-p)).astype(np.float32)


class RowReader:
    """Reads the rows that a config's effects are fitted on.

    Args:
        effects: the config's.
        features: the config's columns.
        raw: reads them; with the effects' id columns.
        objectives: names of the columns of outcomes.
        timestamp: name of the column of times.
        graph: folder of the Transform graph of the model that will have the effects.
    """

    def __init__(
        self,
        effects: Effects,
        features: Features,
        raw: RawFeatures,
        objectives: Sequence[str],
        timestamp: str,
        graph: str,
    ) -> None:
        self._effects, self._features, self._graph = effects, features, graph
        self._raw, self._objectives, self._timestamp = raw, tuple(objectives), timestamp
        self.layout = input_layout(effects, features)
        self.shape = RowShape(len(effects.levels), self.layout.width, len(objectives))
        self._inputs = EffectInputs(effects, features)
        self._transform = tft.TFTransformOutput(graph).transform_features_layer() if self.layout.widths else None
        self._parse = tf.function(self._parsed, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        self._read = tf.function(self._transformed, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)

    def basis(self, batches: Iterable[tf.Tensor]) -> Basis:
        """A basis from impressions: components of the embeddings, and the most frequent values in the graph."""
        dense = set(self._features.embeddings).intersection(self.layout.widths)
        sample: dict[str, list[NDArray[np.float32]]] = {name: [] for name in dense}
        rows = 0
        for examples in batches if dense else ():
            transformed = self._read(examples)
            for name in dense:
                sample[name].append(transformed[name].numpy())
            rows += len(examples)
            if rows >= SAMPLE_ROWS:
                break
        return Basis(
            {
                name: principal_components(np.concatenate(parts), self.layout.widths[name])
                for name, parts in sample.items()
            },
            {
                name: frequent_values(self._graph, name, self._effects.categories)
                for name in self.layout.widths
                if name not in dense
            },
        )

    def use(self, basis: Basis) -> None:
        """Sets what the inputs are; call it before `rows`."""
        self._inputs.assign(basis, self._graph)

    def rows(
        self, examples: tf.Tensor, offsets: Offsets, since: int = 0, until: int | None = None
    ) -> tuple[Rows, NDArray[np.int64]]:
        """The rows of serialised tf.Examples, and their times in milliseconds since 1970.

        Args:
            examples: string [rows].
            offsets: of a model that was not trained on them.
            since: milliseconds since 1970; earlier impressions are left out.
            until: milliseconds since 1970; this and later impressions are left out. None takes all.
        """
        parsed = {name: tensor.numpy() for name, tensor in self._parse(examples).items()}
        wanted = parsed["time"] >= since
        if until is not None:
            wanted &= parsed["time"] < until
        if not wanted.all():
            examples = tf.boolean_mask(examples, wanted)
            parsed = {name: values[wanted] for name, values in parsed.items()}
        if not len(parsed["time"]):
            return np.empty(0, self.shape.dtype), parsed["time"]
        x = self._inputs(self._read(examples)).numpy() if self.layout.widths else np.zeros((len(parsed["time"]), 0))
        return self.shape.rows(parsed["ids"], x, parsed["y"], offsets(examples)), parsed["time"]

    def _parsed(self, examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        spec = {name: tf.io.FixedLenFeature([], tf.int64, UNOBSERVED) for name in self._objectives}
        spec[self._timestamp] = tf.io.FixedLenFeature([], tf.int64)
        columns = tf.io.parse_example(examples, spec)
        return {
            "ids": tf.stack([fingerprints(ids) for ids in self._raw.parse_ids(examples)], axis=1),
            "y": tf.stack([columns[name] for name in self._objectives], axis=1),
            "time": columns[self._timestamp],
        }

    def _transformed(self, examples: tf.Tensor) -> Mapping[str, tf.Tensor]:
        assert self._transform is not None, "only called where there are inputs"
        outputs = self._transform(self._raw.parse(examples))
        return {name: tensor for name, tensor in outputs.items() if name in {keys.CATEGORICAL, *self.layout.widths}}
