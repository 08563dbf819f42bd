"""Policies valued from the log of another, on files like those of the Open Bandit Dataset with known click rates."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.open_bandit import __main__ as program
from research.open_bandit.estimating import observed_policy, uniform_policy, value_policy
from research.open_bandit.sample import CAMPAIGNS, RANDOM, THOMPSON, BanditLog, is_there, read_log, sample_folder

ROWS, ITEMS = 20_000, 6
RATE = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4])
LEARNT = np.array([0.02, 0.03, 0.05, 0.1, 0.3, 0.5])


def write_sample(folder: Path, rows: int = ROWS) -> Path:
    """Both policies of every campaign; position 3 is clicked half as often as position 1."""
    rng = np.random.default_rng(0)
    for campaign in CAMPAIGNS:
        for policy, chances in ((RANDOM, np.full(ITEMS, 1 / ITEMS)), (THOMPSON, LEARNT)):
            path = folder / policy / campaign
            path.mkdir(parents=True)
            item, position = rng.choice(ITEMS, rows, p=chances), rng.integers(1, 4, rows)
            click = rng.random(rows) < RATE[item] * (1.25 - 0.25 * position)
            pd.DataFrame(
                {"item_id": item, "position": position, "click": click.astype(int), "propensity_score": chances[item]}
            ).to_csv(path / f"{campaign}.csv")
            pd.DataFrame({"item_id": range(ITEMS)}).to_csv(path / "item_context.csv")
    return folder


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("obd"))


def test_each_policy_is_valued_right_from_the_log_of_the_other(sample: Path) -> None:
    truth = {"random": 0.75 * RATE.mean(), "Thompson sampling": 0.75 * RATE @ LEARNT}
    for (_, policy), found in program.value_campaigns(sample).items():
        for value in (found.online, found.ips, found.self_normalised, found.doubly_robust):
            estimate = value.estimate
            half = (estimate.upper - estimate.lower) / 2
            assert abs(estimate.value - truth[policy]) < 2 * half  # four standard errors
            assert half < 0.06 * truth[policy]
    best = program.value_campaigns(sample)["men", "Thompson sampling"].matched
    assert best is not None
    assert best.estimate.lower <= 0.75 * RATE[5] <= best.estimate.upper


def test_no_item_of_a_uniform_policy_is_its_best(sample: Path) -> None:
    assert program.value_campaigns(sample)["all", "random"].matched is None


def test_a_policy_is_its_chances_at_each_position(sample: Path) -> None:
    log = read_log(sample, THOMPSON, "all")
    assert set(log.position) == {0, 1, 2}
    assert observed_policy(log) == pytest.approx(np.tile(LEARNT, (3, 1)), abs=0.02)
    assert np.array_equal(uniform_policy(log), np.full((3, ITEMS), 1 / ITEMS))


def test_a_policy_valued_from_its_own_log_gets_its_click_rate(sample: Path) -> None:
    log = read_log(sample, RANDOM, "women")
    found = value_policy(log, log, uniform_policy(log))
    assert found.ips.estimate.value == pytest.approx(log.click.mean())
    assert found.ips.effective_sessions == pytest.approx(ROWS)


def test_the_model_of_the_doubly_robust_estimate_has_not_seen_the_outcome() -> None:
    # One click among many impressions of an item: a rate with the click in it would be higher for the clicked row.
    item, click = np.zeros(1000, np.int64), np.zeros(1000)
    click[7] = 1
    log = BanditLog(item, np.zeros(1000, np.int64), click, np.ones(1000), 1)
    found = value_policy(log, log, np.ones((1, 1)))
    assert found.doubly_robust.estimate.value == pytest.approx(0.001, abs=2e-4)
    assert found.ips.estimate.value == 0.001


def test_a_propensity_that_is_no_chance_is_refused(tmp_path: Path) -> None:
    sample = write_sample(tmp_path, rows=50)
    file = sample / RANDOM / "men" / "men.csv"
    pd.read_csv(file).assign(propensity_score=0.0).to_csv(file)
    with pytest.raises(ValueError, match="men: a propensity_score is not above 0 and at most 1"):
        read_log(sample, RANDOM, "men")


def test_the_program_writes_table_and_figures(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "sample_folder", lambda: sample)
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    program.main(["--page", str(page), "--json", str(figures)])
    text = page.read_text()
    assert text.count("| Thompson sampling |") == text.count("| random |") == len(CAMPAIGNS)
    assert text.split("| campaign")[1] in capsys.readouterr().out + text
    found = json.loads(figures.read_text())["figures"]
    assert len(found) == 2 * 3 * len(CAMPAIGNS)
    for name in ("all.random.ips", "men.thompson_sampling.doubly_robust"):
        assert found[name]["ratio"] == pytest.approx(1.0, abs=0.3)


def test_too_few_effective_impressions_are_said_and_give_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = write_sample(tmp_path / "obd", rows=60)
    monkeypatch.setattr(program, "sample_folder", lambda: sample)
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    program.main(["--page", str(page), "--json", str(figures)])
    assert "| too few |" in page.read_text()
    assert json.loads(figures.read_text())["figures"] == {}


@pytest.mark.skipif(not is_there(), reason="python -m research.open_bandit installs the sample")
def test_the_real_sample_has_ten_thousand_impressions_per_campaign_and_policy() -> None:
    for campaign, items in (("all", 80), ("men", 34), ("women", 46)):
        log = read_log(sample_folder(), RANDOM, campaign)
        assert (len(log), log.items) == (10_000, items)
        assert log.propensity == pytest.approx(np.full(10_000, 1 / items))
