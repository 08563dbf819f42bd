"""The fingerprint changes with the import closure and with nothing else."""

import json
from pathlib import Path

import pytest

from components import artifacts
from ranker.identity.code import PROJECT_ROOT, code_fingerprint, import_closure
from tests.processes import run_python

COMPONENTS = sorted(file.parent.name for file in Path(artifacts.__file__).parent.glob("*/component.py"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose executor imports one module by each form of import, and one module not at all."""
    files = {
        "job/__init__.py": "",
        "job/executor.py": "from library import direct\nimport library.dotted\nfrom .beside import X\n",
        "job/beside.py": "X = 1\n",
        "library/__init__.py": "from library.package import reexported\n",
        "library/direct.py": "def f():\n    from library.late import Y\n    return Y\n",
        "library/dotted.py": "import os\n",
        "library/late.py": "Y = 1\n",
        "library/package/__init__.py": "reexported = 1\n",
        "library/package/unused.py": "Z = 1\n",
        "library/pages/page.html.j2": "<p>",
        "library/notes.md": "not code",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        *("job/__init__.py", "job/executor.py", "job/beside.py", "library/__init__.py", "library/direct.py"),
        *("library/dotted.py", "library/late.py", "library/package/__init__.py", "library/pages/page.html.j2"),
    ],
)
def test_changes_to_reachable_code_change_the_fingerprint(project: Path, name: str) -> None:
    before = code_fingerprint("job.executor", root=project)
    file = project / name
    file.write_text(file.read_text() + "\n")
    assert code_fingerprint("job.executor", root=project) != before


@pytest.mark.parametrize("name", ["library/package/unused.py", "library/notes.md", "job/component.py"])
def test_changes_to_unreachable_code_do_not_change_the_fingerprint(project: Path, name: str) -> None:
    before = code_fingerprint("job.executor", root=project)
    (project / name).write_text("another content\n")
    assert code_fingerprint("job.executor", root=project) == before


def test_nothing_is_imported(project: Path) -> None:
    (project / "job" / "executor.py").write_text("raise RuntimeError\nimport library.late\n")
    assert project / "library" / "late.py" in import_closure("job.executor", root=project)


def test_touching_a_file_changes_nothing(project: Path) -> None:
    before = code_fingerprint("job.executor", root=project)
    (project / "job" / "executor.py").touch()
    assert code_fingerprint("job.executor", root=project) == before


def test_a_package_stands_for_all_of_its_modules(project: Path) -> None:
    files = [file.relative_to(project).as_posix() for file in import_closure("library", root=project)]
    assert set(files) == {
        *("library/__init__.py", "library/direct.py", "library/dotted.py", "library/late.py"),
        *("library/package/__init__.py", "library/package/unused.py", "library/pages/page.html.j2"),
    }
    experts = {file.name for file in import_closure("research.quality.experts")}
    assert {"train.py", "inputs.py", "requirements.txt"} <= experts


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        code_fingerprint("no_such_module_here")


LOADED = """
import importlib, json, sys
ours = ("ranker", "components", "pipeline", "datasets", "serving")
found = {}
for component in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    importlib.import_module(f"components.{component}.executor")
    found[component] = [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in ours and m.__file__]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Executor → the project's files that Python loads with it, in a separate process."""
    script = tmp_path_factory.mktemp("script") / "loaded.py"
    script.write_text(LOADED)
    done = run_python([str(script), *COMPONENTS], PROJECT_ROOT)
    assert done.status == 0, done.output
    return json.loads(done.output.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_closure_has_every_project_module_that_an_executor_imports(
    loaded: dict[str, list[str]], component: str
) -> None:
    ours = {Path(file) for file in loaded[component]}
    assert PROJECT_ROOT / "components" / component / "executor.py" in ours
    assert ours <= set(import_closure(f"components.{component}.executor"))


@pytest.mark.parametrize(
    ("component", "file"),
    [
        ("forest_trainer", "ranker/forest/refit.py"),
        ("tower_trainer", "ranker/forest/margins.py"),
        ("pusher", "ranker/storage.py"),
        ("calibration_report", "ranker/reports/templates/report.html.j2"),
        ("evaluator", "ranker/evaluation/intervals.py"),
    ],
)
def test_the_closure_has_what_a_hand_written_list_would_miss(component: str, file: str) -> None:
    assert PROJECT_ROOT / file in import_closure(f"components.{component}.executor")
