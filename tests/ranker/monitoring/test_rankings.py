"""A day's record keeps how its sessions were ranked."""

import pytest

from ranker.evaluation.evaluation import Evaluation
from ranker.monitoring.rankings import DayRanking, day_rankings
from ranker.monitoring.record import DayRecord
from tests.ranker.evaluation.simulated import simulate
from tests.ranker.reports.documents import evaluated


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    data = simulate(rows=3000, seed=72)
    return evaluated(data, data.probabilities, baseline=1.0 - data.probabilities)


def test_the_utility_comes_first_and_then_every_objective(evaluation: Evaluation) -> None:
    utility, click, share = day_rankings(evaluation, "candidate")
    assert [found.objective for found in (utility, click, share)] == ["", "click", "share"]
    assert {found.k for found in (utility, click, share)} == {5}
    assert utility.top_utility == evaluation.utility.candidate.top_utility
    assert utility.ndcg == evaluation.utility.candidate.ndcg
    assert utility.sessions == evaluation.utility.candidate.sessions
    assert not utility.gauc.defined
    ranked = evaluation.objectives["click"].candidate.ranking
    assert (click.gauc, click.ndcg, click.sessions) == (ranked.gauc, ranked.ndcg, ranked.gauc_sessions)
    assert click.gauc.lower > 0.5
    assert not click.top_utility.defined


def test_the_baseline_is_recorded_on_request(evaluation: Evaluation) -> None:
    _, click, _ = day_rankings(evaluation, "baseline")
    assert click.gauc.upper < 0.5


def test_a_record_without_rankings_is_read(evaluation: Evaluation) -> None:
    record = DayRecord("2026-01-12", "run", "1", 3000, 0.95, (), rankings=tuple(day_rankings(evaluation, "candidate")))
    read = DayRecord.from_json(record.to_json())
    assert read.to_json() == record.to_json()
    assert isinstance(read.rankings[0], DayRanking)
    older = record.to_json().replace(',"rankings":', ',"unknown":')
    assert DayRecord.from_json(older).rankings == ()
