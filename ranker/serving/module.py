"""The exported module: one graph from raw features to probabilities, entered at several points."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from pipeline.config import Objective
from ranker import keys
from ranker.serving.names import ALPHA, LAMBDA, input_names
from ranker.serving.raw_features import Parsed, RawFeatures
from ranker.serving.utility import utility_score
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork

Tensors = Mapping[str, tf.Tensor]


class FeedRanker(tf.Module):
    """Scores impressions.

    Every signature ends in the same `_probabilities`, and every one on raw features runs the same Transform graph and
    forest before it, so that they cannot disagree.

    Args:
        raw: reads the raw features.
        transform: the Transform graph as a layer, such as `TFTransformOutput.transform_features_layer()`.
        forest: features float32 [batch, features] → leaf ids int32 [batch, trees].
        network: the fitted towers.
        inputs: sizes of the tensors that the towers read.
        objectives: in the order of the network's logits.
        margins: leaf ids → the forest's own log-odds [batch, objectives]; None leaves them out.
        forest_share: the weight of those margins in each objective's log-odds, the towers' being 1 minus it.
    """

    def __init__(
        self,
        raw: RawFeatures,
        transform: Callable[[Parsed], Tensors],
        forest: Callable[[tf.Tensor], tf.Tensor],
        network: TwoTowerNetwork,
        inputs: TowerInputs,
        objectives: Sequence[Objective],
        margins: Callable[[tf.Tensor], tf.Tensor] | None = None,
        forest_share: float = 0.0,
    ) -> None:
        super().__init__(name="feed_ranker")
        self._raw = raw
        self._transform = transform
        self._forest = forest
        # A Keras model as an attribute would bring along a signature of its own; its weights are all that is needed.
        self._weights = [variable.value for variable in network.variables]
        self._logits = partial(network.call, training=False)
        self._inputs = inputs
        self._objectives = tuple(objectives)
        self._margins = margins
        self._forest_share = forest_share
        self._tower_names = input_names([keys.LEAVES, *(name for name in inputs.tensor_specs() if name != keys.LEAVES)])

    def signatures(self) -> dict[str, Any]:
        """Name → concrete function; each takes keyword tensors and returns a dict of tensors.

        - `serving_default`: `examples` string [batch], serialised tf.Examples → objective → probability [batch].
        - `score_features`: the tensors of `RawFeatures.tensor_specs` → the same.
        - `score_leaves`: `leaves` int32 [batch, trees], `numeric` and the dense embeddings as Transform gives them
          → the same. For a serving stack that runs the forest itself.
        - `rank`: the tensors of `score_features`, scalars `alpha` and `lambda_` → `score` [batch] and `order` int32
          [batch], the rows from the highest score down; ties keep their order.
        """
        examples = {"examples": tf.TensorSpec([None], tf.string, name="examples")}
        features = self._raw.tensor_specs()
        leaves = {
            self._tower_names[name]: tf.TensorSpec(spec.shape, spec.dtype, name=self._tower_names[name])
            for name, spec in self._inputs.tensor_specs().items()
        }
        weights = {name: tf.TensorSpec([], tf.float32, name=name) for name in (ALPHA, LAMBDA)}
        return {
            "serving_default": tf.function(self._score_examples).get_concrete_function(examples),
            "score_features": tf.function(self._score_features).get_concrete_function(features),
            "score_leaves": tf.function(self._score_leaves).get_concrete_function(leaves),
            "rank": tf.function(self._rank).get_concrete_function({**features, **weights}),
        }

    def _score_examples(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        return self._score_parsed(self._raw.parse(tensors["examples"]))

    def _score_features(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        return self._score_parsed(self._raw.from_dense(tensors))

    def _score_leaves(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        batch = {name: tensors[self._tower_names[name]] for name in self._inputs.tensor_specs()}
        leaves, limit = batch[keys.LEAVES], self._inputs.leaves
        known = tf.debugging.Assert(
            tf.reduce_all((leaves >= 0) & (leaves < limit)), [f"leaves: every leaf id must lie in [0, {limit})"]
        )
        with tf.control_dependencies([known]):
            return self._probabilities({**batch, keys.LEAVES: tf.identity(leaves)})

    def _rank(self, tensors: Tensors) -> dict[str, tf.Tensor]:
        score = utility_score(self._score_features(tensors), self._objectives, tensors[ALPHA], tensors[LAMBDA])
        return {"score": score, "order": tf.argsort(score, direction="DESCENDING", stable=True)}

    def _score_parsed(self, parsed: Parsed) -> dict[str, tf.Tensor]:
        transformed = self._transform(parsed)
        batch = {name: transformed[name] for name in self._inputs.tensor_specs() if name != keys.LEAVES}
        return self._probabilities({**batch, keys.LEAVES: self._forest(transformed[keys.FOREST_FEATURES])})

    def _probabilities(self, batch: Tensors) -> dict[str, tf.Tensor]:
        logits = self._logits(batch)
        if self._margins is not None:
            share = self._forest_share
            logits = (1 - share) * logits + share * self._margins(batch[keys.LEAVES])
        probabilities = tf.sigmoid(logits)
        columns = tf.unstack(probabilities, len(self._objectives), axis=1)
        return {o.name: column for o, column in zip(self._objectives, columns, strict=True)}
