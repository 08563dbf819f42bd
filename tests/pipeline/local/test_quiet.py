"""All output, including that of C++ libraries, goes to the file; the terminal shows only ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PRINT = """
import logging, os, sys
from pathlib import Path
from pipeline.local.quiet import output_to_file
with output_to_file(Path(sys.argv[1])) as console:
    console.print("for the reader")
    print("printed")
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"by descriptor %d\\n" % descriptor)
        except OSError:
            pass  # as C++ libraries do
    logging.getLogger("some.library").info("logged")
print("after")
"""


def _run(log: Path) -> subprocess.CompletedProcess[str]:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", _PRINT, str(log)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=buffered)


def test_output_goes_to_the_file_and_back_again(tmp_path: Path) -> None:
    log = tmp_path / "runs" / "run.log"
    done = _run(log)
    assert done.stdout.split("\n") == ["for the reader", "after", ""]
    assert done.stderr == ""
    written = log.read_text()
    for text in ("printed", "by descriptor 1", "by descriptor 2", "some.library logged"):
        assert text in written


def test_a_full_disk_changes_nothing_but_the_log() -> None:
    done = _run(Path("/dev/full"))
    assert done.stdout.split("\n") == ["for the reader", "after", ""]
    assert done.stderr == "warning: /dev/full: the log is incomplete: No space left on device\n"


@pytest.mark.slow
def test_a_reader_who_has_gone_ends_no_run(tmp_path: Path) -> None:
    long = _PRINT.replace('"for the reader"', '"for the reader" * 10_000').replace('print("after")', "")
    reader, terminal = os.pipe()
    os.close(reader)
    for number, out in enumerate((terminal, os.open("/dev/full", os.O_WRONLY))):
        log = tmp_path / f"{number}.log"
        done = subprocess.run([sys.executable, "-c", long, str(log)], stdout=out, stderr=subprocess.PIPE, check=True)
        os.close(out)
        assert done.stderr == b""
        assert "some.library logged" in log.read_text()
    verbose = long.replace("output_to_file(Path(sys.argv[1]))", "output_to_terminal()").replace('print("printed")', "")
    command = [sys.executable, "-c", verbose.replace("import output_to_file", "import output_to_terminal")]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=True)
    assert b"some.library logged" in done.stderr
