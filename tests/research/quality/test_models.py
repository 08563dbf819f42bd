"""Every model learns a small, learnable feed."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ranker import keys
from ranker.config.columns import Features
from ranker.config.forest import Forest
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.towers import Towers
from ranker.config.training import Training
from research.quality.experts import environment
from research.quality.models import MODELS
from research.quality.rows import HeldOutDay, Rows, shuffled_batches

pytestmark = pytest.mark.slow

EXPERTS = ("MMoE", "PLE", "DCN v2", "TabM")
FEATURES = tuple(f"f{i}" for i in range(6))
CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(numeric=FEATURES),
    schema="schemas/tiny.pbtxt",
    forest=Forest(trees=40, depth=3, learning_rate=0.3),
    towers=Towers(leaf_embedding_size=4, hidden=(16,)),
    training=Training(batch_size=128, epochs=2, learning_rate=1e-2),
)


def rows(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, len(FEATURES))).astype(np.float32)
    odds = np.stack([features[:, 0] + features[:, 1] * features[:, 2] - 1, 2 * features[:, 0] - 3], axis=1)
    labels = (rng.random((count, 2)) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return Rows(features, {keys.NUMERIC: features}, labels, rng.integers(0, keys.VIEWER_BUCKETS, count))


@pytest.fixture(scope="module")
def day() -> HeldOutDay:
    return HeldOutDay(CONFIG, date(2026, 1, 2), Path("tiny"), rows(6000, 1), rows(3000, 2))


def _model(name: str) -> object:
    missing = name in EXPERTS and not environment.is_there()
    reason = "the environment of the rival networks is not there: python -m research.quality.experts installs it"
    return pytest.param(name, marks=pytest.mark.skipif(missing, reason=reason))


@pytest.mark.parametrize("name", [_model(name) for name in MODELS])
def test_it_predicts_both_objectives(name: str, day: HeldOutDay) -> None:
    model = MODELS[name]
    # As they are stored in a file.
    settings = () if model.tune is None else (json.loads(json.dumps(model.tune(day))),)
    predicted = model.predict(day, 1, *settings)
    assert predicted.shape == day.test.labels.shape
    for objective, least in enumerate((0.68, 0.8)):
        labels, p = day.test.labels[:, objective], predicted[:, objective]
        assert roc_auc_score(labels, p) > least
        assert labels.sum() / p.sum() == pytest.approx(1, abs=0.4 if name in EXPERTS else 0.2)


def test_an_epoch_has_every_row_once_in_another_order() -> None:
    numbers = np.arange(10, dtype=np.float32)
    batches = list(shuffled_batches({keys.LABELS: numbers}, 4, 2, seed=3).as_numpy_iterator())
    assert [len(batch[keys.LABELS]) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = (np.concatenate([b[keys.LABELS] for b in batches[i : i + 3]]) for i in (0, 3))
    assert sorted(first) == sorted(second) == numbers.tolist()
    assert first.tolist() != second.tolist() != numbers.tolist()


def test_predictions_are_computed_again_only_if_something_that_they_depend_on_changed(day: HeldOutDay) -> None:
    def with_config(**changes: object) -> HeldOutDay:
        return replace(day, config=replace(CONFIG, **changes))  # type: ignore[arg-type]

    def retrained(other: HeldOutDay) -> set[str]:
        return {name for name, model in MODELS.items() if model.fingerprint(other) != model.fingerprint(day)}

    networks = {"ours", "two towers alone", "joint network", "network per objective"}
    assert retrained(day) == set()
    assert retrained(with_config(name="other", train_days=3)) == set()
    assert retrained(with_config(training=replace(CONFIG.training, distillation=0.1))) == {"ours"}
    assert retrained(with_config(towers=replace(CONFIG.towers, hidden=(8,)))) == networks
    assert retrained(with_config(forest=replace(CONFIG.forest, depth=2))) == {*networks, "LR on leaves"}
    assert retrained(with_config(forest=replace(CONFIG.forest, validation_fraction=0.2))) == set(MODELS)
    assert retrained(replace(day, source=Path("elsewhere"))) == set()
    assert retrained(replace(day, test=rows(3000, 4))) == set(MODELS)
