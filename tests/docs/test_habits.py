"""The pre-commit hooks, the workflow and `.ci/run` check the same, by the same tools."""

import re
from pathlib import Path

import yaml

from tests.docs.test_links import ROOT

CI = (ROOT / ".ci" / "run").read_text()


def _of_ci() -> set[str]:
    """The commands that `.ci/run` runs by uv."""
    return {" ".join(found.split()) for found in re.findall(r'^"\$\{uv\[@\]\}" (run .*)$', CI, re.MULTILINE)}


def test_every_hook_is_a_check_of_ci() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    hooks = {hook["id"]: hook["entry"].removeprefix("uv ") for hook in repository["hooks"]}
    checks = {command.removesuffix(" .").removesuffix(" --check") for command in _of_ci()}
    assert set(hooks) == {"ruff-format", "ruff-check", "mypy", "lint-imports"}
    assert {entry.removesuffix(" .") for entry in hooks.values()} <= checks


def test_the_workflow_runs_ci_on_every_push_and_pull_request() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML reads the key `on` as true
    steps = workflow["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step][-1] == ".ci/run"
    [python] = [step["with"]["python-version"] for step in steps if "with" in step]
    assert python == (ROOT / "pyproject.toml").read_text().split('requires-python = ">=')[1][:4]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    nav = (ROOT / "mkdocs.yml").read_text()
    pages = {page.name for page in Path(ROOT / "docs").glob("*.md")}
    of_results = r"(forest_share|online|quality|random|ranking|replay|study|retraining|tradeoff)_|serving_costs|tastes"
    results = {name for name in pages if re.match(of_results, name)}
    for name in pages:
        assert f": {name}\n" in nav
    for name in pages - results - {"index.md"}:
        assert f"]({name})" in index
