"""Metrics over seeds, compared with known numbers."""

import numpy as np
import pytest

from research.studies.measuring import measured, spread


def test_an_interval_is_students() -> None:
    found = spread(np.array([1.0, 2.0, 4.0]))
    assert found.mean == pytest.approx(7 / 3)
    assert found.deviation == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert found.half_width == pytest.approx(4.302653 * found.deviation / 3**0.5, rel=1e-5)
    assert np.isnan(spread(np.array([0.3])).half_width)


def test_differences_are_taken_seed_by_seed() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((5_000, 2)) < 0.3).astype(np.float32)
    noise = [rng.normal(scale=0.02, size=labels.shape) for _ in range(3)]
    ours = measured(labels, [(0.3 + n).astype(np.float32) for n in noise])
    halved = measured(labels, [((0.3 + n) / 2).astype(np.float32) for n in noise])
    ratio = halved.values["o_over_e"] / ours.values["o_over_e"]
    np.testing.assert_allclose(ratio, 2, rtol=1e-5)
    assert halved.mean_less(ours, "auc").deviation == pytest.approx(0, abs=1e-9)
    assert halved.mean_less(ours, "normalized_entropy").mean > 0.05
