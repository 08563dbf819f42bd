"""The environment of torch-rechub, separate from the project's own."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_NAME = ".venv-experts"
_STAMP = "requirements.sha256"


def is_there(parent: Path | None = None) -> bool:
    """Whether it is installed with the current requirements."""
    stamp = _folder(parent) / _STAMP
    return stamp.is_file() and stamp.read_text() == _wanted()


def python(parent: Path | None = None) -> Path:
    """The environment's interpreter; the environment is created if it is missing or its requirements have changed.

    Args:
        parent: folder for the environment; None uses that of the project's own environment.

    Raises:
        RuntimeError: it could not be installed.
    """
    folder = _folder(parent)
    interpreter = folder / "bin" / "python"
    if not is_there(parent):
        shutil.rmtree(folder, ignore_errors=True)
        _run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(folder)])
        _run([str(interpreter), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)])
        (folder / _STAMP).write_text(_wanted())
    return interpreter


def _folder(parent: Path | None) -> Path:
    return (parent or Path(sys.prefix).parent) / _NAME


def _wanted() -> str:
    return hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the environment for torch-rechub: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
