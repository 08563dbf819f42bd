"""What is shown while TensorFlow starts: errors and everything else, but none of its notes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ranker.identity.code import PROJECT_ROOT
from ranker.startup_lines import STARTUP_LINE, without_startup_lines

NOTE = "I0000 00:00:1795934789.493182    1626 port.cc:153] oneDNN custom operations are on."
FATAL = "F0000 00:00:1795934789.493182    1626 cpu_feature_guard.cc:1] The CPU lacks AVX"


def _run(code: str) -> subprocess.CompletedProcess[str]:
    head = f"import os, subprocess, sys\nfrom ranker.startup_lines import without_startup_lines\nNOTE = {NOTE!r}\n"
    return subprocess.run(
        [sys.executable, "-c", head + code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (NOTE, True),
        ("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR", True),
        ("To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow", True),
        ("W0000 00:00:1795934789.1    1626 gpu_device.cc:2431] Cannot dlopen some GPU libraries.", True),
        ("2026-11-29 06:45:48.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.", True),
        ("E0000 00:00:1.0 1 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1 but source was compiled", False),
        (FATAL, False),
        ("ImportError: libtensorflow_framework.so.2: cannot open shared object file", False),
        ("Traceback (most recent call last):", False),
    ],
)
def test_notes_and_warnings_are_hidden_and_errors_are_not(line: str, hidden: bool) -> None:
    assert (STARTUP_LINE.match(line) is not None) is hidden


def test_notes_of_the_block_and_of_its_processes_are_hidden_and_what_follows_is_shown() -> None:
    done = _run(
        """
def write(*lines):
    os.write(2, "".join(f"{line}\\n" for line in lines).encode())

with without_startup_lines():
    write(NOTE, "an error")
    print("output")
    print("a warning of Python", file=sys.stderr)
write(NOTE + " later")
with without_startup_lines(inherited=True):
    late = "import os, sys, time; time.sleep(0.2); os.write(2, sys.argv[1].encode())"
    child = subprocess.Popen([sys.executable, "-c", late, NOTE + "\\nof a process\\n"])
child.wait()
try:
    with without_startup_lines():
        write(NOTE, "why")
        import no_such_package
except ImportError as error:
    write(f"raised {error.name}")
"""
    )
    assert done.stdout == "output\n"
    shown = ["an error", "a warning of Python", f"{NOTE} later", "of a process", "why", "raised no_such_package"]
    assert sorted(done.stderr.splitlines()) == sorted(shown)


def test_a_process_that_ends_in_the_block_leaves_its_last_words() -> None:
    done = _run(f"with without_startup_lines():\n    os.write(2, (NOTE + '\\n{FATAL}\\n').encode())\n    os.abort()\n")
    assert done.returncode < 0
    assert done.stderr == f"{FATAL}\n"


@pytest.mark.parametrize(("driver", "level"), [(True, "2"), (False, "3")])
def test_errors_are_logged_where_there_is_a_gpu(
    driver: bool, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ranker.startup_lines._GPU_DRIVER", tmp_path / ("." if driver else "none"))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "unset after the test")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    with without_startup_lines():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == level


def test_there_is_nothing_to_hide_once_tensorflow_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    before = os.fstat(2)
    with without_startup_lines():
        assert os.path.samestat(os.fstat(2), before)
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


@pytest.mark.slow
def test_a_process_that_stays_does_not_hold_the_command() -> None:
    started = time.monotonic()
    done = _run(
        """
with without_startup_lines():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("goes on")
child.kill()
"""
    )
    assert done.stdout == "goes on\n"
    assert time.monotonic() - started < 30
