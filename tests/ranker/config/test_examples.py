"""The examples in the docstrings of the config types, which users copy, run as they stand."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import ranker.config

MODULES = [found.name for found in pkgutil.walk_packages(ranker.config.__path__, "ranker.config.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0 or ">>>" not in Path(str(module.__file__)).read_text()
