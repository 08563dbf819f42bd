"""What the workers that grow one forest together have to agree on. A process on its own agrees with itself.

XGBoost shares gradients' histograms and its own metrics among the workers. Everything else that decides about the
training has to be the same for all of them, or they wait for each other for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from xgboost import collective


class OtherShareError(ValueError):
    """Another worker cannot use its share of the rows; that one's own error says why."""


def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over the workers, element by element."""
    summed: NDArray[np.float64] = collective.allreduce(np.asarray(values, np.float64), collective.Op.SUM)
    return summed


def least(value: int) -> int:
    """The least over the workers."""
    return int(collective.allreduce(np.asarray([value], np.int64), collective.Op.MIN)[0])


@contextmanager
def all_or_none() -> Iterator[None]:
    """Lets the workers go on behind the block only if all of them got through it.

    Raises:
        OtherShareError: this one did, and another did not.
    """
    try:
        yield
    except Exception:  # whatever it is, the others must not wait for this worker
        least(0)
        raise
    if least(1) == 0:
        raise OtherShareError("forest: the rows of another worker cannot be used")
