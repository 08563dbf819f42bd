"""O/E beyond its limits is an alarm with the slice, the numbers and the interval; noise is not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ranker.config.monitoring import Monitoring
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.scores import ScoreHistogram
from ranker.monitoring.outcomes import OutcomeHealth, outcome_health, score_health
from tests.ranker.evaluation.simulated import Simulated, simulate
from tests.ranker.reports.documents import evaluated

LIMITS = Monitoring()


@pytest.fixture(scope="module")
def data() -> Simulated:
    return simulate(rows=8000, seed=71)


def alarms(found: list[OutcomeHealth]) -> dict[tuple[str, str], str]:
    return {(o.objective, o.slice): o.alarm for o in found if o.alarm}


def test_a_healthy_day_is_within_its_limits(data: Simulated) -> None:
    evaluation = evaluated(data, data.probabilities)
    found = outcome_health(evaluation, "candidate", LIMITS)
    assert alarms(found) == {}
    assert len(found) == 2 * (1 + len(evaluation.slices))
    click = found[0]
    assert (click.objective, click.slice, click.limit) == ("click", "", (0.8, 1.25))
    assert click.observed == data.labels[0].sum()
    assert click.expected == pytest.approx(data.probabilities[0].sum())
    assert click.o_over_e == pytest.approx(click.observed / click.expected)
    assert (click.lower or 2.0) < (click.o_over_e or 0.0) < (click.upper or 0.0)


def test_a_label_that_is_not_logged_on_one_slice_names_that_slice(data: Simulated) -> None:
    broken = replace(data, labels=data.labels.copy())
    broken.labels[0, data.columns["device"] == b"android"] = False
    found = outcome_health(evaluated(broken, data.probabilities), "candidate", LIMITS)
    worst = max(found, key=lambda o: o.weight)
    assert (worst.objective, worst.slice) == ("click", "device=android")
    assert worst.alarm.startswith("O/E is 0.000 [0.000, 0.0")
    assert f"below the range of 0.67 to 1.5: 0 observed, {worst.expected:,.1f} expected" in worst.alarm
    assert all(objective == "click" for objective, _ in alarms(found))


def test_expecting_too_few_outcomes_is_an_alarm_too(data: Simulated) -> None:
    found = outcome_health(evaluated(data, data.probabilities / 2), "candidate", LIMITS)
    assert "above the range of 0.8 to 1.25" in alarms(found)["click", ""]


def test_the_baseline_is_judged_on_request(data: Simulated) -> None:
    evaluation = evaluated(data, data.probabilities, baseline=data.probabilities / 2)
    assert alarms(outcome_health(evaluation, "candidate", LIMITS)) == {}
    assert ("click", "") in alarms(outcome_health(evaluation, "baseline", LIMITS))


def test_a_model_that_expects_nothing_raises_an_alarm_that_is_kept(data: Simulated) -> None:
    found = outcome_health(evaluated(data, np.zeros_like(data.probabilities)), "candidate", LIMITS)
    assert alarms(found)["click", ""].startswith("O/E is ∞, above the range of 0.8 to 1.25: ")
    assert "0.0 expected" in found[0].alarm
    assert (found[0].o_over_e, found[0].lower) == (None, None)
    assert math.isfinite(found[0].weight)


def test_a_baseline_that_was_not_evaluated_cannot_be_judged(data: Simulated) -> None:
    with pytest.raises(ValueError, match="there is no baseline"):
        outcome_health(evaluated(data, data.probabilities), "baseline", LIMITS)


def test_few_outcomes_and_disabled_slices_are_not_judged(data: Simulated) -> None:
    evaluation = evaluated(data, data.probabilities / 100)
    found = outcome_health(evaluation, "candidate", Monitoring(min_outcomes=10_000))
    assert all(o.limit is None and not o.alarm for o in found)
    found = outcome_health(evaluation, "candidate", Monitoring(slice_o_over_e=None))
    assert {o.slice for o in found if o.limit} == {""}


@pytest.mark.slow
def test_the_false_alarm_rate_does_not_depend_on_the_number_of_slices() -> None:
    """Healthy days, each with 38 intervals and limits of exactly 1."""
    limits = Monitoring(o_over_e=(1.0, 1.0), slice_o_over_e=(1.0, 1.0), false_alarm_rate=0.1)
    days = 0
    for seed in range(40):
        healthy = simulate(rows=1500, seed=seed, viewer_spread=0.0)
        days += bool(alarms(outcome_health(evaluated(healthy, healthy.probabilities), "candidate", limits)))
    assert days <= 10


def test_the_alarm_s_interval_is_wider_than_the_day_s(data: Simulated) -> None:
    """Just beyond the limit with its own interval, and within it with the interval corrected for multiple testing."""
    evaluation = evaluated(data, data.probabilities * 0.8)
    click = outcome_health(evaluation, "candidate", LIMITS)[0]
    assert click.lower is not None
    limits = Monitoring(o_over_e=(0.1, click.lower - 1e-3))
    assert outcome_health(evaluation, "candidate", limits)[0].alarm == ""


def test_scores_are_compared_with_those_of_an_earlier_day(data: Simulated) -> None:
    later = simulate(rows=8000, seed=72)

    def scores(evaluation: Evaluation) -> dict[str, ScoreHistogram]:
        return {name: curves.candidate.scores for name, curves in evaluation.curves.items()}

    usual = scores(evaluated(data, data.probabilities))
    healthy = score_health(evaluated(later, later.probabilities), "candidate", usual, LIMITS)
    assert [s.alarm for s in healthy] == ["", ""]
    assert all(s.divergence is not None and s.limit is not None and s.divergence < s.limit / 3 for s in healthy)
    assert healthy[0].mean == pytest.approx(later.probabilities[0].mean())
    flat = np.full_like(later.probabilities, 0.05)
    shifted = score_health(evaluated(later, flat), "candidate", usual, LIMITS)
    assert all(s.alarm.startswith("scores diverge by 0.") for s in shifted)
    unknown = score_health(evaluated(later, flat), "candidate", None, LIMITS)
    assert all(s.divergence is None and s.limit is None and not s.alarm for s in unknown)
