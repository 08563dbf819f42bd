"""Reads and checks a compiled pipeline before a cluster is asked to run it."""

from pathlib import Path
from typing import Any

import yaml

from ranker.command_line import UsageError, readable_text
from ranker.plain_text import one_line, visible

_SPEC = ("pipelineInfo", "root", "schemaVersion", "deploymentSpec")
_PLATFORM = "platforms"
_ROOT = "defaultPipelineRoot"


def check_package(path: Path) -> Path:
    """The path of a file that `kubeflow_runner.py compile` could have written.

    Raises:
        UsageError: it cannot be read, or is something else.
    """
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"--package {path}: there is no such file")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--package {path}: Kubeflow takes files that end in .yaml")
    documents = _documents(path)
    kinds = [set(document) if isinstance(document, dict) else set() for document in documents]
    if not 1 <= len(kinds) <= 2 or (missing := [key for key in _SPEC if key not in kinds[0]]):
        without = f", as it has no {missing[0]}" if len(kinds) in (1, 2) else ""
        raise UsageError(f"--package {path}: it is no compiled pipeline{without}; `compile` writes one")
    if len(kinds) == 2 and _PLATFORM not in kinds[1]:
        raise UsageError(f"--package {path}: its second document has no {_PLATFORM}; `compile` writes one that has")
    root = documents[0].get(_ROOT)
    if root is not None and not (isinstance(root, str) and root.strip() and "\n" not in root and visible(root) == root):
        raise UsageError(f"--package {path}: its {_ROOT} is neither a path nor a URI: {one_line(repr(root), 60)}")
    return path


def default_pipeline_root(path: Path) -> str | None:
    """The pipeline root that a package was compiled with, or None if it leaves it to the cluster.

    The backend ignores this field of the spec, and kfp does not send it on: whoever starts a run has to name it.

    Args:
        path: a package that `check_package` accepts.
    """
    root: str | None = _documents(path)[0].get(_ROOT)
    return root


def _documents(path: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(readable_text("--package", path)))
    except UsageError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"--package {path}: it is not YAML: {one_line(str(error))}") from None
