"""The memory of this process while something runs."""

import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_STATUS = Path("/proc/self/status")
_RESIDENT = "VmRSS:"
_SECONDS = 0.1


class PeakMemory:
    """Looks at the resident memory of this process ten times a second, from `with` to its end.

    Attributes:
        bytes: the largest found; None where the system does not tell, which is anywhere but on Linux.

    Example:
        >>> with PeakMemory() as memory:
        ...     zeros = bytes(1000)
        >>> memory.bytes is None or memory.bytes > 1000
        True
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> Self:
        if sys.platform == "linux":
            self._look()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform == "linux":
            self._ended.set()
            self._thread.join()
            self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes or 0, _resident_bytes())


def _resident_bytes() -> int:
    [kib] = [line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith(_RESIDENT)]
    return int(kib) * 1024
