"""Every command prints its help and nothing else, before it imports what takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ranker.identity.code import PROJECT_ROOT

FOLDERS = ("benchmarks", "datasets", "pipeline", "ranker", "research", "serving")
RUNNERS = {"local_runner.py": "pipeline.local.cli", "kubeflow_runner.py": "pipeline.kubeflow.cli"}
# Our programs start these, with arguments in a fixed order; nobody asks them for help.
WITHOUT_OPTIONS = {"benchmarks.peak_memory", "benchmarks.serving.compiled", "research.quality.experts.train"}
SLOW = ("apache_beam", "keras", "tensorflow", "tensorflow_transform", "tfx", "xgboost")

# One process for all commands, as most of its time is that of pandas and pyarrow. It says which slow packages came with
# a command.
ASK_ALL = """
import contextlib, importlib, io, json, sys
slow, modules = map(json.loads, sys.argv[1:])
for name in modules:
    out, err, status, before = io.StringIO(), io.StringIO(), None, {*sys.modules}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            importlib.import_module(name).main(["--help"])
        except SystemExit as end:
            status = end.code
    print(json.dumps([name, status, out.getvalue(), err.getvalue(), sorted({*slow} & {*sys.modules} - before)]))
"""


def commands() -> dict[str, str]:
    """How each command is called, and the module with its `main`."""
    found = dict(RUNNERS)
    for file in (file for folder in FOLDERS for file in (PROJECT_ROOT / folder).rglob("*.py")):
        name = ".".join(file.relative_to(PROJECT_ROOT).with_suffix("").parts)
        if 'if __name__ == "__main__":' in file.read_text() and name not in WITHOUT_OPTIONS:
            found[f"python -m {name.removesuffix('.__main__')}"] = name
    return found


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[int, str, str, list[str]]]:
    """Module → exit status, standard output, standard error, and the slow packages that it imported."""
    asked = [sys.executable, "-c", ASK_ALL, json.dumps(SLOW), json.dumps(list(commands().values()))]
    done = subprocess.run(asked, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {name: tuple(answer) for name, *answer in map(json.loads, done.stdout.splitlines())}  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "module"), commands().items(), ids=commands())
def test_help_is_all_that_is_printed_and_comes_at_once(
    command: str, module: str, answers: dict[str, tuple[int, str, str, list[str]]]
) -> None:
    status, out, err, slow = answers[module]
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: {command} ")
    assert slow == []


def test_the_commands_are_those_of_the_documentation() -> None:
    """A command that moves is not lost from the list."""
    assert {"local_runner.py", "python -m ranker.score", "python -m pipeline.tune", "python -m research.quality"} < {
        *commands()
    }
    assert len(commands()) > 30
    assert all((PROJECT_ROOT / Path(*name.split("."))).with_suffix(".py").is_file() for name in WITHOUT_OPTIONS)
