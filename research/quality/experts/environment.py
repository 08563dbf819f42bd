"""The environment of the rival networks, which need PyTorch, separate from the project's own."""

from pathlib import Path

from research.environment import SeparateEnvironment

_ENVIRONMENT = SeparateEnvironment(".venv-experts", Path(__file__).with_name("requirements.txt"), "the rival networks")


def is_there(parent: Path | None = None) -> bool:
    """Whether it is installed with the current requirements."""
    return _ENVIRONMENT.is_there(parent)


def python(parent: Path | None = None) -> Path:
    """The environment's interpreter; the environment is created if it is missing or its requirements have changed.

    Args:
        parent: folder for the environment; None uses that of the project's own environment.

    Raises:
        RuntimeError: it could not be installed.
    """
    return _ENVIRONMENT.python(parent)
