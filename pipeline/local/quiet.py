"""Redirects the output of libraries to a file, so that the terminal shows only ours."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from ranker.command_line import make_console


@contextmanager
def output_to_file(log: Path) -> Iterator[Console]:
    """Redirects standard output and standard error, including that of C++ libraries, and all logging to `log`.

    Yields:
        A console on the original standard output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("a", buffering=1) as file, os.fdopen(os.dup(1), "w", errors="replace") as terminal:
        # C++ writes to the file descriptors, so replacing sys.stderr would not redirect it.
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s", stream=file, force=True
        )
        try:
            yield make_console(terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            logging.basicConfig(level=logging.WARNING, force=True)
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


@contextmanager
def output_to_terminal() -> Iterator[Console]:
    """Sends everything to the terminal, for `--verbose`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s", force=True)
    yield make_console()
