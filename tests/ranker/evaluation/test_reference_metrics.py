"""The forest alone and the base rate, compared with scikit-learn."""

import numpy as np
import pytest
import xgboost as xgb
from sklearn.metrics import log_loss, roc_auc_score

from ranker.evaluation.reference_metrics import Batch, reference_metrics
from ranker.forest.model import Forest

OBJECTIVES = ("click", "like")


def batches(rows: int = 3000) -> list[Batch]:
    random = np.random.default_rng(2)
    features = random.normal(size=(rows, 2)).astype(np.float32)
    labels = (features + random.normal(size=(rows, 2)) > [0.5, 1.5]).astype(np.float32)
    viewers = random.integers(1000, size=rows)
    return [(features[part], labels[part], viewers[part]) for part in (slice(0, 1000), slice(1000, rows))]


def forest(labels: np.ndarray, features: np.ndarray) -> tuple[Forest, np.ndarray]:
    settings = {"objective": "binary:logistic", "max_depth": 3, "multi_strategy": "one_output_per_tree", "nthread": 1}
    booster = xgb.train(settings, xgb.DMatrix(features, labels), 10)
    return Forest.from_booster(booster, ["a", "b"]), booster.predict(xgb.DMatrix(features))


def test_both_are_measured_on_every_batch() -> None:
    data = batches()
    features, labels = (np.concatenate([batch[part] for batch in data]) for part in (0, 1))
    grown, predicted = forest(labels, features)
    found = reference_metrics(grown, data, {"click": 0.4}, OBJECTIVES, 0.95)
    for o, name in enumerate(OBJECTIVES):
        alone, outcome = found[name].forest, labels[:, o]
        assert alone is not None
        assert (alone.impressions, alone.positives) == (3000, outcome.sum())
        assert alone.auc.value == pytest.approx(roc_auc_score(outcome, predicted[:, o]), abs=1e-3)
        assert alone.auc.lower < alone.auc.value < alone.auc.upper
        base = log_loss(outcome, np.full(3000, outcome.mean()))
        assert alone.normalized_entropy.value == pytest.approx(log_loss(outcome, predicted[:, o]) / base, rel=1e-4)
        assert alone.o_over_e.value == pytest.approx(outcome.sum() / predicted[:, o].sum(), rel=1e-4)
        assert not alone.ranking.gauc.defined
    rate = found["click"].base_rate
    assert rate is not None
    assert rate.auc.value == 0.5
    assert rate.o_over_e.value == pytest.approx(labels[:, 0].mean() / 0.4, rel=1e-6)
    expected = log_loss(labels[:, 0], np.full(3000, 0.4)) / log_loss(labels[:, 0], np.full(3000, labels[:, 0].mean()))
    assert rate.normalized_entropy.value == pytest.approx(expected, rel=1e-4)
    assert found["like"].base_rate is None


def test_a_forest_of_any_engagement_predicts_no_single_objective() -> None:
    data = batches()
    features, labels = (np.concatenate([batch[part] for batch in data]) for part in (0, 1))
    grown, _ = forest(labels.max(axis=1), features)
    found = reference_metrics(grown, data, {"click": 0.4, "like": 0.1}, OBJECTIVES, 0.95)
    assert all(of.forest is None and of.base_rate is not None for of in found.values())
