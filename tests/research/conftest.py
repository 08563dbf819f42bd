"""What tests of several research programs share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def work_of_variants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder: what one program prepared and trained, another continues from."""
    return tmp_path_factory.mktemp("variants")
