"""The comparison of a small and a large run."""

import pytest

from benchmarks.full_run import FullRun, compare, component_speeds
from benchmarks.peak_memory import Usage


def test_components_that_read_no_rows_have_no_speed() -> None:
    parts = [
        {"component": "FeedLogGen", "rows": 1000, "seconds": 0.5},
        {"component": "Pusher", "rows": None, "seconds": 0.1},
    ]
    assert component_speeds({"components": parts}) == {"FeedLogGen": 2000.0}


def test_a_large_run_is_compared_with_a_small_one() -> None:
    small = FullRun(200, Usage(0, 1 << 30, 10.0), {"FeedLogGen": 100.0, "Transform": 50.0})
    large = FullRun(1000, Usage(0, 3 << 29, 40.0), {"FeedLogGen": 90.0, "Transform": 25.0})

    memory, feed_log_gen, transform = compare(small, large, with_targets=True)

    assert memory.name == "memory_1m_over_200k"
    assert memory.ratio == pytest.approx(1.5)
    assert memory.reached is False
    assert feed_log_gen.ratio == pytest.approx(0.9)
    assert feed_log_gen.reached is True
    assert transform.ratio == pytest.approx(0.5)
    assert transform.reached is False
    assert all(figure.target is None for figure in compare(small, large, with_targets=False))
