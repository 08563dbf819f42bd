import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.configs import ConfigError, load_config
from pipeline_config import CONFIGS, FEED


def test_a_config_by_its_name() -> None:
    assert load_config("feed") is FEED


def test_the_error_of_an_unknown_name_lists_the_configs() -> None:
    with pytest.raises(ConfigError, match=rf"^--config nope: pipeline_config.py has {', '.join(sorted(CONFIGS))}$"):
        load_config("nope")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("from pipeline.config import Forest\nForest(trees=0)\n", r"(?s)^pipeline_config.py: .*trees"),
        ("CONFIGS = {'shop': Keys()}\n", r"^pipeline_config.py: NameError: name 'Keys' is not defined$"),
        ("from pipeline.config import Kies\n", r"^pipeline_config.py: ImportError: .*'Kies'"),
        ("from pipeline.config import Keys\nKeys(viewr='a')\n", r"(?s)^pipeline_config.py: .*viewr"),
    ],
)
def test_a_mistake_in_the_file_is_a_config_error(
    content: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipeline_config.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline_config")
    with pytest.raises(ConfigError, match=message):
        load_config("feed")


def test_beam_arguments_are_checked_where_a_config_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(FEED, beam_pipeline_args=("--runner=DataflowRunner",))
    monkeypatch.setitem(CONFIGS, "feed", wrong)
    with pytest.raises(ConfigError, match=r"config feed: .*--runner=DataflowRunner needs --project"):
        load_config("feed")
