"""The page of an experiment."""

from pathlib import Path

import numpy as np
import pytest

from ranker.reports.tradeoff.page import tradeoff_page
from ranker.reports.tradeoff.tables import change, percentage, results_table, signed
from ranker.tradeoff.experiment import Experiment
from ranker.tradeoff.offline import MODEL_WARNING, ScoredDay
from tests.ranker.reports.browser import WIDTHS, assert_sound, browser, show
from tests.ranker.tradeoff.handmade import EXPERIMENT, TRADEOFF, arms, config, day, sums

CURRENT, BETTER = {"click": 4.0, "comment": 1.0}, {"click": 4.0, "comment": 1.2}
SCORED = ScoredDay(np.repeat(np.arange(20), 5), np.random.default_rng(0).beta(1, 9, (6, 100)), 10)


def experiment(better: bool = True, scored: ScoredDay | None = None, measured: bool = True) -> Experiment:
    recorded = day(
        1,
        sums(f"{EXPERIMENT}.1.0-0", CURRENT),
        sums(f"{EXPERIMENT}.1.0-1", BETTER if better else CURRENT),
    )
    days = [recorded] if measured else []
    return Experiment(config(), TRADEOFF, EXPERIMENT, {1: arms(1, 0.3)}, days, scored)


def test_it_says_what_to_ship() -> None:
    page = tradeoff_page(experiment())
    assert '<h1 class="good">Ship alpha 0.3' in page
    assert "utility=Utility(alpha=0.3, lambda_=0.1)" in page
    assert "suggest --ship" in page
    assert "click ≥ -2 % at 95 %" in page


def test_it_says_that_nothing_is_better() -> None:
    page = tradeoff_page(experiment(better=False))
    assert "No setting is better than arm 0 at a confidence of 95 %." in page
    assert "suggest --ship" not in page


def test_it_can_be_written_before_anything_is_measured() -> None:
    page = tradeoff_page(experiment(measured=False))
    assert "Nothing is measured yet." in page
    assert "No day was scored for offline estimates" in page


def test_offline_estimates_by_the_model_come_with_a_warning() -> None:
    page = tradeoff_page(experiment(scored=SCORED))
    assert MODEL_WARNING.replace("'", "&#39;") in page
    # Arm 0 is one of the settings, and so may be on the front.
    assert "Offline estimates of 257 settings" in page
    assert "on the Pareto front" in page
    assert MODEL_WARNING.replace("'", "&#39;") not in tradeoff_page(experiment())


@pytest.mark.parametrize("scored", [None, SCORED], ids=["online", "offline"])
def test_it_is_self_contained(scored: ScoredDay | None) -> None:
    page = tradeoff_page(experiment(scored=scored))
    assert "<script src" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_what_each_arm_did() -> None:
    rows = results_table(experiment()).rows
    assert [row[0].text for row in rows] == ["1, 1", "1, 0"]
    assert rows[0][4].text.startswith("1.2")
    assert rows[0][4].note.startswith("+20")
    assert rows[0][4].tone == "good"


@pytest.mark.slow
@pytest.mark.parametrize("measured", [True, False], ids=["measured", "nothing measured"])
def test_it_is_sound_in_a_browser(measured: bool, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(tradeoff_page(experiment(scored=SCORED, measured=measured)))
    with browser(tmp_path / "profile") as driver:
        for width in WIDTHS:
            show(driver, page, width)
            assert_sound(driver, figures=3)


def test_changes_in_words() -> None:
    assert change(0.012, 0.002) == "+1.2 % ± 0.4"
    assert signed(-0.01) == "−1.0 %"
    assert signed(float("nan")) == "–"
    assert [percentage(share) for share in (0.95, 0.997, 1.0)] == ["95 %", "99.7 %", "100 %"]
