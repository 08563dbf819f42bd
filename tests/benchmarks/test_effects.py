"""The benchmark of random effects, on few entities."""

from pathlib import Path

import numpy as np

from benchmarks.effects.fitting import batched, entities_per_second, impressions, one_by_one


def test_both_solvers_fit_the_same_coefficients(tmp_path: Path) -> None:
    rows = impressions(40)
    _, found = batched(rows, tmp_path)
    _, expected = one_by_one(rows, 40)
    assert found.shape == (40, 8)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected).max() > 0.1
    assert not list(tmp_path.iterdir())


def test_the_figure_says_what_was_measured() -> None:
    figure = entities_per_second(quick=True)
    assert figure.name == "entities_per_second"
    assert figure.unit == "entities/s"
    assert figure.ours > 0
    assert figure.rival > 0
    assert figure.note.startswith("2,000 entities with ")
