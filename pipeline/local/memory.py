"""The memory of this process while something runs."""

import resource
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_SIZES = Path("/proc/self/statm")  # numbers of pages; the second is that of the resident ones
_SECONDS = 0.1


class PeakMemory:
    """Looks at the resident memory of this process ten times a second, from the beginning of `with` to its end.

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
        self._look()
        if self.bytes is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._look()

    def _look(self) -> None:
        found = _resident_bytes()
        if found is not None:
            self.bytes = max(self.bytes or 0, found)


def _resident_bytes() -> int | None:
    """None where the system does not tell: what is measured must not depend on it."""
    try:
        return int(_SIZES.read_bytes().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
