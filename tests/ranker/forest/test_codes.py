"""Codes of groups of trees: with the table of `leaves`, every tree has XGBoost's leaf."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.forest.graph.codes import CODES, ForestCodes, has_codes
from ranker.forest.graph.leaves import _unpacked, transposed_bits
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize(("outputs", "rounds", "rows"), [(3, 5, 150), (1, 1, 64), (2, 4, 1)])
def test_a_code_stands_for_the_leaves_of_its_group(depth: int, outputs: int, rounds: int, rows: int) -> None:
    rng = np.random.default_rng(depth)
    forest = grow(random_features(rng, 400, 6), outputs, rounds, rng, max_depth=depth)
    assert has_codes(forest)
    features = random_features(rng, rows, 6)

    codes = ForestCodes(forest)
    found = tf.function(codes)(tf.constant(features)).numpy()

    assert found.shape == (rows, codes.groups)
    assert found.min() >= 0
    assert found.max() < CODES
    leaves = codes.leaves()[np.arange(codes.groups), found].reshape(rows, -1)
    trees = codes.trees.reshape(-1)
    assert sorted(trees[trees >= 0]) == list(range(forest.trees))
    np.testing.assert_array_equal(leaves[:, trees >= 0], leaves_by_xgboost(forest, features)[:, trees[trees >= 0]])
    assert (leaves[:, trees < 0] == -1).all()
    for group in codes.trees:
        assert len(set(forest.tree_output[group[group >= 0]])) == 1


def test_trees_that_never_split() -> None:
    rng = np.random.default_rng(0)
    features = random_features(rng, 70, 3)
    codes = ForestCodes(grow(features, 2, 2, rng, gamma=1e9))
    np.testing.assert_array_equal(codes.leaves()[np.arange(codes.groups), codes(features).numpy()][0, :, 0], [0, 1])


def test_paths_of_more_than_a_byte_have_no_code() -> None:
    rng = np.random.default_rng(9)
    assert not has_codes(grow(random_features(rng, 3000, 6), 1, 1, rng, max_depth=10))


@pytest.mark.parametrize("count", range(1, 9))
def test_bits_are_transposed(count: int) -> None:
    planes = np.random.default_rng(count).integers(-(2**63), 2**63, (count, 3, 5))
    found = transposed_bits(tf.constant(planes))
    np.testing.assert_array_equal(found, _unpacked(tf.constant(planes)))
    bytes_ = planes.astype("<i8").view(np.uint8)
    bits = np.unpackbits(bytes_, axis=2, bitorder="little")
    np.testing.assert_array_equal(found, (bits * (1 << np.arange(count))[::-1, None, None]).sum(axis=0))
