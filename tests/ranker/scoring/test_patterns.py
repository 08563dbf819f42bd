"""Which files a pattern names."""

from pathlib import Path

import pytest

from ranker.command_line import UsageError
from ranker.scoring.patterns import input_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two days, something half written, and a file beside them."""
    for name in (
        *("day-1/a.parquet", "day-1/b.parquet", "day-2/a.parquet", "day-2/.b.parquet.tmp", "_old/a.parquet"),
        "truth/day-1/a.parquet",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "readme.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("day-*/*.parquet", ["day-1/a.parquet", "day-1/b.parquet", "day-2/a.parquet"]),
        ("day-[2]/?.parquet", ["day-2/a.parquet"]),
        ("*/a.parquet", ["day-1/a.parquet", "day-2/a.parquet"]),
        ("**/b.parquet", ["day-1/b.parquet"]),
        ("_old/*.parquet", ["a.parquet"]),
        ("day-1", ["a.parquet", "b.parquet"]),
        ("day-1/a.parquet", ["a.parquet"]),
        ("", ["day-1/a.parquet", "day-1/b.parquet", "day-2/a.parquet", "truth/day-1/a.parquet"]),
    ],
)
def test_names_lie_below_the_fixed_part(root: Path, pattern: str, names: list[str]) -> None:
    found = input_files(f"{root}/{pattern}".rstrip("/"))
    assert [file.name for file in found] == names
    assert all(Path(file.path).is_file() for file in found)


def test_a_uri_of_a_local_file(root: Path) -> None:
    [file] = input_files(f"file://{root}/day-2/*.parquet")
    assert (file.name, file.path) == ("a.parquet", f"file://{root}/day-2/a.parquet")


def test_names_in_a_uri_are_escaped(root: Path) -> None:
    folder = root / "Zürich 1"
    folder.mkdir()
    (root / "day-2" / "a.parquet").rename(folder / "a%20b.parquet")
    for location in (folder.as_uri(), f"file://{folder}"):
        [file] = input_files(f"{location}/*.parquet")
        assert (file.name, file.path) == ("a%20b.parquet", f"{location}/a%2520b.parquet")
        assert input_files(file.path) == [file]


def test_a_relative_pattern(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert [file.path for file in input_files("day-*/a.parquet")] == ["day-1/a.parquet", "day-2/a.parquet"]


@pytest.mark.parametrize("pattern", ["day-9/*.parquet", "*.parquet", "nothing", "readme.*"])
def test_patterns_without_a_parquet_file_are_refused(root: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match=r"no file matches|is not called"):
        input_files(f"{root}/{pattern}")
