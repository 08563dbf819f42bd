"""Numba's compiler with its cache on disk where there is a place for one."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function on its first call, without the interpreter's lock around its calls.

    What was compiled is kept beside the source or in the user's cache folder, which saves the next process a second.
    Where neither can be written to, as in some containers, each process compiles for itself.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)
