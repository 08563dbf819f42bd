"""Tables and figures from predictions that are known."""

import numpy as np
import pytest

from pipeline_config import FEED
from ranker.evaluation.session_rows import session_hashes
from ranker.keys import VIEWER_BUCKETS
from research.ranking.measuring import RankingResults, Sample
from research.ranking.names import BASE, LISTWISE, SESSIONS
from research.ranking.page import figures, markdown

BETTER, WORSE = SESSIONS, LISTWISE[0]


def results() -> RankingResults:
    """Two seeds: one variant predicts the true probabilities, one half of them, and the config noise about them."""
    samples = []
    for seed in (1, 2):
        generator = np.random.default_rng(seed)
        truth = generator.uniform(0.1, 0.6, (4_000, len(FEED.objectives))).astype(np.float32)
        labels = (generator.random(truth.shape) < truth).astype(np.float32)
        names = np.array([f"{row // 10}".encode() for row in range(len(truth))], dtype=object)
        noise = np.clip(truth * generator.uniform(0.5, 1.5, truth.shape), 0.01, 0.99).astype(np.float32)
        buckets = (np.arange(len(truth)) // 10) % VIEWER_BUCKETS
        half = (truth / 2).astype(np.float32)
        predicted = {BASE: noise, BETTER: truth, WORSE: half}
        samples.append(Sample(labels, buckets, session_hashes(names), predicted))
    return RankingResults("feed", FEED, 350_000, 10.0, samples)


@pytest.mark.slow
def test_calibration_and_ranking_are_told_apart() -> None:
    found = {figure.name: figure for figure in figures(results())}
    assert found[f"feed.{BETTER}.calibration"].ours < 0.05
    assert found[f"feed.{WORSE}.calibration"].ours == pytest.approx(np.log(2), abs=0.05)
    # Half of the probabilities rank as well as all.
    for metric in ("gauc", "ndcg"):
        better, worse = (found[f"feed.{name}.{metric}"] for name in (BETTER, WORSE))
        assert better.ours == pytest.approx(worse.ours)
        assert better.ours > better.rival
    assert found[f"feed.{BETTER}.normalized_entropy"].ours < found[f"feed.{BETTER}.normalized_entropy"].rival
    assert not any("share" in name for name in found)


@pytest.mark.slow
def test_the_table_compares_every_variant_with_the_config() -> None:
    text = markdown(results(), "the command")
    [base] = [line for line in text.splitlines() if line.startswith(f"| {BASE} |")]
    [better] = [line for line in text.splitlines() if line.startswith(f"| {BETTER} |")]
    assert "[" not in base
    assert better.count("[") == 4
    assert "350,000 impressions to train on, 10.0 in a session" in text
