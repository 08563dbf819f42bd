"""The lock of a working folder, taken by real processes."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.local.workdir import Workdir, WorkdirBusyError

_HOLD = """
import sys
from datetime import datetime
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


def test_runs_that_start_within_one_second_have_ids_of_their_own(tmp_path: Path) -> None:
    workdir = Workdir(tmp_path)
    moments = [
        datetime(2026, 10, 25, 2, 30, 1),
        datetime(2026, 10, 25, 2, 30, 1, 900_000),
        datetime(2026, 10, 25, 2, 30, 2),
    ]
    # Clocks that are put back come to the same time once more.
    found = [workdir.new_run(moment) for moment in (*moments, moments[0])]
    assert found == ["2026-10-25T02-30-01", "2026-10-25T02-30-01-2", "2026-10-25T02-30-02", "2026-10-25T02-30-01-3"]
    assert all(workdir.run(run_id).is_dir() for run_id in found)
