"""The fingerprint changes with every change of what is installed."""

import os
import sys
from pathlib import Path

import pytest

from ranker.identity.packages import package_fingerprint


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    for name in ("xgboost-3.2.0.dist-info", "tfx-1.21.0.dist-info"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, ns=(0, 10**9))
    return tmp_path


def test_it_stays_the_same_while_nothing_is_installed(installed: Path) -> None:
    before = package_fingerprint([str(installed)])
    (installed / "xgboost").mkdir()
    (installed / "xgboost-notes.txt").write_text("not a distribution")
    assert package_fingerprint([str(installed)]) == before
    assert package_fingerprint([str(installed), str(installed)]) == before


def test_what_a_package_brings_for_itself_does_not_count(installed: Path) -> None:
    """Importing setuptools adds such a folder to where Python imports from."""
    vendored = installed / "setuptools" / "_vendor"
    (vendored / "wheel-0.45.1.dist-info").mkdir(parents=True)
    alone = package_fingerprint([str(installed)])
    assert package_fingerprint([str(vendored), str(installed)]) == alone
    assert package_fingerprint([str(vendored)]) != package_fingerprint([])


def test_a_project_folder_around_the_packages_hides_none(installed: Path) -> None:
    project = str(installed.parent)
    assert package_fingerprint([project, str(installed)]) == package_fingerprint([str(installed)])
    assert package_fingerprint([project, str(installed)]) != package_fingerprint([project])


@pytest.mark.parametrize("change", ["upgraded", "removed", "added", "installed again"])
def test_it_changes_with_what_is_installed(installed: Path, change: str) -> None:
    before = package_fingerprint([str(installed)])
    found = installed / "xgboost-3.2.0.dist-info"
    match change:
        case "upgraded":
            found = found.rename(installed / "xgboost-3.2.1.dist-info")
            os.utime(found, ns=(0, 10**9))
        case "removed":
            found.rmdir()
        case "added":
            (installed / "rich-14.0.0.dist-info").mkdir()
        case _:
            os.utime(found, ns=(0, 2 * 10**9))
    assert package_fingerprint([str(installed)]) != before


def test_it_changes_with_python(monkeypatch: pytest.MonkeyPatch) -> None:
    before = package_fingerprint([])
    monkeypatch.setattr(sys, "version", "3.11.99")
    assert package_fingerprint([]) != before


def test_by_default_it_covers_what_python_imports_from(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = package_fingerprint()
    monkeypatch.syspath_prepend(str(installed))
    assert package_fingerprint() != before
