"""A served model whose towers read no leaves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.towers import Towers
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.export.saved_model import export_saved_model
from ranker.forest.graph import ForestLeaves
from ranker.forest.model import Forest
from ranker.registry.manifest import Manifest
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.export.feed import FEATURES, OBJECTIVES, SCHEMA, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

NAMES = [o.name for o in OBJECTIVES]
TOWERS = Towers(hidden=(16, 8), dense_projection_size=2, forest_share=0.0)


@pytest.fixture(scope="module")
def network(feed: TinyFeed) -> TwoTowerNetwork:
    inputs = replace(feed.inputs, trees=0, leaves=0)
    network = TwoTowerNetwork(inputs, TOWERS, OBJECTIVES, np.full(len(OBJECTIVES), 0.4), seed=1)
    random = np.random.default_rng(2)
    for weight in network.weights:
        weight.assign(weight + np.abs(random.normal(scale=0.2, size=weight.shape)))
    return network


@pytest.fixture(scope="module")
def model(feed: TinyFeed, network: TwoTowerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Any:
    forest = Forest.without_trees(FEATURES.forest_names)
    module = FeedRanker(
        request_features(RawFeatures(FEATURES, SCHEMA), str(feed.graph), "device"),
        ForestLeaves(forest),
        network,
        replace(feed.inputs, trees=0, leaves=0),
        OBJECTIVES,
        xla_forest=ForestLeaves(forest, xla=True),
    )
    folder = str(tmp_path_factory.mktemp("without-forest") / "model")
    export_saved_model(module, Manifest(objectives=NAMES), folder)
    return tf.saved_model.load(folder)


def _stacked(scores: Mapping[str, tf.Tensor]) -> np.ndarray:
    return np.stack([scores[name] for name in NAMES], axis=1)


def test_every_signature_ends_in_the_towers_probabilities(feed: TinyFeed, model: Any, network: TwoTowerNetwork) -> None:
    batch = {name: values for name, values in feed.batch().items() if name != keys.LEAVES}
    expected = tf.sigmoid(network(batch)).numpy()
    of_towers = {name: tf.constant(values) for name, values in batch.items()}
    requests = {
        "serving_default": {"examples": tf.constant(serialized(feed.rows))},
        "score_features": dense_tensors(feed.rows),
        "score_features_xla": dense_tensors(feed.rows),
        "score_leaves": of_towers,
        "score_local_leaves": of_towers,
    }
    for name, request in requests.items():
        np.testing.assert_allclose(_stacked(model.signatures[name](**request)), expected, atol=1e-6, err_msg=name)
    ranked = model.signatures["rank"](**dense_tensors(feed.rows), alpha=tf.constant(0.5), lambda_=tf.constant(0.1))
    score = 0.5 * expected[:, 1] + 0.5 * 3 * expected[:, 0] + 0.1 * 2 * expected[:, 2]
    np.testing.assert_allclose(ranked["score"], score, atol=1e-5)
