"""The divergence of two histograms, and its expectation by chance."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from ranker.evaluation.jensen_shannon import expected_divergence, jensen_shannon


def test_the_divergence_equals_scipys() -> None:
    one, other = np.array([5.0, 0.0, 3.0, 2.0]), np.array([1.0, 4.0, 5.0, 0.0])
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(one, other, base=2) ** 2)
    assert jensen_shannon(one, one * 7) == pytest.approx(0.0, abs=1e-12)
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1.0)
    assert jensen_shannon(one, np.zeros(4)) is None


def test_two_samples_of_one_distribution_differ_by_the_expected_divergence() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    found = [
        jensen_shannon(random.multinomial(800, shares).astype(float), random.multinomial(2000, shares).astype(float))
        for _ in range(400)
    ]
    assert np.mean([value for value in found if value is not None]) == pytest.approx(
        expected_divergence(6, 800, 2000), rel=0.1
    )
