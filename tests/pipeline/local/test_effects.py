"""An update of the effects, faked, and what becomes of its summary."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.local import effects as module
from pipeline.local.effects import update_effects
from pipeline.local.run_summary import FAILED
from pipeline.local.workdir import Workdir
from pipeline_config import FEED
from ranker.effects_update.update import EffectsSummary


@pytest.mark.slow
def test_an_update_that_is_published_is_told_though_the_summary_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = EffectsSummary("feed", "log", "7", pushed_model="models/8")
    monkeypatch.setattr(module, "update_serving_effects", lambda *arguments: summary)
    workdir = Workdir(tmp_path / "workdir")
    (workdir.root / "runs").mkdir(parents=True)
    (workdir.root / "runs" / "monday").write_text("no folder")
    out = io.StringIO()
    status = update_effects(FEED, workdir, tmp_path / "log", "monday", Console(file=out, width=200))
    assert status == FAILED
    assert "effects updated, pushed to models/8" in out.getvalue()
    assert "summary could not be written" in capsys.readouterr().err
