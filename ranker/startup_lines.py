"""What TensorFlow says while it starts, about instructions and devices, kept off the terminal."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STARTUP_LINE = re.compile(
    # Notes and warnings, as absl writes them and as TensorFlow did before; errors begin with E or F, or are Python's.
    r"[IW]\d{4} \d\d:\d\d:\d+\.\d+ "
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    r"|WARNING: All log messages before absl::InitializeLog"
    r"|To enable the following instructions:"
)
"""The beginning of a line that is not shown."""

_SECONDS_TO_END = 1.0
_GPU_DRIVER = Path("/proc/driver/nvidia/version")

_FILTER = """\
import re, sys
startup_line = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not startup_line.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@contextmanager
def without_startup_lines(inherited: bool = False) -> Iterator[None]:
    """While the block imports TensorFlow, its start-up lines are not shown; everything else is, errors too.

    TensorFlow writes some lines before it reads a level, and to the file descriptor. So a second process filters what
    is written there. It outlives this one: where the CPU lacks an instruction, an error in the last line says so.
    Afterwards, unless the user has set `TF_CPP_MIN_LOG_LEVEL`, TensorFlow logs errors where there is a GPU, as they say
    what is wrong with it. Without one it logs nothing: what it then calls errors are notes, that there is none and that
    oneDNN lacks instructions. Failures are raised in either case.

    Only for a command line.

    Args:
        inherited: the block starts processes that import TensorFlow; their start-up lines are not shown either.

    Example:
        with without_startup_lines():
            from ranker.scoring.loading import load_model
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if _GPU_DRIVER.exists() else "3")
    if sys.stderr is None or ("tensorflow" in sys.modules and not inherited):
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    command = [sys.executable, "-I", "-S", "-c", _FILTER, STARTUP_LINE.pattern]
    # Ctrl-C is for this process alone; the filter ends when nobody can write to it any more.
    shown = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert shown.stdin is not None
    try:
        os.dup2(shown.stdin.fileno(), 2)
        shown.stdin.close()
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        if not inherited:
            # A process that the block has started may keep the descriptor open; the filter then ends with it.
            with suppress(subprocess.TimeoutExpired):
                shown.wait(_SECONDS_TO_END)
