"""The benchmark of batch scoring measures both sides on the same rows."""

from pathlib import Path
from shutil import copytree

import pytest

from benchmarks.batch_scoring import TARGET, measure
from ranker.scoring.loading import load_model
from tests.ranker.trained import ROWS, Trained

pytestmark = pytest.mark.slow


def test_the_figures(trained: Trained, tmp_path: Path) -> None:
    copytree(trained.feed_log, tmp_path / "feed_log")

    figures = measure(load_model(trained.model.location), tmp_path, quick=True)

    assert {figure.name: figure.target for figure in figures} == {
        "batch_scoring_over_graph": TARGET,
        "batch_scoring_over_graph_of_tensors": None,
    }
    assert TARGET == 0.8
    for figure in figures:
        assert figure.ours > 0
        assert figure.rival > 0
        assert f"{4 * ROWS:,} rows in 4 files" in figure.note
