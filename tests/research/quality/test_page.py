"""The page's tables for predictions of known quality."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ranker.config.columns import Features
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.keys import VIEWER_BUCKETS
from research.quality.drawing import draw
from research.quality.page import figures, markdown
from research.quality.slices import Cell
from research.quality.statistics import bootstrap_weights, judge
from research.quality.study import Feed, QualityResults

CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(numeric=("age",)),
    schema="schemas/tiny.pbtxt",
)


@pytest.fixture(scope="module")
def results() -> QualityResults:
    """The true probabilities, ours close to them, and two rivals, the second of which is uninformative."""
    rng = np.random.default_rng(1)
    truth = rng.beta(1, 4, (4_000, 2)).astype(np.float32)
    labels = (rng.random(truth.shape) < truth).astype(np.float32)
    buckets = rng.integers(0, VIEWER_BUCKETS, len(truth))
    weights = bootstrap_weights(draws=50)
    models: dict[str, np.ndarray] = {
        "ours": truth * rng.lognormal(0, 0.1, truth.shape),
        "near": 0.9 * truth * rng.lognormal(0, 0.6, truth.shape),
        "nothing": rng.random(truth.shape),
        "Bayes optimum": truth,
    }
    judged = {
        name: tuple(judge(labels[:, i], buckets, p[None, :, i].astype(np.float32).clip(0, 1), weights) for i in (0, 1))
        for name, p in models.items()
    }
    cells = [
        Cell("device=phone", "click", 300, {"ours": 1.05, "near": 2.0, "Bayes optimum": 1.01}),
        Cell("device=desktop", "click", 250, {"ours": 1.2, "near": 2.0, "Bayes optimum": 0.99}),
    ]
    feed = Feed("tiny", CONFIG, ((Path("log"), date(2026, 1, 2)),))
    return QualityResults(feed, 1, len(labels), tuple(int(n) for n in labels.sum(axis=0)), judged, cells)


def test_the_best_rival_is_named_and_the_ceiling_is_no_rival(results: QualityResults) -> None:
    found = {figure.name: figure for figure in figures(results)}
    for objective in ("click", "like"):
        assert "the best rival is near" in found[f"tiny.auc.{objective}"].note
        assert "the best rival is near" in found[f"tiny.normalized_entropy.{objective}"].note
        assert found[f"tiny.auc.{objective}"].reached
        assert found[f"tiny.{objective}.ceiling"].ratio < 1
    click = found["tiny.click.o_over_e"]
    assert f"the true probabilities over ours: {click.ours / click.rival:.4f}" == click.note


def test_the_page_has_a_summary_every_model_and_the_slices(results: QualityResults) -> None:
    page = markdown(results, "make this page", "tiny.svg")
    summary, click, like, slices = page.split("\n## ")
    assert "From `make this page`." in summary
    assert "| near | +" in summary
    assert "![Differences between our AUC and each model's](tiny.svg)" in summary
    for table in (click, like):
        assert [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")] == [
            *("| model", "| ---", "| ours", "| near", "| nothing", "| Bayes optimum"),
        ]
    assert "| ours | 2 | 1 | 1.050 | 1.200 |" in slices
    assert "| Bayes optimum | 2 | 2 | 0.990 | 1.010 |" in slices
    assert "| device=desktop | click | 250 | 1.200 | 0.990 |" in slices


def test_the_picture_has_a_panel_for_each_objective(results: QualityResults, tmp_path: Path) -> None:
    draw(results, tmp_path / "tiny.svg")
    picture = (tmp_path / "tiny.svg").read_text()
    assert all(f"{name} (" in picture for name in CONFIG.objective_names)
    draw(results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == picture
