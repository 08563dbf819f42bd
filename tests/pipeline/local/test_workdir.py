"""The lock of a working folder, taken by real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.local.workdir import Workdir, WorkdirBusyError

_HOLD = """
import sys
from pathlib import Path
from pipeline.local.workdir import Workdir
with Workdir(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_and_the_error_names_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkdirBusyError, match=f"process id {holder.pid}"), Workdir(tmp_path).lock():
            pass
        holder.kill()
    with Workdir(tmp_path).lock():
        assert (tmp_path / ".lock").is_file()
