"""Progress of long work, reported through `logging`: a terminal can draw it, elsewhere it is a plain line.

Executors may run without a terminal. They report through one logger. A program with a terminal attaches a handler to
this logger and reads `record.progress`.
"""

import logging
import time
from dataclasses import dataclass

LOGGER_NAME = "ranker.progress"


@dataclass(frozen=True)
class Progress:
    """The progress of one piece of work: `done` of `total` units, and a short detail such as the latest loss."""

    what: str
    done: int
    total: int
    detail: str = ""


class ProgressReporter:
    """Reports the progress of one piece of work, at most once per `every_s` seconds and always at the end.

    Args:
        what: a short description of the work ("growing the forest").
        total: units of work.
        every_s: minimum seconds between two reports.
    """

    def __init__(self, what: str, total: int, every_s: float = 0.5) -> None:
        self._what = what
        self._total = total
        self._every_s = every_s
        self._logger = logging.getLogger(LOGGER_NAME)
        self._last = float("-inf")

    def update(self, done: int, detail: str = "") -> None:
        """Reports that `done` units are done."""
        now = time.monotonic()
        if done < self._total and now - self._last < self._every_s:
            return
        self._last = now
        progress = Progress(self._what, done, self._total, detail)
        text = f"{self._what}: {done} of {self._total}" + (f", {detail}" if detail else "")
        self._logger.info(text, extra={"progress": progress})
