"""The comparison of complete runs of several sizes."""

import pytest

from benchmarks.full_run import ComponentCost, FullRun, compare, compare_all, component_costs, mean_of, short
from benchmarks.peak_memory import Usage
from pipeline.local.run_summary import ComponentSummary


def test_costs_are_read_from_a_run_summary() -> None:
    parts = [
        ComponentSummary("FeedLogGen", "ran", cached=False, seconds=0.5, rows=1000, cpu_seconds=0.8, peak_memory=99),
        ComponentSummary("Pusher", "ran", cached=False, seconds=0.1, rows=None, cpu_seconds=0.1),
    ]
    assert component_costs(parts) == {
        "FeedLogGen": ComponentCost(1000, 0.5, 0.8, 99),
        "Pusher": ComponentCost(None, 0.1, 0.1),
    }


def run(rows: int, gib: float, seconds: float, transform: float) -> FullRun:
    costs = {
        "FeedLogGen": ComponentCost(rows, seconds, 2 * seconds, 2 * rows << 10),
        "Transform": ComponentCost(rows, transform, transform),
        "Pusher": ComponentCost(None, 1.0, 0.5),
    }
    return FullRun(rows, Usage(0, int(gib * (1 << 30)), 10.0), costs)


def test_a_large_run_is_compared_with_a_small_one() -> None:
    small, large = run(200_000, 1.0, 1.0, 1.0), run(1_000_000, 1.5, 5.5, 10.0)
    memory, impressions, feed_log_gen, transform, cost, _, pusher, peak = compare(small, large, with_targets=True)
    assert memory.name == "memory_1m_over_200k"
    assert memory.ratio == pytest.approx(1.5)
    assert memory.reached is False
    assert feed_log_gen.name == "rows_per_second_1m_over_200k.FeedLogGen"
    assert feed_log_gen.ratio == pytest.approx(1 / 1.1)
    assert feed_log_gen.reached is True
    assert transform.ratio == pytest.approx(0.5)
    assert transform.reached is False
    assert (impressions.ours, impressions.rival) == (1_000_000, 200_000)
    assert (cost.name, cost.ours, cost.rival) == ("core_seconds_1m_over_200k.FeedLogGen", 11.0, 2.0)
    assert (peak.name, peak.unit) == ("component_memory_1m_over_200k.FeedLogGen", "GiB")
    assert peak.ratio == pytest.approx(5.0)
    assert peak.rival == pytest.approx(200_000 / (1 << 19))
    assert (pusher.name, pusher.ours) == ("core_seconds_1m_over_200k.Pusher", 0.5)
    assert all(figure.target is None for figure in compare(small, large, with_targets=False))


def test_each_size_is_compared_with_the_one_before() -> None:
    runs = [run(200_000, 1.0, 1.0, 1.0), run(1_000_000, 1.0, 5.0, 5.0), run(5_000_000, 1.2, 25.0, 25.0)]
    names = [figure.name for figure in compare_all(runs, with_targets=True) if figure.name.startswith("memory")]
    assert names == ["memory_1m_over_200k", "memory_5m_over_1m"]


def test_runs_at_one_size_count_as_their_mean_with_the_highest_memory() -> None:
    runs = [run(200_000, 1.5, 1.0, 1.0), run(1_000_000, 1.2, 10.0, 10.0), run(200_000, 1.0, 3.0, 5.0)]

    figures = {figure.name: figure for figure in compare_all(runs, with_targets=True)}

    assert figures["memory_1m_over_200k"].ratio == pytest.approx(1.2 / 1.5)
    assert figures["rows_per_second_1m_over_200k.FeedLogGen"].ratio == pytest.approx(1.0)
    assert figures["rows_per_second_1m_over_200k.Transform"].ratio == pytest.approx(1.5)
    assert figures["rows_per_second_1m_over_200k.Transform"].note == "10.0 s and 1.0, 5.0 s"
    assert figures["core_seconds_1m_over_200k.FeedLogGen"].rival == pytest.approx(4.0)
    assert figures["impressions_1m_over_200k"].ratio == pytest.approx(5.0)


def test_the_mean_of_runs_has_no_memory_where_one_lacks_it() -> None:
    one = run(200_000, 1.0, 1.0, 1.0)
    costs = {**one.components, "FeedLogGen": ComponentCost(200_000, 3.0, 2.0)}

    mean = mean_of([one, FullRun(200_000, Usage(3, 1 << 31, 30.0), costs)])

    assert mean.usage == Usage(3, 1 << 31, 20.0)
    assert mean.components["FeedLogGen"] == ComponentCost(200_000, 2.0, 2.0, None)
    assert mean.components["Pusher"] == one.components["Pusher"]


@pytest.mark.parametrize(("rows", "name"), [(4_000, "4k"), (49_992, "50k"), (1_000_008, "1m"), (1_500_000, "1500k")])
def test_sizes_are_rounded_in_names(rows: int, name: str) -> None:
    assert short(rows) == name
