"""The page's tables for predictions of known quality."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ranker.config.columns import Features
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_sums import UtilityWeights
from ranker.keys import VIEWER_BUCKETS
from research.intervals import SeedEstimate
from research.quality.drawing import draw
from research.quality.page import figures, markdown
from research.quality.rankings import judge_ranking
from research.quality.slices import Cell
from research.quality.statistics import bootstrap_weights, judge
from research.quality.study import Feed, QualityResults

CONFIG = PipelineConfig(
    name="tiny",
    objectives=(Objective("click", "passive"), Objective("like", "active")),
    features=Features(numeric=("age",)),
    schema="schemas/tiny.pbtxt",
)

UNDEFINED = SeedEstimate(np.array([np.nan]), np.full(50, np.nan))


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
    utility = UtilityWeights.of(CONFIG.utility, CONFIG.objectives)
    sessions = (np.arange(len(truth)) // 20 + 1).astype(np.uint64)
    rankings = {
        name: judge_ranking(sessions, buckets, labels, p[None].astype(np.float32).clip(0, 1), utility, weights)
        for name, p in models.items()
    }
    cells = [
        Cell("device=phone", "click", 300, {"ours": 1.05, "near": 2.0, "Bayes optimum": 1.01}),
        Cell("device=desktop", "click", 250, {"ours": 1.2, "near": 2.0, "Bayes optimum": 0.99}),
    ]
    feed = Feed("tiny", CONFIG, ((Path("log"), date(2026, 1, 2)),))
    return QualityResults(feed, 1, len(labels), tuple(int(n) for n in labels.sum(axis=0)), judged, rankings, cells)


def test_ours_with_effects_is_compared_with_the_same_rivals(results: QualityResults) -> None:
    name = "ours with random effects"
    judged, rankings = {**results.judged}, {**results.rankings}
    judged[name], rankings[name] = judged["Bayes optimum"], rankings["Bayes optimum"]
    own = {figure.name: figure for figure in figures(results)}
    found = {figure.name: figure for figure in figures(replace(results, judged=judged, rankings=rankings))}
    assert own == {key: figure for key, figure in found.items() if "with_effects" not in key}
    for figure in ("auc.click", "gauc.like", "normalized_entropy.like", "ndcg_at_10.utility"):
        assert found[f"tiny.with_effects.{figure}"].rival == own[f"tiny.{figure}"].rival
    assert found["tiny.with_effects.auc.click"].ours == judged[name][0].auc.value > own["tiny.auc.click"].ours


def test_the_best_rival_is_named_and_the_ceiling_is_no_rival(results: QualityResults) -> None:
    found = {figure.name: figure for figure in figures(results)}
    for objective in ("click", "like"):
        assert "the best rival is near" in found[f"tiny.auc.{objective}"].note
        assert "the best rival is near" in found[f"tiny.normalized_entropy.{objective}"].note
        gauc = found[f"tiny.gauc.{objective}"]
        assert "the best rival is near" in gauc.note
        assert "significantly better than 2 of 2 rivals" in gauc.note
        assert gauc.ours == results.rankings["ours"].gauc[CONFIG.objective_names.index(objective)].value
        assert found[f"tiny.auc.{objective}"].reached
        assert found[f"tiny.{objective}.ceiling"].ratio < 1
        assert found[f"tiny.{objective}.gauc_ceiling"].ratio < 1
    ndcg = found["tiny.ndcg_at_10.utility"]
    best, ours = results.rankings["near"].utility_ndcg, results.rankings["ours"].utility_ndcg
    low, high = (ours - best).interval
    assert (ndcg.ours, ndcg.rival, ndcg.reached) == (ours.value, best.value, True)
    assert ndcg.note.startswith(
        f"the best rival is near; difference {ours.value - best.value:+.4f} ({low:+.4f} to {high:+.4f})"
    )
    assert found["tiny.utility.ceiling"].rival == results.rankings["Bayes optimum"].utility_ndcg.value
    click = found["tiny.click.o_over_e"]
    assert f"the true probabilities over ours: {click.ours / click.rival:.4f}" == click.note


def test_the_page_has_a_summary_every_model_and_the_slices(results: QualityResults) -> None:
    page = markdown(results, "make this page", "tiny.svg")
    summary, utility, click, like, slices = page.split("\n## ")
    assert "From `make this page`." in summary
    assert "| near | +" in summary
    assert "![Differences between our AUC and each model's](tiny.svg)" in summary
    for heading in ("our GAUC", "best rival by GAUC", "ours − its GAUC"):
        assert f"| {heading} |" in summary
    gauc = results.rankings["ours"].gauc[0]
    assert f"| {gauc.value:.4f} |" in summary
    assert click.startswith(f"click ({results.positives[0]:,} positives, {results.rankings['ours'].pairs[0]:,} pairs")
    assert f"| {gauc.value:.4f} ({gauc.interval[0]:.4f} to {gauc.interval[1]:.4f}) |" in click
    assert utility.startswith("Ranking by utility\n\n200 sessions")
    assert "0.5 (click), 0.5 (like)" in utility
    assert "in the 200 sessions of more than 10 impressions only" in utility
    top = results.rankings["ours"].top_utility - results.rankings["nothing"].top_utility
    assert top.interval[0] > 0
    [row] = [line for line in utility.splitlines() if line.startswith("| nothing ")]
    assert row.endswith(f"{top.value:+.4f} ({top.interval[0]:+.4f} to {top.interval[1]:+.4f}) |")
    for table in (utility, click, like):
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


def test_an_objective_without_a_pair_in_any_session_has_neither_gauc_nor_figure(results: QualityResults) -> None:
    alone = {
        name: replace(ranking, gauc=(ranking.gauc[0], UNDEFINED), pairs=(ranking.pairs[0], 0))
        for name, ranking in results.rankings.items()
    }
    without = replace(results, rankings=alone)
    names = {figure.name for figure in figures(without)}
    assert {"tiny.gauc.click", "tiny.auc.like"} <= names
    assert not {"tiny.gauc.like", "tiny.like.gauc_ceiling"} & names
    page = markdown(without, "make this page")
    assert "nan" not in page
    assert "positives, 0 pairs within sessions)" in page
