"""A separate environment is installed once per content of its requirements."""

from pathlib import Path

import pytest

from research.environment import SeparateEnvironment


def environment(folder: Path, requirements: str) -> SeparateEnvironment:
    file = folder / "requirements.txt"
    file.write_text(requirements)
    return SeparateEnvironment(".venv-test", file, "nothing")


@pytest.mark.slow
def test_it_is_there_until_the_requirements_change(tmp_path: Path) -> None:
    wanted = environment(tmp_path, "# none\n")
    assert not wanted.is_there(tmp_path)
    python = wanted.python(tmp_path)
    assert python.is_file()
    assert wanted.is_there(tmp_path)
    made = python.stat().st_mtime_ns
    assert wanted.python(tmp_path).stat().st_mtime_ns == made
    assert not environment(tmp_path, "# others\n").is_there(tmp_path)


@pytest.mark.slow
def test_a_failure_names_what_it_was_for(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the environment for nothing: .* failed"):
        environment(tmp_path, "-r does-not-exist.txt\n").python(tmp_path)
