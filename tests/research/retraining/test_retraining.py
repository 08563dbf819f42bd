"""The strategies and their evaluation on rows with drift, without a pipeline."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.harness import Options, report
from ranker import keys
from research.quality.rows import Rows
from research.retraining.days import Replay, ReplayDay, replay_count
from research.retraining.drawing import draw
from research.retraining.judging import RetrainingResults, judge_all
from research.retraining.kept import run_all
from research.retraining.page import figures, markdown
from research.retraining.strategies import STRATEGIES, DayResult
from tests.research.quality.test_models import CONFIG, FEATURES

pytestmark = pytest.mark.slow

DAYS, ROWS_PER_DAY = 4, 1_500


def drifting_rows(day: int, seed: int) -> Rows:
    """The effect of a feature on the odds of a click changes its sign within a few days."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((ROWS_PER_DAY, len(FEATURES))).astype(np.float32)
    turn = np.cos(day * np.pi / 4)
    odds = np.stack([2 * turn * features[:, 0] + features[:, 1] - 1, 2 * features[:, 2] - 2], axis=1)
    labels = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return Rows(features, {keys.NUMERIC: features}, labels, rng.integers(0, keys.VIEWER_BUCKETS, ROWS_PER_DAY))


def joined(parts: list[Rows]) -> Rows:
    return Rows(
        np.concatenate([rows.features for rows in parts]),
        {keys.NUMERIC: np.concatenate([rows.towers[keys.NUMERIC] for rows in parts])},
        np.concatenate([rows.labels for rows in parts]),
        np.concatenate([rows.buckets for rows in parts]),
    )


@pytest.fixture(scope="module")
def replay() -> Replay:
    """Four days, each with a window of two before it."""
    config = replace(CONFIG, training=replace(CONFIG.training, batch_size=64))
    by_day = [drifting_rows(day, seed=day) for day in range(DAYS + 2)]
    days = [
        ReplayDay(date(2026, 1, 1) + timedelta(days=day), joined(by_day[day - 2 : day]), by_day[day], by_day[day])
        for day in range(2, DAYS + 2)
    ]
    return Replay("tiny", config, tuple(days), seen=tuple(by_day[:2]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the results are kept."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def runs(replay: Replay, folder: Path) -> dict[str, list[DayResult]]:
    """Every strategy's days, with one seed."""
    [found] = run_all(replay, [1], folder, Console(quiet=True))
    return found


@pytest.fixture(scope="module")
def results(replay: Replay, runs: dict[str, list[DayResult]]) -> RetrainingResults:
    """The evaluation of these results."""
    return judge_all(replay, [runs])


def test_every_strategy_predicts_every_day_after_the_first(replay: Replay, runs: dict[str, list[DayResult]]) -> None:
    for days in runs.values():
        assert len(days) == DAYS - 1
        for result, day in zip(days, replay.days[1:], strict=True):
            assert result.probabilities.shape == day.test.labels.shape
            assert np.all((result.probabilities > 0) & (result.probabilities < 1))


def test_a_stopped_run_continues_with_what_is_missing(
    replay: Replay, runs: dict[str, list[DayResult]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [incremental] = folder.glob("tiny-incremental-1-*.npz")
    incremental.unlink()

    def given(replay: Replay, first: object, seed: int) -> Iterator[DayResult]:
        yield from runs["incremental"]

    def never(replay: Replay, first: object, seed: int) -> Iterator[DayResult]:
        raise AssertionError("its results were kept")

    strategies = {name: given if name == "incremental" else never for name in STRATEGIES}
    monkeypatch.setattr("research.retraining.kept.STRATEGIES", strategies)
    monkeypatch.setattr("research.retraining.kept.first_model", lambda *_: (None, None))
    [again] = run_all(replay, [1], folder, Console(quiet=True))
    for name, days in runs.items():
        for before, after in zip(days, again[name], strict=True):
            assert before.seconds == after.seconds
            for array in ("labels", "buckets", "probabilities"):
                assert np.array_equal(getattr(before, array), getattr(after, array))


def test_only_what_is_trained_costs_something(runs: dict[str, list[DayResult]]) -> None:
    assert {name: set(days[0].seconds) for name, days in runs.items()} == {
        "frozen": set(),
        "cold": {"forest", "leaves", "towers"},
        "warm": {"refresh", "added trees", "leaves", "towers"},
        "incremental": {"refresh", "added trees", "leaves", "towers"},
    }


def test_a_frozen_model_decays_and_the_others_follow_the_drift(results: RetrainingResults) -> None:
    click = {
        name: [judged[0].normalized_entropy.value for judged in outcome.by_day]
        for name, outcome in results.outcomes.items()
    }
    assert click["frozen"][-1] - click["cold"][-1] > 0.05
    assert click["frozen"][-1] - click["warm"][-1] > 0.02
    gap = results.entropy_gap("frozen", 0)
    low, high = gap.interval
    assert 0 < low < gap.value < high


def test_a_gap_is_paired_and_zero_to_itself(results: RetrainingResults) -> None:
    itself = results.entropy_gap("cold")
    assert (itself.value, *itself.interval) == (0.0, 0.0, 0.0)
    assert results.rows == (DAYS - 1) * ROWS_PER_DAY
    mean = np.mean([results.entropy_gap("warm", objective).value for objective in range(2)])
    assert results.entropy_gap("warm").value == pytest.approx(mean)


def test_the_page_and_the_figures_tell_the_same(results: RetrainingResults, tmp_path: Path) -> None:
    page = markdown(results, "command", "drawing.svg")
    draw(results, tmp_path / "drawing.svg")
    assert (tmp_path / "drawing.svg").read_text().count("seconds of training") >= 1
    assert "![Normalized entropy day by day](drawing.svg)" in page
    report("tiny", figures(results, with_targets=True), Options(False, tmp_path / "figures.json"))
    written = json.loads((tmp_path / "figures.json").read_text())["figures"]
    cost = written["tiny.cold_over_warm_seconds"]
    assert cost["target"] == 4.0
    loss = written["tiny.warm_start_ne_loss"]
    low, _ = results.entropy_gap("warm").interval
    assert loss["ratio"] == pytest.approx(results.entropy_gap("warm").value)
    assert loss["reached"] is (low <= 0)
    assert cost["ratio"] == pytest.approx(
        results.outcomes["cold"].total_seconds / results.outcomes["warm"].total_seconds
    )
    entropy = written["tiny.warm_over_cold_ne.click"]["ours"]
    assert "| click | warm |" in page
    assert f"{entropy:.4f}" in page
    frozen = written["tiny.frozen_over_cold_ne.mean"]
    assert frozen["ratio"] > 1
    gap = results.entropy_gap("frozen")
    low, high = gap.interval
    assert low > 0
    assert frozen["note"].endswith(f"{gap.value:+.4f} ({low:+.4f} to {high:+.4f})")
    ratio = cost["ratio"]
    assert f"| cold ÷ warm | {ratio:.2f} | {ratio:.2f} |" in page


def test_seconds_are_each_days_median_over_the_seeds_and_ratios_those_of_one_seed(results: RetrainingResults) -> None:
    spent = {
        "cold": {"forest": np.array([[6.0, 8, 1], [4, 9, 1]]), "towers": np.array([[2.0, 4, 1], [2, 4, 1]])},
        "warm": {"towers": np.array([[2.0, 3, 0.5], [1, 2, 1]])},
        "frozen": {},
    }
    cold, warm, frozen = (replace(results.outcomes[name], spent=seconds) for name, seconds in spent.items())
    assert cold.parts == {"forest": 5 + 8.5 + 1, "towers": 2 + 4 + 1}
    assert cold.seconds == (5 + 2, 8.5 + 4, 1 + 1)
    assert cold.seconds_by_seed == (22, 21)
    assert (frozen.seconds, frozen.total_seconds, frozen.seconds_by_seed) == ((0.0,) * (DAYS - 1), 0, ())
    [cost, *_] = figures(replace(results, outcomes={"cold": cold, "warm": warm}), with_targets=False)
    assert cost.ratio == pytest.approx((7 + 12.5 + 2) / (1.5 + 2.5 + 0.75))
    assert cost.note.endswith("seed by seed 4.00, 5.25 times")


@pytest.mark.parametrize(("train_days", "replay_days", "expected"), [(7, 2, 2), (2, 2, 1), (1, 2, 0), (7, 0, 0)])
def test_days_are_replayed_from_within_the_window(train_days: int, replay_days: int, expected: int) -> None:
    retraining = replace(CONFIG.retraining, replay_days=replay_days, most_unseen_days=1)
    assert replay_count(replace(CONFIG, train_days=train_days, retraining=retraining)) == expected
