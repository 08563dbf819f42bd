"""What a feed team would run without a network: XGBoost for each objective, or logistic regressions on leaves."""

from dataclasses import replace

import numpy as np
import scipy.sparse
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.quality.encoded import grown_forest
from benchmarks.quality.rows import HeldOutDay, Probabilities, Rows
from ranker.forest.model import Forest

_XGBOOST_ROUNDS = 600
_GRID: tuple[dict[str, float], ...] = ({"max_depth": 4, "eta": 0.1}, {"max_depth": 6, "eta": 0.05})
_LR_ITERATIONS = 60
_LR_STRENGTHS = (0.003, 0.03)  # the inverse of the penalty


def xgboost_per_objective(day: HeldOutDay, seed: int) -> Probabilities:
    """XGBoost for each objective alone, on the forest's features and the dense embeddings.

    Depth, rate and rounds are chosen on held-out viewers of the training days; then all of them are trained on.
    """
    held_out = day.validation
    features, labels = _with_dense(day, day.train), day.train.labels
    fitted = xgb.QuantileDMatrix(features[~held_out])
    validation = xgb.QuantileDMatrix(features[held_out], ref=fitted)
    everything = xgb.QuantileDMatrix(features)
    test = xgb.DMatrix(_with_dense(day, day.test))
    columns = []
    for index in range(labels.shape[1]):
        fitted.set_label(labels[~held_out, index])
        validation.set_label(labels[held_out, index])
        everything.set_label(labels[:, index])
        tried = [(_boosted(fitted, parameters, seed, _XGBOOST_ROUNDS, validation), parameters) for parameters in _GRID]
        best, parameters = min(tried, key=lambda found: found[0].best_score)
        columns.append(_boosted(everything, parameters, seed, best.best_iteration + 1).predict(test))
    return np.stack(columns, axis=1)


def _boosted(
    rows: xgb.DMatrix, parameters: dict[str, float], seed: int, rounds: int, validation: xgb.DMatrix | None = None
) -> xgb.Booster:
    """All rounds, or until those of the validation rows get no better."""
    return xgb.train(
        {
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "min_child_weight": 5,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "seed": seed,
            **parameters,
        },
        rows,
        rounds,
        evals=[(validation, "validation")] if validation is not None else (),
        early_stopping_rounds=20 if validation is not None else None,
        verbose_eval=False,
    )


def former_setup(day: HeldOutDay, seed: int) -> Probabilities:
    """A logistic regression for each objective on the leaves of a superset-objective forest and the numeric features.

    What LinkedIn ran before the networks. The penalty is chosen on held-out viewers of the training days; then all of
    them are trained on.
    """
    config = replace(day.config.forest, target="any", trees=300)
    forest, leaves = grown_forest(day, config, seed)
    train, test = (_one_hot(forest, found, rows) for found, rows in zip(leaves, (day.train, day.test), strict=True))
    held_out = day.validation
    fitted, validation = train[~held_out], train[held_out]
    columns = []
    for index in range(day.train.labels.shape[1]):
        labels = day.train.labels[:, index]

        def loss(strength: float, labels: NDArray[np.float32] = labels) -> float:
            model = _regression(strength).fit(fitted, labels[~held_out])
            return _log_loss(labels[held_out], model.predict_proba(validation)[:, 1])

        best = _regression(min(_LR_STRENGTHS, key=loss)).fit(train, labels)
        columns.append(best.predict_proba(test)[:, 1])
    return np.stack(columns, axis=1).astype(np.float32)


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=_LR_ITERATIONS)


def _with_dense(day: HeldOutDay, rows: Rows) -> NDArray[np.float32]:
    dense = [rows.towers[feature.name] for feature in day.config.features.dense]
    return np.concatenate([rows.features, *dense], axis=1)


def _one_hot(forest: Forest, leaves: NDArray[np.int32], rows: Rows) -> scipy.sparse.csr_matrix:
    """The leaves as 0/1 columns, and the normalised numeric features beside them."""
    ends = np.arange(len(leaves) + 1) * forest.trees
    hot = scipy.sparse.csr_matrix(
        (np.ones(leaves.size, np.float32), leaves.reshape(-1), ends), shape=(len(leaves), forest.leaves)
    )
    # What is no float is a code and no number.
    dense = [scipy.sparse.csr_matrix(values) for values in rows.towers.values() if values.dtype.kind == "f"]
    return scipy.sparse.hstack([hot, *dense], format="csr")


def _log_loss(labels: NDArray[np.float32], p: NDArray[np.float64]) -> float:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0, np.log(p), np.log1p(-p))))
