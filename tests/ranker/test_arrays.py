"""Arrays in a file come back as they were, and a file that cannot be used is named in one error."""

import re
from pathlib import Path

import numpy as np
import pytest

from ranker.arrays import read_arrays, write_arrays


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state.npz"
    write_arrays(str(path), {"format": np.array(2), "a/b": np.arange(6.0).reshape(2, 3)})
    return path


def test_arrays_come_back(file: Path) -> None:
    with read_arrays(str(file), "towers", 2) as arrays:
        np.testing.assert_array_equal(arrays["a/b"], [[0, 1, 2], [3, 4, 5]])
        assert sorted(arrays.files) == ["a/b", "format"]
    assert [path.name for path in file.parent.iterdir()] == ["state.npz"]


def test_another_format_is_said(file: Path) -> None:
    message = re.escape(f"{file} has format 2, but this code reads format 3")
    with pytest.raises(ValueError, match=f"^{message}$"), read_arrays(str(file), "towers", 3):
        pass


def test_a_missing_name_is_an_error_of_the_file(file: Path) -> None:
    message = re.escape(f"towers: {file} is missing or corrupt: ")
    with pytest.raises(ValueError, match=f"^{message}"), read_arrays(str(file), "towers", 2) as arrays:
        arrays["c"]


@pytest.mark.parametrize("damage", ["removed", "empty", "cut", "another file", "a byte"])
def test_a_damaged_file_is_named(file: Path, damage: str) -> None:
    content = file.read_bytes()
    match damage:
        case "removed":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(content[:-40])
        case "another file":
            file.write_bytes(b"no arrays at all")
        case _:
            # The last bytes of the first array's data, which its checksum covers.
            middle = content.index(b"a/b") - 40
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    message = re.escape(f"towers: {file} is missing or corrupt: ")
    with pytest.raises(ValueError, match=f"^{message}"), read_arrays(str(file), "towers", 2) as arrays:
        dict(arrays)
