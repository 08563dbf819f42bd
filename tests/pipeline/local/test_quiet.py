"""All output, including that of C++ libraries, goes to the file; the terminal shows only ours."""

import subprocess
import sys
from pathlib import Path

_PRINT = """
import logging, os, sys
from pathlib import Path
from pipeline.local.quiet import output_to_file
with output_to_file(Path(sys.argv[1])) as console:
    console.print("for the reader")
    print("printed")
    os.write(1, b"by descriptor 1\\n")
    os.write(2, b"by descriptor 2\\n")
    logging.getLogger("some.library").info("logged")
print("after")
"""


def test_output_goes_to_the_file_and_back_again(tmp_path: Path) -> None:
    log = tmp_path / "runs" / "run.log"
    done = subprocess.run([sys.executable, "-c", _PRINT, str(log)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["for the reader", "after", ""]
    assert done.stderr == ""
    written = log.read_text()
    for text in ("printed", "by descriptor 1", "by descriptor 2", "some.library logged"):
        assert text in written
