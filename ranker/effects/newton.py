"""Newton's method for many small logistic regressions at once, each with an offset and a Gaussian prior.

A batch of entities is one array [entities, rows, inputs], padded to the same number of rows. One step solves a stack of
linear systems [entities, inputs, inputs]. Entities do not influence each other: one that has converged stays as it is,
so the result of an entity does not depend on the batch that it is in.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_STEPS = 100
_TOLERANCE = 1e-8
"""Of the largest change of a coefficient. Convergence is quadratic, so the error after such a step is far smaller."""
_DECREASE = 1e-4
"""Share of the decrease predicted by the gradient that a step has to reach (Armijo's rule)."""
_SHORTEST = 2.0**-40


_TOO_LARGE = (
    "effects: a step of Newton's method does not improve, as the inputs are too large; look for embeddings that are "
    "far longer than those of the days before"
)


class NotConvergedError(RuntimeError):
    """Newton's method did not converge, as the numbers are too large."""


@contextmanager
def _solvable() -> Iterator[None]:
    """Very large inputs make a Hessian singular in floating point."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise NotConvergedError(_TOO_LARGE) from error


@dataclass(frozen=True)
class Likelihood:
    """The negative log-likelihood of each entity at some coefficients, without the prior.

    Attributes:
        value: [entities].
        gradient: [entities, inputs].
        hessian: [entities, inputs, inputs].
    """

    value: Floats
    gradient: Floats
    hessian: Floats


@dataclass(frozen=True)
class Fit:
    """The most probable coefficients, and the diagonal of the inverse Hessian there (Laplace's approximation).

    Attributes:
        mean: [entities, inputs].
        variance: [entities, inputs].
    """

    mean: Floats
    variance: Floats


def likelihood(x: Floats, y: Floats, offset: Floats, weight: Floats, coefficients: Floats) -> Likelihood:
    """The likelihood of a padded batch.

    Args:
        x: [entities, rows, inputs].
        y: [entities, rows], 0 or 1.
        offset: [entities, rows], the log-odds at coefficients of 0.
        weight: [entities, rows], 0 for padding.
        coefficients: [entities, inputs].
    """
    z = offset + (x @ coefficients[:, :, None])[:, :, 0]
    small = np.exp(-np.abs(z))
    p = np.where(z >= 0, 1.0, small) / (1.0 + small)
    value = (weight * (np.maximum(z, 0.0) - y * z + np.log1p(small))).sum(axis=1)
    gradient = ((weight * (p - y))[:, None, :] @ x)[:, 0, :]
    curvature = weight * small / (1.0 + small) ** 2
    hessian = (x * curvature[:, :, None]).transpose(0, 2, 1) @ x
    return Likelihood(value, gradient, hessian)


def summed(parts: Iterable[Likelihood]) -> Likelihood:
    """The likelihood of all rows from that of disjoint parts of them."""
    first, *others = parts
    value, gradient, hessian = first.value.copy(), first.gradient.copy(), first.hessian.copy()
    for part in others:
        value += part.value
        gradient += part.gradient
        hessian += part.hessian
    return Likelihood(value, gradient, hessian)


def fit(evaluate: Callable[[Floats], Likelihood], mean: Floats, variance: Floats) -> Fit:
    """Minimises the negative log-posterior of every entity.

    Args:
        evaluate: coefficients [entities, inputs] → their likelihood.
        mean, variance: [entities, inputs], of the Gaussian priors.

    Raises:
        NotConvergedError: an entity did not converge.
    """
    precision = 1.0 / variance
    diagonal = np.arange(mean.shape[1])

    def posterior(coefficients: Floats) -> Likelihood:
        found = evaluate(coefficients)
        away = coefficients - mean
        found.hessian[:, diagonal, diagonal] += precision
        return Likelihood(
            found.value + 0.5 * (precision * away**2).sum(axis=1), found.gradient + precision * away, found.hessian
        )

    coefficients = mean.copy()
    here = posterior(coefficients)
    running = np.ones(len(mean), bool)
    for _ in range(MAX_STEPS):
        with _solvable():
            step = np.linalg.solve(here.hessian, here.gradient[:, :, None])[:, :, 0]
        step[~running] = 0.0
        decrease = (here.gradient * step).sum(axis=1)
        share = np.ones(len(mean))
        # What rounding alone may add to a sum of many terms.
        slack = 1e-11 * (1.0 + np.abs(here.value))
        while True:
            there = posterior(coefficients - share[:, None] * step)
            too_long = ~(there.value <= here.value - _DECREASE * share * decrease + slack)
            if not too_long.any():
                break
            share[too_long] /= 2
            if share.min() < _SHORTEST:
                raise NotConvergedError(_TOO_LARGE)
        coefficients = coefficients - share[:, None] * step
        here = there
        running &= np.abs(share[:, None] * step).max(axis=1) > _TOLERANCE
        if not running.any():
            with _solvable():
                variance_here = np.linalg.inv(here.hessian)[:, diagonal, diagonal].astype(np.float64)
            return Fit(coefficients, variance_here)
    raise NotConvergedError(f"effects: {int(running.sum())} entities did not converge in {MAX_STEPS} steps")
