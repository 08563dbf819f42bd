"""The share of the gap that is closed, from engagement that is known."""

from pathlib import Path

import numpy as np
import pytest

from pipeline_config import FEED
from research.forest_share.measuring import COLD, RankedSessions
from research.forest_share.names import IDS
from research.online.arms import CONTROL, POSSIBLE
from research.tastes.drawing import draw
from research.tastes.names import EFFECTS, FEATURES, LEARNABLE, ORACLE
from research.tastes.page import figures, markdown
from research.tastes.study import TastesResults


def results(warm_only: bool = False) -> TastesResults:
    """Two seeds: ids close three quarters of the gap of warm viewers, effects a quarter, and lose on cold viewers."""
    ranked = []
    for seed in (1, 2):
        usual = np.random.default_rng(seed).normal(4.0, 0.2, (200, 3))
        warm = np.ones(200, bool) if warm_only else np.arange(200) % 2 == 0
        gap = np.where(warm, 0.4, 0.0)[:, None]
        ranked.append(
            RankedSessions(
                warm,
                {
                    CONTROL: usual - 0.3,
                    FEATURES: usual,
                    IDS: usual + 0.75 * gap,
                    EFFECTS: usual + np.where(warm, 0.1, -0.02)[:, None],
                    POSSIBLE: usual + 0.1 * gap,
                    LEARNABLE: usual + 0.4 * gap,
                    ORACLE: usual + gap,
                },
            )
        )
    return TastesResults(FEED, 350_000, (IDS, EFFECTS), ranked)


def test_the_figure_is_that_of_the_arm_that_closes_most() -> None:
    found = {figure.name: figure for figure in figures(results())}
    assert found["tastes_gap_closed"].ratio == pytest.approx(0.75)
    assert found["tastes_gap_closed"].reached
    assert found["tastes_gap_closed.ids"].ratio == found["tastes_gap_closed"].ratio
    assert found["tastes_gap_closed.random_effects"].ratio == pytest.approx(0.2)
    assert found["cold_viewers.ids"].ratio == 1
    # The possible gain is 0.3, and 0.04 of half of the viewers.
    assert found["share_of_possible_gain.features_alone"].ratio == pytest.approx(0.3 / 0.32)
    assert found["share_of_possible_gain.ids"].ratio == pytest.approx(0.45 / 0.32)
    assert found["cold_viewers.random_effects"].ratio < 1


@pytest.mark.slow
def test_every_group_of_viewers_has_a_table(tmp_path: Path) -> None:
    text = markdown(results(), "the command", "picture.svg")
    [everyone, warm, cold] = [line for line in text.splitlines() if line.startswith("| random effects |")]
    assert "| 20.0 (" in everyone
    assert "| 25.0 (" in warm
    assert text.count("| features alone |") == 3
    assert "| -0." in cold
    assert cold.endswith("| – |")
    draw(results(), tmp_path / "picture.svg")
    assert "<svg" in (tmp_path / "picture.svg").read_text()


@pytest.mark.slow
def test_without_cold_viewers_there_is_nothing_to_say_of_them() -> None:
    found = results(warm_only=True)
    assert found.online(COLD) is None
    assert not any(figure.name.startswith("cold") for figure in figures(found))
    assert markdown(found, "the command").count("| random effects |") == 2
