"""The memory of the process while something runs."""

import sys
import time
from pathlib import Path

import pytest

from pipeline.local.memory import PeakMemory

MIB = 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the resident memory is read from Linux's /proc")
def test_memory_that_was_released_counts_while_it_was_there() -> None:
    with PeakMemory() as before:
        pass
    with PeakMemory() as during:
        large = b"x" * (200 * MIB)
        time.sleep(0.3)
        del large
    with PeakMemory() as after:
        pass
    assert before.bytes is not None
    assert during.bytes is not None
    assert after.bytes is not None
    assert during.bytes > before.bytes + 150 * MIB
    assert after.bytes < during.bytes - 150 * MIB


@pytest.mark.parametrize("content", [None, b"", b"7", b"\xff \xff"])
def test_where_the_system_does_not_tell_nothing_else_changes(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "statm"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr("pipeline.local.memory._SIZES", file)
    memory = PeakMemory()
    with pytest.raises(KeyError, match="its own"), memory:
        raise KeyError("its own")
    assert memory.bytes is None
