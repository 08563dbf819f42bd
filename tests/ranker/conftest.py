"""One small model for all tests of the library that need a trained one."""

import pytest

from tests.ranker.trained import Trained, train_small


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of every kind of column, in about ten seconds."""
    return train_small(tmp_path_factory.mktemp("trained"))
