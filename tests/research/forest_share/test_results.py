"""Metrics of groups of viewers, and the tables made of them, from predictions whose metrics are known."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss

from pipeline_config import FEED
from research.forest_share.costs import Cost
from research.forest_share.drawing import draw
from research.forest_share.measuring import ALL, COLD, WARM, ForestShareResults, RankedSessions, Sample
from research.forest_share.names import IDS, NOTHING
from research.forest_share.page import figures, markdown
from research.forest_share.variants import WHOLE, Variant
from research.online.arms import CONTROL, POSSIBLE

pytestmark = pytest.mark.slow

_ROWS, _PER_SESSION = 3000, 10
_BETTER = Variant(0.5, IDS)
_VARIANTS = (WHOLE, Variant(1.0, IDS), Variant(0.5, NOTHING), _BETTER)


def results(ranked: bool = True) -> ForestShareResults:
    """Two seeds. Half of the sessions are of warm viewers; a last objective has too few positives to count."""
    cost = {variant: Cost(900, 2_000_000, 10.0) for variant in _VARIANTS} | {_BETTER: Cost(450, 1_000_000, 6.0)}
    return ForestShareResults("feed", FEED, 21_000, [_sample(1, ranked), _sample(2, ranked)], cost)


def _sample(seed: int, ranked: bool) -> Sample:
    random = np.random.default_rng(seed)
    truth = np.clip(random.beta(1, 3, (_ROWS, 6)), 0.02, 0.98)
    labels = (random.random((_ROWS, 6)) < truth).astype(np.float32)
    labels[3:, 5] = 0
    session = np.arange(_ROWS) // _PER_SESSION
    worse = np.where((session % 2 == 0)[:, None], 0.25, truth)  # knows nothing of warm viewers
    predicted = {variant: worse.astype(np.float32) for variant in _VARIANTS} | {_BETTER: truth.astype(np.float32)}
    engagement = None
    if ranked:
        usual = random.normal(2.0, 0.2, (_ROWS // _PER_SESSION, 3))
        arms = {variant.name: usual + 0.1 for variant in _VARIANTS} | {_BETTER.name: usual + 0.3}
        sessions = np.arange(_ROWS // _PER_SESSION)
        engagement = RankedSessions(sessions % 2 == 0, {CONTROL: usual, POSSIBLE: usual + 0.4, **arms})
    return Sample(labels, session % 1000, session.astype(np.uint64) + 1, session % 2 == 0, predicted, engagement)


def test_metrics_are_means_over_the_objectives_with_enough_positives() -> None:
    found = results()
    sample = found.samples[0]
    y, p = sample.labels[:, :5], sample.predicted[_BETTER][:, :5]
    rates = y.mean(axis=0)
    expected = [
        log_loss(y[:, i], p[:, i]) / -(rates[i] * np.log(rates[i]) + (1 - rates[i]) * np.log1p(-rates[i]))
        for i in range(5)
    ]
    entropy = found.measured[ALL][_BETTER].normalized_entropy
    assert entropy is not None
    assert entropy.seeds[0] == pytest.approx(np.mean(expected), abs=1e-6)
    assert len(entropy.seeds) == 2
    low, high = entropy.interval
    assert low < entropy.value < high
    gauc = found.measured[WARM][WHOLE].gauc
    assert gauc is not None
    assert gauc.value == 0.5  # all candidates of a session are tied


def test_groups_of_viewers_are_measured_apart() -> None:
    found = results()
    assert found.rows(ALL) == 2 * _ROWS
    assert found.rows(WARM) + found.rows(COLD) == 2 * _ROWS
    warm, cold = (
        found.measured[group][WHOLE].normalized_entropy.value  # type: ignore[union-attr]
        - found.measured[group][_BETTER].normalized_entropy.value  # type: ignore[union-attr]
        for group in (WARM, COLD)
    )
    assert warm > 0.05
    assert cold == 0
    share = found.measured[COLD][_BETTER].share_of_possible_gain
    assert share is not None
    assert share.value == pytest.approx(0.75)


def test_tables_and_figures_compare_with_the_whole_forest(tmp_path: Path) -> None:
    found = results()
    text = markdown(found, "the command", "picture.svg")
    lines = text.splitlines()
    assert sum(line.startswith("| 1/2 | ids |") for line in lines) == 4
    assert "| 1/2 | ids | 450 | 1.00 | 0.50 | 6.0 | 0.60 |" in lines
    assert any(line.endswith("| 75.0 [+50.0 (+50.0 to +50.0)] |") for line in lines)
    by_name = {figure.name: figure for figure in figures(found)}
    assert by_name["feed.trees_0.5.ids.bytes"].ratio == 0.5
    assert by_name["feed.trees_0.5.ids.share_of_possible_gain"].ratio == pytest.approx(3)
    assert by_name["feed.trees_0.5.ids.normalized_entropy"].ratio < 1
    assert not any(name.startswith("feed.trees_1.nothing") for name in by_name)
    draw(found, tmp_path / "picture.svg")
    assert "<svg" in (tmp_path / "picture.svg").read_text()


def test_a_feed_that_is_not_simulated_has_no_online_gain() -> None:
    found = results(ranked=False)
    assert found.measured[ALL][WHOLE].share_of_possible_gain is None
    assert "possible" not in markdown(found, "the command")
    assert not any(figure.name.endswith("possible_gain") for figure in figures(found))
