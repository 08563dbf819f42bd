"""Imports of large libraries without garbage collection."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """While the block imports, no garbage is collected; what is there afterwards is not looked at again.

    TensorFlow and TFX make nearly a million objects, which live as long as the process. Every full collection would go
    through them.

    Only for a command line.

    Example:
        with lasting_imports():
            from pipeline.local.displayed_run import run_displayed
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
