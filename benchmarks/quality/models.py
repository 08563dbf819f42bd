"""What is compared: each model is a function from a held-out day and a seed to probabilities [test rows, objectives].

All read the same features; those with leaves, but for the former setup, read the same forest.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import scipy.sparse
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.quality.experts.models import mmoe, ple
from benchmarks.quality.rows import HeldOutDay, Rows
from benchmarks.quality.towers import tower_logits
from pipeline.config import Forest as ForestConfig
from pipeline.config import Training
from ranker import keys
from ranker.forest.model import Forest
from ranker.forest.train import train_forest
from ranker.forest.traverse import Traversal

Probabilities = NDArray[np.float32]
Model = Callable[[HeldOutDay, int], Probabilities]

_XGBOOST_ROUNDS = 600
_XGBOOST_GRID = ({"max_depth": 4, "eta": 0.1}, {"max_depth": 6, "eta": 0.05})
_LR_ITERATIONS = 60
_LR_STRENGTHS = (0.003, 0.03)  # the inverse of the penalty


def ours(day: HeldOutDay, seed: int) -> Probabilities:
    """The configured model, as the pipeline trains and serves it."""
    forest, leaves = _forest(day, day.config.forest, seed)
    share = day.config.towers.forest_share
    towers = tower_logits(day, day.config.towers, day.config.training, day.config.objectives, forest, leaves, seed)
    return _sigmoid((1 - share) * towers + share * forest.margins(leaves[1]))


def towers_alone(day: HeldOutDay, seed: int) -> Probabilities:
    """Two towers on the forest's leaves, and nothing of the forest's own prediction: the source's final model."""
    forest, leaves = _forest(day, day.config.forest, seed)
    training = _untaught(day)
    return _sigmoid(tower_logits(day, day.config.towers, training, day.config.objectives, forest, leaves, seed))


def joint_network(day: HeldOutDay, seed: int) -> Probabilities:
    """One tower for all objectives: the source's first attempt."""
    forest, leaves = _forest(day, day.config.forest, seed)
    towers = replace(day.config.towers, shared=True)
    return _sigmoid(tower_logits(day, towers, _untaught(day), day.config.objectives, forest, leaves, seed))


def network_per_objective(day: HeldOutDay, seed: int) -> Probabilities:
    """A network of its own for each objective, on the same leaves."""
    forest, leaves = _forest(day, day.config.forest, seed)
    logits = [
        tower_logits(_only(day, index), day.config.towers, _untaught(day), (objective,), forest, leaves, seed)
        for index, objective in enumerate(day.config.objectives)
    ]
    return _sigmoid(np.concatenate(logits, axis=1))


def xgboost_per_objective(day: HeldOutDay, seed: int) -> Probabilities:
    """XGBoost for each objective alone; depth, rate and rounds are chosen on held-out viewers of the training days."""
    held_out = day.validation
    features, labels = day.train.features, day.train.labels
    train = xgb.QuantileDMatrix(features[~held_out])
    validation = xgb.QuantileDMatrix(features[held_out], ref=train)
    test = xgb.DMatrix(day.test.features)
    columns = []
    for index in range(labels.shape[1]):
        train.set_label(labels[~held_out, index])
        validation.set_label(labels[held_out, index])
        boosters = [
            xgb.train(
                {
                    "objective": "binary:logistic",
                    "eval_metric": "logloss",
                    "min_child_weight": 5,
                    "subsample": 0.8,
                    "colsample_bytree": 0.8,
                    "seed": seed,
                    **parameters,
                },
                train,
                _XGBOOST_ROUNDS,
                evals=[(validation, "validation")],
                early_stopping_rounds=20,
                verbose_eval=False,
            )
            for parameters in _XGBOOST_GRID
        ]
        best = min(boosters, key=lambda booster: booster.best_score)
        columns.append(best.predict(test, iteration_range=(0, best.best_iteration + 1)))
    return np.stack(columns, axis=1)


def former_setup(day: HeldOutDay, seed: int) -> Probabilities:
    """A logistic regression for each objective on the leaves of a superset-objective forest and the numeric features.

    What LinkedIn ran before the networks. The penalty is chosen on held-out viewers of the training days.
    """
    config = replace(day.config.forest, target="any", trees=300)
    forest, leaves = _forest(day, config, seed)
    train, test = (_one_hot(forest, found, rows) for found, rows in zip(leaves, (day.train, day.test), strict=True))
    held_out = day.validation
    columns = []
    for index in range(day.train.labels.shape[1]):
        labels = day.train.labels[:, index]
        fitted = [
            LogisticRegression(C=strength, max_iter=_LR_ITERATIONS).fit(train[~held_out], labels[~held_out])
            for strength in _LR_STRENGTHS
        ]
        losses = [_log_loss(labels[held_out], model.predict_proba(train[held_out])[:, 1]) for model in fitted]
        columns.append(fitted[int(np.argmin(losses))].predict_proba(test)[:, 1])
    return np.stack(columns, axis=1).astype(np.float32)


MODELS: dict[str, Model] = {
    "ours": ours,
    "two towers alone": towers_alone,
    "joint network": joint_network,
    "network per objective": network_per_objective,
    "XGBoost per objective": xgboost_per_objective,
    "LR on leaves": former_setup,
    "MMoE": mmoe,
    "PLE": ple,
}


@lru_cache(maxsize=2)
def _forest(
    day: HeldOutDay, config: ForestConfig, seed: int
) -> tuple[Forest, tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """The forest and the leaves of the train and test rows; the models of one day and seed share it."""
    names, objectives = day.config.features.forest_names, day.config.objective_names
    forest, _ = train_forest(day.train.batches(), replace(config, seed=seed), names, objectives)
    traversal = Traversal(forest)
    return forest, (traversal(day.train.features).astype(np.int32), traversal(day.test.features).astype(np.int32))


def _untaught(day: HeldOutDay) -> Training:
    """The config's training on what happened alone."""
    return replace(day.config.training, distillation=0.0)


def _only(day: HeldOutDay, index: int) -> HeldOutDay:
    train = replace(day.train, labels=day.train.labels[:, index : index + 1])
    return replace(day, train=train)


def _one_hot(forest: Forest, leaves: NDArray[np.int32], rows: Rows) -> scipy.sparse.csr_matrix:
    """The leaves as 0/1 columns, and the normalised numeric features beside them."""
    ends = np.arange(len(leaves) + 1) * forest.trees
    hot = scipy.sparse.csr_matrix(
        (np.ones(leaves.size, np.float32), leaves.reshape(-1), ends), shape=(len(leaves), forest.leaves)
    )
    # Keys of a calibration by a feature are codes and no numbers.
    dense = [scipy.sparse.csr_matrix(x) for name, x in rows.towers.items() if name != keys.CALIBRATION_KEY]
    return scipy.sparse.hstack([hot, *dense], format="csr")


def _log_loss(labels: NDArray[np.float32], p: NDArray[np.float64]) -> float:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0, np.log(p), np.log1p(-p))))


def _sigmoid(logits: NDArray[np.float32]) -> Probabilities:
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
