"""Progress of long work, told through `logging`: a terminal can draw it, elsewhere it is a plain line.

Executors run where there may be no terminal. They report through one logger, and whoever owns a terminal attaches a
handler to it and reads `record.progress`.
"""

import logging
import time
from dataclasses import dataclass

LOGGER_NAME = "ranker.progress"


@dataclass(frozen=True)
class Progress:
    """How far one piece of work is: `done` of `total` units, and a few words such as the latest loss."""

    what: str
    done: int
    total: int
    detail: str = ""


class ProgressReporter:
    """Reports the progress of one piece of work, at most once per `every_s` seconds and always at the end.

    Args:
        what: what is being done, in a few words ("growing the forest").
        total: units of work in all.
        every_s: least seconds between two reports.
    """

    def __init__(self, what: str, total: int, every_s: float = 0.5) -> None:
        self._what = what
        self._total = total
        self._every_s = every_s
        self._logger = logging.getLogger(LOGGER_NAME)
        self._last = float("-inf")

    def update(self, done: int, detail: str = "") -> None:
        """Reports that `done` units are finished."""
        now = time.monotonic()
        if done < self._total and now - self._last < self._every_s:
            return
        self._last = now
        progress = Progress(self._what, done, self._total, detail)
        text = f"{self._what}: {done} of {self._total}" + (f", {detail}" if detail else "")
        self._logger.info(text, extra={"progress": progress})
