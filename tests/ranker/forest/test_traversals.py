"""The numba and the TensorFlow traversal find exactly XGBoost's leaves."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ranker.forest.graph import ForestLeaves
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from tests.ranker.forest.boosters import FLOAT_MAX, grow, leaves_by_xgboost, random_features


def probes(forest: Forest, rng: np.random.Generator, rows: int) -> NDArray[np.float32]:
    """Rows with the forest's own thresholds, the adjacent floats, and special values."""
    columns = len(forest.feature_names)
    # If a column contains the largest float, XGBoost may split above it, at infinity.
    finite = np.isfinite(forest.split_threshold)
    values = np.concatenate(
        [forest.split_threshold[finite], np.array([0.0, -0.0, np.nan, FLOAT_MAX, -FLOAT_MAX], np.float32)]
    )
    values = np.concatenate([values, np.nextafter(values, FLOAT_MAX), np.nextafter(values, -FLOAT_MAX)])
    features = rng.choice(values, (rows, columns))
    # A threshold can equal a value only in its own column.
    for column in range(columns):
        own = forest.split_threshold[finite & (forest.split_feature == column)]
        if len(own):
            here = rng.random(rows) < 0.5
            features[here, column] = rng.choice(own, here.sum())
    return features


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(1, 8),
    outputs=st.integers(1, 3),
    rounds=st.integers(1, 4),
    columns=st.integers(1, 12),
    rows=st.integers(2, 400),
    gamma=st.sampled_from([0.0, 0.5, 5.0]),
    grow_policy=st.sampled_from(["depthwise", "lossguide"]),
)
@settings(max_examples=40, deadline=None)
def test_all_traversals_agree(
    seed: int, depth: int, outputs: int, rounds: int, columns: int, rows: int, gamma: float, grow_policy: str
) -> None:
    rng = np.random.default_rng(seed)
    trained_on = random_features(rng, rows, columns)
    forest = grow(trained_on, outputs, rounds, rng, max_depth=depth, gamma=gamma, grow_policy=grow_policy)
    for features in (trained_on, random_features(rng, 70, columns), probes(forest, rng, 200)):
        expected = leaves_by_xgboost(forest, features)
        np.testing.assert_array_equal(Traversal(forest)(features), expected)
        np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)
        np.testing.assert_array_equal(ForestLeaves(forest, xla=True)(features), expected)


@pytest.fixture(scope="module")
def forest() -> Forest:
    rng = np.random.default_rng(3)
    return grow(random_features(rng, 2000, 10), 2, 10, rng, max_depth=6)


def test_a_tree_that_never_splits_has_one_leaf() -> None:
    rng = np.random.default_rng(0)
    features = random_features(rng, 100, 3)
    forest = grow(features, outputs=2, rounds=2, rng=rng, gamma=1e9)
    assert (forest.trees, forest.leaves) == (4, 4)
    expected = np.tile(np.arange(4), (100, 1))
    np.testing.assert_array_equal(Traversal(forest)(features), expected)
    np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)


@pytest.mark.parametrize("depth", [9, 12])
def test_deep_and_unbalanced_trees(depth: int) -> None:
    rng = np.random.default_rng(depth)
    features = random_features(rng, 3000, 6)
    forest = grow(features, 1, 3, rng, max_depth=depth, min_child_weight=0)
    assert np.diff(forest.first_leaf).max() > 64
    expected = leaves_by_xgboost(forest, features)
    np.testing.assert_array_equal(Traversal(forest)(features), expected)
    np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)


def test_a_value_at_the_threshold_goes_right_and_one_below_goes_left() -> None:
    features = np.array([[0.0]] * 50 + [[1.0]] * 50, np.float32)
    forest = _fitted(features, np.repeat([0, 1], 50), max_depth=1)
    threshold = forest.split_threshold[0]
    rows = np.array([[np.nextafter(threshold, np.float32(-np.inf))], [threshold]], np.float32)
    assert Traversal(forest)(rows).tolist() == [[0], [1]]
    assert ForestLeaves(forest)(rows).numpy().tolist() == [[0], [1]]


def test_subnormal_values_are_not_taken_for_zero() -> None:
    features = np.array([[0.0]] * 50 + [[1e-39]] * 50 + [[2e-39]] * 50, np.float32)
    labels = np.repeat([0, 1, 0], 50)
    forest = _fitted(features, labels, max_depth=2)
    assert forest.leaves == 3
    expected = leaves_by_xgboost(forest, features)
    np.testing.assert_array_equal(Traversal(forest)(features), expected)
    np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)


def _fitted(features: NDArray[np.float32], labels: NDArray[Any], **parameters: Any) -> Forest:
    booster = xgb.train(
        {"objective": "binary:logistic", "min_child_weight": 0, **parameters}, xgb.DMatrix(features, labels), 1
    )
    return Forest.from_booster(booster, ["f0"])


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 1000])
def test_any_number_of_rows_and_threads(forest: Forest, rows: int) -> None:
    features = random_features(np.random.default_rng(rows), rows, 10)
    expected = leaves_by_xgboost(forest, features) if rows else np.empty((0, forest.trees))
    np.testing.assert_array_equal(Traversal(forest)(features), expected)
    np.testing.assert_array_equal(Traversal(forest, threads=3)(features), expected)
    np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)


def test_rows_that_are_not_contiguous(forest: Forest) -> None:
    features = random_features(np.random.default_rng(0), 50, 10)
    np.testing.assert_array_equal(Traversal(forest)(np.asfortranarray(features)), Traversal(forest)(features))


@pytest.mark.parametrize(
    "features",
    [np.zeros((5, 9), np.float32), np.zeros((5, 10)), np.zeros(10, np.float32)],
    ids=["width", "type", "rank"],
)
def test_other_features_are_refused(forest: Forest, features: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected float32 features \[rows, 10\]"):
        Traversal(forest)(features)


@pytest.mark.slow
def test_more_leaves_than_uint16_holds() -> None:
    rng = np.random.default_rng(5)
    features = rng.standard_normal((8000, 4)).astype(np.float32)
    forest = grow(features, 1, 60, rng, max_depth=12, min_child_weight=0, reg_lambda=0, learning_rate=0.01)
    assert forest.leaves > 1 << 16
    leaves = Traversal(forest)(features[:500])
    assert leaves.dtype == np.uint32
    np.testing.assert_array_equal(leaves, leaves_by_xgboost(forest, features[:500]))


@pytest.mark.parametrize("thresholds", [16, 17, 255, 256, 700])
def test_thresholds_of_one_feature_around_the_limits_of_the_bit_tables(thresholds: int) -> None:
    values = np.arange(thresholds + 1, dtype=np.float32)[:, None]
    parameters = {
        "objective": "reg:squarederror",
        "min_child_weight": 0,
        "max_depth": 12,
        "max_bin": 2048,
        "reg_lambda": 0,
    }
    forest = Forest.from_booster(xgb.train(parameters, xgb.DMatrix(values, values), 1), ["f0"])
    assert len(np.unique(forest.split_threshold)) == thresholds
    features = np.concatenate([values, values - 0.25, [[np.nan]]]).astype(np.float32)
    expected = leaves_by_xgboost(forest, features)
    np.testing.assert_array_equal(ForestLeaves(forest)(features), expected)
    np.testing.assert_array_equal(ForestLeaves(forest, xla=True)(features), expected)


@pytest.mark.slow
def test_graph_in_a_saved_model_and_compiled_by_xla(forest: Forest, tmp_path: Any) -> None:
    features = random_features(np.random.default_rng(1), 100, 10)
    expected = leaves_by_xgboost(forest, features)
    module = tf.Module()
    module.leaves = ForestLeaves(forest)
    signature = [tf.TensorSpec([None, 10], tf.float32)]
    serve = tf.function(lambda features: {"leaves": module.leaves(features)}, input_signature=signature)
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": serve})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    np.testing.assert_array_equal(loaded(tf.constant(features))["leaves"], expected)
    compiled = tf.function(ForestLeaves(forest, xla=True), jit_compile=True)
    np.testing.assert_array_equal(compiled(tf.constant(features)), expected)


def test_graph_needs_no_custom_op(forest: Forest) -> None:
    graph = tf.function(ForestLeaves(forest)).get_concrete_function(tf.TensorSpec([None, 10], tf.float32)).graph
    assert not {op.type for op in graph.get_operations()} & {"PyFunc", "EagerPyFunc", "NumpyFunction"}
