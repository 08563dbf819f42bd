"""Which trees a step reads."""

import numpy as np

from ranker.towers.leaf_dropout import LeafDropout


def test_every_tree_that_is_left_is_read_once_and_counts_double() -> None:
    draw, same = LeafDropout(400, 0.5, seed=1), LeafDropout(400, 0.5, seed=1)
    shares = np.zeros(400)
    for _ in range(200):
        trees, scale = (np.asarray(values) for values in draw())

        assert len(trees) == draw.capacity == 240
        assert np.all(np.diff(trees) > 0)
        assert set(scale.tolist()) == {0.0, 2.0}
        np.testing.assert_array_equal(trees, same().trees)
        shares[trees[scale > 0]] += 1 / 200

    assert abs(shares.mean() - 0.5) < 0.01
    assert 0.3 < shares.min() < shares.max() < 0.7


def test_all_of_a_few_trees_are_read() -> None:
    trees, scale = LeafDropout(8, 0.25, seed=1)()

    np.testing.assert_array_equal(trees, np.arange(8))
    assert np.all(np.isclose(scale, 0.0) | np.isclose(scale, 4 / 3))


def test_a_low_rate_reads_nearly_all_trees() -> None:
    assert LeafDropout(1_000, 0.1, seed=1).capacity == 938
