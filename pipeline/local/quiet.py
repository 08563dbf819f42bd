"""Redirects the output of libraries to a file, so that the terminal shows only ours."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from ranker.command_line import make_console
from ranker.plain_text import without_secrets


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
        logging.basicConfig(level=logging.INFO, stream=file, force=True)
        _set_format()
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
    logging.basicConfig(level=logging.INFO, force=True)
    _set_format()
    yield make_console()


class _WithoutSecrets(logging.Formatter):
    """TFX logs the parameters of every component, and URIs may have secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _set_format() -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname).1s %(name)s %(message)s"))
