"""Variants of every study learn a small day, and differ as expected."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from research.studies.preparing import PreparedDay
from research.studies.studies import STUDIES, Variant
from research.studies.training import predict
from tests.research.studies.tiny import prepared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def day() -> PreparedDay:
    return prepared()


def variant(study: str, name: str) -> Variant:
    [found] = [v for v in STUDIES[study].variants("feed") if v.name == name]
    return found


def aucs(day: PreparedDay, p: np.ndarray) -> list[float]:
    return [float(roc_auc_score(day.day.test.labels[:, i], p[:, i])) for i in range(2)]


@pytest.mark.parametrize(
    ("study", "name"),
    [
        ("variance", "adagrad, warm-up 0%"),
        ("variance", "default, warm-up 10%"),
        ("sampling", "10% of unengaged impressions, weights"),
        ("sampling", "10% of an objective's negatives, shift"),
        ("isotonic", "layer by surface"),
        ("isotonic", "post-hoc isotonic regression"),
        ("dense", "batch norm, × 100"),
    ],
)
def test_it_learns_and_is_calibrated(day: PreparedDay, study: str, name: str) -> None:
    p = predict(day, variant(study, name), 1)
    assert p.shape == day.day.test.labels.shape
    assert min(aucs(day, p)) > 0.67
    np.testing.assert_allclose(day.day.test.labels.sum(axis=0) / p.sum(axis=0), 1, atol=0.25)


def test_uncorrected_sampling_expects_too_much(day: PreparedDay) -> None:
    p = predict(day, variant("sampling", "10% of an objective's negatives, uncorrected"), 1)
    assert (day.day.test.labels.sum(axis=0) / p.sum(axis=0)).max() < 0.6


def test_a_regression_fitted_afterwards_is_never_certain(day: PreparedDay) -> None:
    p = predict(day, variant("isotonic", "post-hoc isotonic regression"), 1)
    least = float(np.float32(0.5 / day.day.validation.sum()))
    assert least <= p.min() < p.max() <= 1 - least
    assert len(np.unique(p)) < 400  # isotonic regression gives a step function


def test_the_seed_changes_the_towers_and_not_the_forest(day: PreparedDay) -> None:
    chosen = variant("dense", "none, × 1")
    first, again, other = (predict(day, chosen, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
