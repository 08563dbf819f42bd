"""The peak memory of a process."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peak_memory import measure_process

MIB = 1 << 20


@pytest.mark.slow
def test_a_peak_is_the_processs_own_however_large_its_parent_is(tmp_path: Path) -> None:
    ballast = np.ones(400 * MIB, np.uint8)

    small = measure_process([sys.executable, "-c", "print('hello')"], tmp_path / "small.log")
    large = measure_process([sys.executable, "-c", f"print(len(b'x' * {300 * MIB}))"], tmp_path / "large.log")

    assert ballast.sum() == 400 * MIB
    assert small.peak_bytes < 200 * MIB
    assert 300 * MIB <= large.peak_bytes < small.peak_bytes + 310 * MIB
    assert (tmp_path / "small.log").read_text() == "hello\n"


def test_a_failed_process_is_told_by_its_status(tmp_path: Path) -> None:
    assert measure_process([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log").status == 3
