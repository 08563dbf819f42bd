"""The fingerprint changes with the code and with nothing else."""

import sys
from pathlib import Path

import pytest

from pipeline.fingerprint import code_fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package with a module in a sub-package."""
    folder = tmp_path / "fingerprinted"
    (folder / "sub").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "sub" / "module.py").write_text("A = 1\n")
    (folder / "alone.py").write_text("B = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fingerprinted", raising=False)
    return folder


def test_a_change_anywhere_in_a_package_shows(package: Path) -> None:
    before = code_fingerprint("fingerprinted")
    assert code_fingerprint("fingerprinted") == before
    (package / "sub" / "module.py").write_text("A = 2\n")
    assert code_fingerprint("fingerprinted") != before


def test_a_module_stands_for_itself_alone(package: Path) -> None:
    before = code_fingerprint("fingerprinted.alone")
    (package / "sub" / "module.py").write_text("A = 2\n")
    assert code_fingerprint("fingerprinted.alone") == before
    (package / "alone.py").write_text("B = 2\n")
    assert code_fingerprint("fingerprinted.alone") != before


def test_a_new_file_shows(package: Path) -> None:
    before = code_fingerprint("fingerprinted")
    (package / "sub" / "another.py").write_text("")
    assert code_fingerprint("fingerprinted") != before


def test_a_template_is_code_too(package: Path) -> None:
    before = code_fingerprint("fingerprinted")
    (package / "page.html.j2").write_text("<p>")
    assert code_fingerprint("fingerprinted") != before


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        code_fingerprint("no_such_module_here")
