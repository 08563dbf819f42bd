"""The examples in the docstrings of the config types, which users copy, run as they stand."""

import doctest
import importlib
import pkgutil

import pytest

import ranker.config

MODULES = [found.name for found in pkgutil.walk_packages(ranker.config.__path__, "ranker.config.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
