"""Models without a network: XGBoost per objective, and logistic regressions on leaves.

Settings are chosen once per held-out day; with them, each seed is trained on all rows of the days before.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ranker.forest.model import Forest
from research.quality.encoded import grown_forest
from research.quality.rows import HeldOutDay, Probabilities, Rows

_XGBOOST_ROUNDS = 600
_XGBOOST_GRID: tuple[dict[str, float], ...] = ({"max_depth": 4, "eta": 0.1}, {"max_depth": 6, "eta": 0.05})
_ROUNDS = "rounds"
_LR_ITERATIONS = 60
_LR_STRENGTHS = (0.003, 0.03)  # the inverse of the penalty
_TUNING_SEED = 0


def tuned_xgboost(day: HeldOutDay) -> list[dict[str, float]]:
    """Depth, rate and rounds per objective: the best on held-out viewers of the training days."""
    held_out = day.validation
    features, labels = _with_dense(day, day.train), day.train.labels
    fitted = xgb.QuantileDMatrix(features[~held_out])
    validation = xgb.QuantileDMatrix(features[held_out], ref=fitted)
    chosen = []
    for index in range(labels.shape[1]):
        fitted.set_label(labels[~held_out, index])
        validation.set_label(labels[held_out, index])
        tried = []
        for parameters in _XGBOOST_GRID:
            booster = xgb.train(
                _xgboost_parameters(parameters, _TUNING_SEED),
                fitted,
                _XGBOOST_ROUNDS,
                evals=[(validation, "validation")],
                early_stopping_rounds=20,
                verbose_eval=False,
            )
            tried.append((booster.best_score, {**parameters, _ROUNDS: booster.best_iteration + 1}))
        chosen.append(min(tried, key=lambda found: found[0])[1])
    return chosen


def xgboost_per_objective(day: HeldOutDay, seed: int, tuned: list[dict[str, float]]) -> Probabilities:
    """One XGBoost model per objective, on the forest's features and the dense embeddings."""
    train = xgb.QuantileDMatrix(_with_dense(day, day.train))
    test = xgb.DMatrix(_with_dense(day, day.test))
    columns = []
    for labels, settings in zip(day.train.labels.T, tuned, strict=True):
        train.set_label(labels)
        parameters = {name: value for name, value in settings.items() if name != _ROUNDS}
        booster = xgb.train(_xgboost_parameters(parameters, seed), train, int(settings[_ROUNDS]))
        columns.append(booster.predict(test))
    return np.stack(columns, axis=1)


def _xgboost_parameters(parameters: dict[str, float], seed: int) -> dict[str, Any]:
    return {
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "min_child_weight": 5,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "seed": seed,
        **parameters,
    }


def tuned_former_setup(day: HeldOutDay) -> list[float]:
    """The inverse of the penalty per objective: the best on held-out viewers of the training days."""
    train, _ = _former_inputs(day, _TUNING_SEED)
    held_out = day.validation
    fitted, validation = train[~held_out], train[held_out]
    chosen = []
    for labels in day.train.labels.T:
        tried = []
        for strength in _LR_STRENGTHS:
            model = _regression(strength).fit(fitted, labels[~held_out])
            tried.append((_log_loss(labels[held_out], model.predict_proba(validation)[:, 1]), strength))
        chosen.append(min(tried)[1])
    return chosen


def former_setup(day: HeldOutDay, seed: int, tuned: list[float]) -> Probabilities:
    """A logistic regression per objective on the leaves of a superset-objective forest and the numeric features.

    LinkedIn's model before the networks.
    """
    train, test = _former_inputs(day, seed)
    columns = [
        _regression(strength).fit(train, labels).predict_proba(test)[:, 1]
        for labels, strength in zip(day.train.labels.T, tuned, strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _former_inputs(day: HeldOutDay, seed: int) -> tuple[scipy.sparse.csr_matrix, scipy.sparse.csr_matrix]:
    """Inputs for the training rows and for the held-out day."""
    config = replace(day.config.forest, target="any", trees=300)
    forest, (train, test) = grown_forest(day, config, seed)
    return _one_hot(forest, train, day.train), _one_hot(forest, test, day.test)


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=_LR_ITERATIONS)


def _with_dense(day: HeldOutDay, rows: Rows) -> NDArray[np.float32]:
    dense = [rows.towers[feature.name] for feature in day.config.features.dense]
    return np.concatenate([rows.features, *dense], axis=1)


def _one_hot(forest: Forest, leaves: NDArray[np.int32], rows: Rows) -> scipy.sparse.csr_matrix:
    """The leaves as 0/1 columns, and the normalised numeric features."""
    ends = np.arange(len(leaves) + 1) * forest.trees
    hot = scipy.sparse.csr_matrix(
        (np.ones(leaves.size, np.float32), leaves.reshape(-1), ends), shape=(len(leaves), forest.leaves)
    )
    # Columns of other types than float are codes, not numbers.
    dense = [scipy.sparse.csr_matrix(values) for values in rows.towers.values() if values.dtype.kind == "f"]
    return scipy.sparse.hstack([hot, *dense], format="csr")


def _log_loss(labels: NDArray[np.float32], p: NDArray[np.float64]) -> float:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0, np.log(p), np.log1p(-p))))
