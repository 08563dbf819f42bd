"""An arm that orders by the model that serves at a push destination."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray

from datasets.synthetic.candidates import Candidates
from ranker.config.pipeline import PipelineConfig
from ranker.export.names import EXAMPLES, SERVING_DEFAULT
from ranker.features.keys_and_labels import OptionalIdKind
from ranker.features.log_column import LogColumn
from ranker.features.registry import feature_kinds
from ranker.feed_log.conversion import to_lists
from ranker.feed_log.tf_example import encode_examples
from research.online.arms import coefficients
from research.quality.rows import Probabilities

_ROWS = 4096


class ServedModel:
    """A pushed model. It is called as a server would call it, with tf.Examples of the features, and ids for effects.

    Args:
        folder: the version.
        config: gives the features and the utility.
    """

    def __init__(self, folder: Path, config: PipelineConfig) -> None:
        self._config = config
        self._model = tf.saved_model.load(str(folder))
        self._score = self._model.signatures[SERVING_DEFAULT]
        ids = config.effects.columns if config.effects else ()
        self._columns = [
            *(kind.log_column for _, kind in feature_kinds(config.features)),
            *(LogColumn(name, OptionalIdKind.name) for name in ids if name not in config.features.id_names),
        ]

    def __call__(self, candidates: Candidates) -> NDArray[np.int64]:
        """The order of falling utility within each session."""
        return candidates.best_first(self.probabilities(candidates.table) @ coefficients(self._config))

    def probabilities(self, table: pa.RecordBatch) -> Probabilities:
        """Columns of a feed log → float32 [rows, objectives]."""
        lists = [to_lists(column, table.column(column.source)) for column in self._columns]
        batch = pa.RecordBatch.from_arrays(lists, [column.name for column in self._columns])
        examples = encode_examples(batch).to_numpy(zero_copy_only=False)
        parts = []
        for begin in range(0, len(examples), _ROWS):
            scores = self._score(**{EXAMPLES: tf.constant(examples[begin : begin + _ROWS])})
            parts.append(np.stack([scores[name].numpy().reshape(-1) for name in self._config.objective_names], axis=1))
        return np.concatenate(parts)
