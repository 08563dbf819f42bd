"""The notebook runs from top to bottom, as a user runs it."""

import json
import subprocess
import sys

import pytest

from tests.docs.test_links import ROOT

NOTEBOOK = ROOT / "docs" / "api.ipynb"

pytestmark = pytest.mark.slow


def _cells() -> list[str]:
    document = json.loads(NOTEBOOK.read_text())
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]


def test_every_cell_runs_and_shows_something() -> None:
    """Each cell ends in a value or an assertion; IPython runs it, as the kernel of a notebook does."""
    code = f"""
import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shown = 0
for number, cell in enumerate(json.loads({json.dumps(json.dumps(_cells()))})):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    shown += result.result is not None
print("cells with a value:", shown)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    assert "cells with a value: 7" in done.stdout
    assert "Estimate(value=0." in done.stdout


def test_it_is_stored_without_output() -> None:
    document = json.loads(NOTEBOOK.read_text())
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in document["cells"])
