"""Sending everything that libraries print to a file, while the terminal stays ours."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


@contextmanager
def output_to_file(log: Path) -> Iterator[Console]:
    """Points standard output and standard error, the C++ libraries' included, and all logging at `log`.

    Yields:
        A console on what was standard output before.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("a", buffering=1) as file, os.fdopen(os.dup(1), "w", errors="replace") as terminal:
        # C++ writes to the descriptors themselves, so replacing sys.stderr would not catch it.
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s", stream=file, force=True
        )
        try:
            yield Console(file=terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            logging.basicConfig(level=logging.WARNING, force=True)
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


@contextmanager
def output_to_terminal() -> Iterator[Console]:
    """Lets everything through to the terminal, for `--verbose`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s", force=True)
    yield Console()
