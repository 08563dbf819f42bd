"""Logistic loss of outputs whose labels are observed for some rows only.

XGBoost weights a row for all outputs together. So where labels have gaps, its gradients are computed here: those of a
label that was not observed are 0, and the output learns nothing from the row.
"""

from collections.abc import Callable

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.together import total

NOT_OBSERVED = -1.0
"""The label in a matrix of an outcome that was not observed."""

_SMALLEST = 1e-7

Gradients = tuple[NDArray[np.float32], NDArray[np.float32]]


def masked_logistic(margins: NDArray[np.float32], matrix: xgb.DMatrix) -> Gradients:
    """Gradients and hessians of the weighted logistic loss; each has the shape of the margins, [rows, outputs].

    Where every label is observed, they are those of XGBoost's own `binary:logistic`.
    """
    margins = margins.reshape(matrix.num_row(), -1)
    labels = matrix.get_label().reshape(margins.shape)
    weights = weights_of(matrix, labels)
    probability = 1.0 / (1.0 + np.exp(-margins))
    return (
        (weights * (probability - labels)).astype(np.float32),
        (weights * np.maximum(probability * (1.0 - probability), 1e-16)).astype(np.float32),
    )


def weights_of(matrix: xgb.DMatrix, labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight of each row for each output, 0 where its label was not observed, [rows, outputs]."""
    of_rows = matrix.get_weight()
    weights = of_rows[:, None] if len(of_rows) else np.ones((len(labels), 1), np.float32)
    return np.where(labels == NOT_OBSERVED, np.float32(0.0), weights)


def log_losses(predicted: NDArray[np.floating], matrix: xgb.DMatrix) -> NDArray[np.float64]:
    """The mean log loss of each output over the rows of all workers with its label, [outputs]; NaN without such a row.

    Args:
        predicted: probabilities [rows, outputs].
        matrix: with labels and weights.
    """
    p = np.clip(predicted.astype(np.float64), _SMALLEST, 1 - _SMALLEST).reshape(matrix.num_row(), -1)
    labels = matrix.get_label().reshape(p.shape)
    weights = weights_of(matrix, labels)
    losses = -np.where(labels > 0, np.log(p), np.log1p(-p)) * weights
    sums = total(np.append(losses.sum(axis=0), weights.sum(axis=0, dtype=np.float64))).reshape(2, -1)
    means: NDArray[np.float64] = np.divide(sums[0], sums[1], out=np.full_like(sums[0], np.nan), where=sums[1] > 0)
    return means


def mean_log_loss(predicted: NDArray[np.float32], matrix: xgb.DMatrix) -> list[tuple[str, float]]:
    """A custom XGBoost metric of the name of its own `logloss`: the mean over the outputs with an observed label.

    NaN where no output has one.
    """
    margins = predicted.astype(np.float64)
    losses = log_losses(1.0 / (1.0 + np.exp(-margins)), matrix)
    defined = losses[~np.isnan(losses)]
    return [("logloss", float(defined.mean()) if len(defined) else float("nan"))]


Metric = Callable[[NDArray[np.float32], xgb.DMatrix], list[tuple[str, float]]]


def together(*metrics: Metric | None) -> Metric:
    """One custom metric of several; predictions are log-odds under a custom objective, and stay what they are."""
    return lambda predicted, matrix: [found for metric in metrics if metric for found in metric(predicted, matrix)]
