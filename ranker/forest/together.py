"""Collective operations for workers that grow one forest together. In a single process they change nothing.

XGBoost shares gradient histograms and its own metrics among the workers. Every other decision about the training has to
be the same on all workers; otherwise they deadlock.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from xgboost import collective


class OtherShareError(ValueError):
    """Another worker cannot use its share of the rows; the error on that worker says why."""


def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The element-wise sum over all workers."""
    summed: NDArray[np.float64] = collective.allreduce(np.asarray(values, np.float64), collective.Op.SUM)
    return summed


def least(value: int) -> int:
    """The minimum over all workers."""
    return int(collective.allreduce(np.asarray([value], np.int64), collective.Op.MIN)[0])


@contextmanager
def all_or_none() -> Iterator[None]:
    """Lets the workers continue after the block only if it succeeded on all of them.

    Raises:
        OtherShareError: the block succeeded on this worker and failed on another.
    """
    try:
        yield
    except Exception:  # after any error, the other workers must not wait for this one
        least(0)
        raise
    if least(1) == 0:
        raise OtherShareError("forest: the rows of another worker cannot be used")
