"""Checks a compiled pipeline before a cluster is asked to run it."""

from pathlib import Path

import yaml

from ranker.command_line import UsageError, readable_text
from ranker.plain_text import one_line

_SPEC = ("pipelineInfo", "root", "schemaVersion", "deploymentSpec")
_PLATFORM = "platforms"


def check_package(path: Path) -> Path:
    """The path of a file that `kubeflow_runner.py compile` could have written.

    Raises:
        UsageError: it cannot be read, or is something else.
    """
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"--package {path}: there is no such file")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--package {path}: Kubeflow takes files that end in .yaml")
    try:
        documents = list(yaml.safe_load_all(readable_text("--package", path)))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"--package {path}: it is not YAML: {one_line(str(error))}") from None
    kinds = [set(document) if isinstance(document, dict) else set() for document in documents]
    if not 1 <= len(kinds) <= 2 or (missing := [key for key in _SPEC if key not in kinds[0]]):
        without = f", as it has no {missing[0]}" if len(kinds) in (1, 2) else ""
        raise UsageError(f"--package {path}: it is no compiled pipeline{without}; `compile` writes one")
    if len(kinds) == 2 and _PLATFORM not in kinds[1]:
        raise UsageError(f"--package {path}: its second document has no {_PLATFORM}; `compile` writes one that has")
    return path
