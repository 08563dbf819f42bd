"""What the code imports is declared in pyproject.toml, and what is declared is imported."""

import ast
import functools
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from ranker.identity.code import PROJECT_ROOT

SHIPPED = ("ranker", "components", "pipeline", "serving", "datasets")
OURS = {*SHIPPED, "benchmarks", "research", "tests", "pipeline_config"}

NEVER_IMPORTED = {
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
NOT_DECLARED = {
    "onnxmltools": "benchmarks/serving/compiled.py runs in an environment of its own",
    "onnxruntime": "benchmarks/serving/compiled.py runs in an environment of its own",
    "tl2cgen": "benchmarks/serving/compiled.py runs in an environment of its own",
    "treelite": "benchmarks/serving/compiled.py runs in an environment of its own",
    "tabm": "research/quality/experts runs in an environment of its own",
    "torch": "research/quality/experts runs in an environment of its own",
    "torch_rechub": "research/quality/experts runs in an environment of its own",
}
# Commands rather than imports, and where they are called.
TOOLS = {
    "import-linter": ("lint-imports", ".ci/run"),
    "mypy": ("mypy", ".ci/run"),
    "ruff": ("ruff check", ".ci/run"),
    "pytest": ("pytest", ".ci/run"),
    "mkdocs-material": ("name: material", "mkdocs.yml"),
}
# Which folders may import what an extra or a dependency group declares. Everything may import the project's own
# dependencies, which are installed everywhere.
GROUPS = {
    ("client",): (),
    ("ranker", "serving", "datasets"): ("dask",),
    ("components",): ("pipeline",),
    ("pipeline",): ("pipeline", "kubeflow", "mlflow", "tune"),
    ("benchmarks", "research"): ("pipeline", "kubeflow", "research"),
    ("tests",): ("pipeline", "kubeflow", "dask", "mlflow", "tune", "dev", "research"),
}
# Which files of a folder leave an extra alone that the rest of the folder uses.
WITHOUT = {"kubeflow": ("pipeline/*.py", "pipeline/local/*.py"), "dask": ("serving/**/*.py", "datasets/**/*.py")}
# What the `gpu` extra has is loaded by TensorFlow.
LOADED_BY_OTHERS = ("gpu",)
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


@functools.cache
def installed() -> Mapping[str, list[str]]:
    """Top-level module → the installed distributions that have it."""
    return packages_distributions()


def third_party(files: Iterable[Path]) -> dict[str, tuple[set[str], Path]]:
    """Imported top-level module → the distributions that it may come from, and a file that imports it."""
    distributions = installed()
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


def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())


def optional() -> dict[str, list[str]]:
    """Extra or dependency group → what it declares, without the groups that it includes."""
    content = pyproject()
    groups = content["project"]["optional-dependencies"] | content["dependency-groups"]
    return {
        name: [entry for entry in entries if isinstance(entry, str) and normalized(entry) != content["project"]["name"]]
        for name, entries in groups.items()
    }


def declared(*groups: str) -> set[str]:
    """The project's own dependencies, and those of some extras and groups."""
    listed = [*pyproject()["project"]["dependencies"]]
    for group in groups:
        listed += optional()[group]
    return {normalized(requirement) for requirement in listed}


def files_of(folders: Iterable[str]) -> list[Path]:
    return [file for folder in folders for file in (PROJECT_ROOT / folder).rglob("*.py")]


def shipped_files() -> list[Path]:
    return [*files_of(SHIPPED), *PROJECT_ROOT.glob("*.py")]


def undeclared(files: Iterable[Path], allowed: set[str]) -> set[str]:
    return {
        f"{module} ({file.relative_to(PROJECT_ROOT)})"
        for module, (distributions, file) in third_party(files).items()
        if not distributions & allowed and module not in NOT_DECLARED
    }


def used(files: Iterable[Path]) -> set[str]:
    return {distribution for distributions, _ in third_party(files).values() for distribution in distributions}


@pytest.mark.slow
@pytest.mark.parametrize("folders", GROUPS, ids=", ".join)
def test_what_is_imported_is_declared(folders: tuple[str, ...]) -> None:
    assert undeclared(files_of(folders), declared(*GROUPS[folders])) == set()


def test_the_command_files_need_nothing_but_the_pipeline() -> None:
    assert undeclared(PROJECT_ROOT.glob("*.py"), declared("pipeline")) == set()


@pytest.mark.parametrize("extra", WITHOUT)
def test_an_extra_is_needed_only_where_it_is_said(extra: str) -> None:
    files = [file for pattern in WITHOUT[extra] for file in PROJECT_ROOT.glob(pattern)]
    assert files
    # A run is recorded in MLflow where that is installed.
    allowed = declared("pipeline", "mlflow") if extra == "kubeflow" else declared()
    assert undeclared(files, allowed) == set()


def test_the_library_is_declared_without_tfx() -> None:
    assert declared().isdisjoint(
        {"tfx", "ml-metadata", "tensorflow-data-validation", "tensorflow-model-analysis", "kfp"}
    )


def test_the_client_needs_what_it_declares_and_nothing_else() -> None:
    content = tomllib.loads((PROJECT_ROOT / "client" / "pyproject.toml").read_text())
    listed = {normalized(requirement) for requirement in content["project"]["dependencies"]}
    assert listed == {"grpcio", "numpy", "protobuf"}
    assert used(files_of(("client",))) - {"feed-ranker-client"} == listed


def test_the_default_installation_has_what_the_readme_runs() -> None:
    content = pyproject()
    assert content["dependency-groups"]["default"] == ["feed-ranker[pipeline,kubeflow,dask]"]
    assert content["tool"]["uv"]["default-groups"] == ["default", "dev"]


def test_what_is_declared_is_imported() -> None:
    assert declared() - used(files_of(("ranker", "serving", "datasets"))) == set(NEVER_IMPORTED)


@pytest.mark.slow
def test_what_an_extra_or_a_group_declares_is_imported_or_called() -> None:
    imports = used([*shipped_files(), *files_of(("benchmarks", "research", "tests"))])
    groups = [name for name in optional() if name not in LOADED_BY_OTHERS]
    assert declared(*groups) - declared() - imports - set(TOOLS) == set()
    for tool, (command, file) in TOOLS.items():
        assert tool in declared(*groups)
        assert command in (PROJECT_ROOT / file).read_text()


def test_no_dependency_is_declared_twice() -> None:
    counts = Counter(name for group in optional() for name in declared(group) - declared())
    # TFX's own extra is what submits to Kubeflow.
    assert [name for name, count in counts.items() if count > 1] == ["tfx"]
    listed = [normalized(entry) for entries in optional().values() for entry in entries]
    assert declared().isdisjoint(listed)


@pytest.mark.parametrize("name", ["ml-metadata", "tensorflow", "tensorflow-data-validation", "tfx-bsl", "xgboost"])
def test_the_lock_has_wheels_for_linux_and_apple_silicon(name: str) -> None:
    packages = tomllib.loads((PROJECT_ROOT / "uv.lock").read_text())["package"]
    wheels = [wheel["url"] for package in packages if package["name"] == name for wheel in package["wheels"]]
    python = re.compile("-(cp311-cp311|py3-none)-")
    for platform in ("manylinux.*x86_64", "macosx.*arm64"):
        assert any(python.search(wheel) and re.search(platform, wheel) for wheel in wheels), platform


def test_an_undeclared_import_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import os\nimport ranker.keys\n\n\ndef f():\n    from sklearn.metrics import roc_auc_score\n")
    assert third_party([file]) == {"sklearn": ({"scikit-learn"}, file)}
