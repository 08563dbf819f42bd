"""Rows with entities whose effects are known, and a solver to compare with."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from ranker.effects.rows import RowFile, RowShape


def row_file(folder: Path, ids: Any, x: Any, y: Any, offset: Any) -> RowFile:
    """A file of rows from arrays [rows, …]."""
    ids, x, y, offset = (np.asarray(array) for array in (ids, x, y, offset))
    shape = RowShape(ids.shape[1], x.shape[1], y.shape[1])
    file = RowFile(folder / "rows", shape)
    for start in range(0, len(ids), 7):  # in parts, as rows arrive
        part = slice(start, start + 7)
        file.append(shape.rows(ids[part], x[part], y[part], offset[part]))
    return file


def most_probable(x: Any, y: Any, offset: Any, mean: Any, variance: Any) -> NDArray[np.float64]:
    """The coefficients of one logistic regression with an offset and a Gaussian prior, by scipy."""

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = offset + x @ coefficients
        away = coefficients - mean
        value = (np.logaddexp(0, z) - y * z).sum() + 0.5 * (away**2 / variance).sum()
        return value, x.T @ (expit(z) - y) + away / variance

    found = minimize(loss, np.array(mean, float), jac=True, method="BFGS", options={"gtol": 1e-10})
    coefficients = np.array(found.x)
    for _ in range(5):  # BFGS stops a little early
        p = expit(offset + x @ coefficients)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(1 / np.asarray(variance))
        coefficients -= np.linalg.solve(hessian, loss(coefficients)[1])
    return coefficients
