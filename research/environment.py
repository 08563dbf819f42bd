"""Environments of packages that do not fit beside the project's own."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STAMP = "requirements.sha256"


@dataclass(frozen=True)
class SeparateEnvironment:
    """A virtual environment that is created when it is first needed.

    Attributes:
        name: of its folder.
        requirements: the file with its requirements.
        what: for errors.
        options: of `pip install`.
    """

    name: str
    requirements: Path
    what: str
    options: Sequence[str] = ()

    def folder(self, parent: Path | None = None) -> Path:
        """Its folder, in `parent`; None is the folder of the project's own environment."""
        return (parent or Path(sys.prefix).parent) / self.name

    def is_there(self, parent: Path | None = None) -> bool:
        """Whether it is installed with the current requirements."""
        stamp = self.folder(parent) / _STAMP
        return stamp.is_file() and stamp.read_text() == self._wanted()

    def python(self, parent: Path | None = None) -> Path:
        """Its interpreter; it is created if it is missing or its requirements have changed.

        Raises:
            RuntimeError: it could not be installed.
        """
        folder = self.folder(parent)
        interpreter = folder / "bin" / "python"
        if not self.is_there(parent):
            shutil.rmtree(folder, ignore_errors=True)
            self._run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(folder)])
            self._run(
                [str(interpreter), "-m", "pip", "install", "--quiet", *self.options, "-r", str(self.requirements)]
            )
            (folder / _STAMP).write_text(self._wanted())
        return interpreter

    def _wanted(self) -> str:
        return hashlib.sha256(self.requirements.read_bytes()).hexdigest()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the environment for {self.what}: {' '.join(command)} failed:\n{done.stderr[-2000:]}")
