"""Beam's runner in this process."""

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers
from apache_beam.runners.worker import statecache
from apache_beam.testing.util import assert_that, equal_to

from ranker.in_process_runner import InProcessRunner


def _run(runner: FnApiRunner) -> None:
    """A pipeline with every kind of side input."""
    with beam.Pipeline(runner=runner) as pipeline:
        numbers = pipeline | "Numbers" >> beam.Create([1, 2, 3])
        total = numbers | beam.CombineGlobally(sum)
        squares = numbers | beam.Map(lambda x: (x, x * x))
        found = numbers | "Join" >> beam.Map(
            lambda x, one, several, by_number: (x, one, sorted(several), by_number[x]),
            beam.pvalue.AsSingleton(total),
            beam.pvalue.AsIter(numbers),
            beam.pvalue.AsDict(squares),
        )
        assert_that(found, equal_to([(1, 6, [1, 2, 3], 1), (2, 6, [1, 2, 3], 4), (3, 6, [1, 2, 3], 9)]))


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The values that Beam has weighed."""
    values: list[object] = []

    def weigh(value: object) -> int:
        values.append(value)
        return 8

    monkeypatch.setattr(statecache, "get_deep_size", weigh)
    return values


def test_no_value_is_weighed(weighed: list[object]) -> None:
    _run(InProcessRunner())
    assert weighed == []
    # When Beam's own does not do so any more, ours is superfluous.
    _run(FnApiRunner())
    assert weighed != []


def test_beams_own_runner_stays_as_it_is() -> None:
    before = worker_handlers.STATE_CACHE_SIZE_MB
    with pytest.raises(ZeroDivisionError), beam.Pipeline(runner=InProcessRunner()) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(lambda x: 1 / x)
    assert before == worker_handlers.STATE_CACHE_SIZE_MB > 0
