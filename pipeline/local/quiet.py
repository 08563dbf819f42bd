"""Redirects the output of libraries to a file, so that the terminal shows only ours."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console

from ranker.command_line import make_console, print_last
from ranker.plain_text import without_secrets


class _Unfailing(io.TextIOWrapper):
    """Text for the reader. What cannot be written, as the reader has gone or the disk is full, is dropped: a training
    does not end for it, and its exit status says the outcome.
    """

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


@contextmanager
def output_to_file(log: Path) -> Iterator[Console]:
    """Redirects standard output and standard error, including that of C++ libraries, and all logging to `log`.

    A log that cannot be written to the end, as the disk is full, changes nothing but that a warning says so.

    Yields:
        A console on the original standard output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    problems: list[OSError] = []
    file = log.open("a", buffering=1)
    try:
        with _terminal() as terminal:
            # C++ writes to the file descriptors, so replacing sys.stderr would not redirect it.
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            logging.basicConfig(level=logging.INFO, stream=file, force=True)
            _set_format()
            yield make_console(terminal)
    finally:
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
            problems += _flush(stream, descriptor)
        logging.basicConfig(level=logging.WARNING, force=True)
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
        try:
            file.close()
        except OSError as error:
            problems.append(error)
        if problems:
            print_last(f"warning: {log}: the log is incomplete: {problems[0].strerror}")


def _flush(stream: IO[str], descriptor: int) -> list[OSError]:
    """Writes what a stream still holds to the descriptor, or drops it where that fails; returns why it failed."""
    try:
        stream.flush()
    except OSError as error:
        # Otherwise it would be written to the terminal later.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        stream.flush()
        return [error]
    return []


@contextmanager
def output_to_terminal() -> Iterator[Console]:
    """Sends everything to the terminal, for `--verbose`."""
    logging.basicConfig(level=logging.INFO, force=True)
    _set_format()
    with _terminal() as terminal:
        yield make_console(terminal)


def _terminal() -> IO[str]:
    """The present standard output, also after that is redirected."""
    return _Unfailing(os.fdopen(os.dup(1), "wb"), errors="replace")


class _WithoutSecrets(logging.Formatter):
    """TFX logs the parameters of every component, and URIs may have secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _set_format() -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname).1s %(name)s %(message)s"))
