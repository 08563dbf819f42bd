from pathlib import Path

import pytest

from tests.datasets.kuairand.handmade import write_raw


@pytest.fixture
def raw_folder(tmp_path: Path) -> Path:
    """The hand-made files, uncompressed."""
    return write_raw(tmp_path / "raw")
