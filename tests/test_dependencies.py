"""What the code imports is declared in pyproject.toml, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from ranker.identity.code import PROJECT_ROOT

SHIPPED = ("ranker", "components", "pipeline", "serving", "datasets")
OURS = {*SHIPPED, "benchmarks", "research", "pipeline_config"}

NEVER_IMPORTED = {
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
NOT_DECLARED = {
    "distributed": "only a forest that is grown on a Dask cluster needs it; the error there says so",
}
# A namespace that many distributions share.
WITHIN_GOOGLE = {"google.protobuf": "protobuf"}


def imported(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """The dotted names of everything that the files import, also inside functions."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name, file) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module, file


def third_party(files: Iterable[Path]) -> dict[str, tuple[set[str], Path]]:
    """Imported top-level module → the distributions that it may come from, and a file that imports it."""
    distributions = packages_distributions()
    found: dict[str, tuple[set[str], Path]] = {}
    for name, file in imported(files):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top in OURS:
            continue
        if top == "google":
            name = ".".join(name.split(".")[:2])
            found[name] = ({WITHIN_GOOGLE[name]}, file)
        else:
            found[top] = ({normalized(d) for d in distributions.get(top, [top])}, file)
    return found


def normalized(requirement: str) -> str:
    """The name of a requirement without extras and versions, as the package index spells it."""
    match = re.match(r"[\w.-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def declared() -> set[str]:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    return {normalized(requirement) for requirement in project["dependencies"]}


def shipped_files() -> list[Path]:
    return [file for folder in SHIPPED for file in (PROJECT_ROOT / folder).rglob("*.py")] + [*PROJECT_ROOT.glob("*.py")]


def test_what_is_imported_is_declared() -> None:
    missing = {
        f"{module} ({file.relative_to(PROJECT_ROOT)})"
        for module, (distributions, file) in third_party(shipped_files()).items()
        if not distributions & declared() and module not in NOT_DECLARED
    }
    assert missing == set()


def test_what_is_declared_is_imported() -> None:
    used = {
        distribution for distributions, _ in third_party(shipped_files()).values() for distribution in distributions
    }
    assert declared() - used == set(NEVER_IMPORTED)


def test_an_undeclared_import_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import os\nimport ranker.keys\n\n\ndef f():\n    from sklearn.metrics import roc_auc_score\n")
    assert third_party([file]) == {"sklearn": ({"scikit-learn"}, file)}
