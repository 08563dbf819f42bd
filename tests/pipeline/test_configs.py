import sys
from pathlib import Path

import pytest

from pipeline.configs import ConfigError, load_config
from pipeline_config import CONFIGS, FEED


def test_a_config_by_its_name() -> None:
    assert load_config("feed") is FEED


def test_an_unknown_name_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=rf"^--config nope: pipeline_config.py has {', '.join(sorted(CONFIGS))}$"):
        load_config("nope")


def test_a_wrong_value_in_the_file_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipeline_config.py").write_text("from pipeline.config import Forest\nForest(trees=0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pipeline_config")
    with pytest.raises(ConfigError, match=r"(?s)^pipeline_config.py: .*trees"):
        load_config("feed")
