"""New values of a day: code sets that change, ids that always do, and columns that are missing."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from ranker.config.columns import Categorical, Features, MultiValued
from ranker.monitoring.profile import DayProfile
from ranker.monitoring.unseen import problem_of, unseen_values

FEATURES = Features(numeric=("age",), categorical=(Categorical("x"),), multi_valued=(MultiValued("tags"),))
ROWS = 2_000
Values = Sequence[str | None]


def profile(values: Values) -> DayProfile:
    """A day with the same values in both columns; tags have each value and one that is always there."""
    made = DayProfile(FEATURES)
    lists = pa.array([None if value is None else [value.encode()] for value in values], pa.list_(pa.binary()))
    ages = pa.array([[float(len(values) + i)] for i in range(len(values))], pa.list_(pa.float32()))
    made.add(pa.RecordBatch.from_pydict({"age": ages, "x": lists, "tags": lists}))
    return made


def days(make: Callable[[int, np.random.Generator], Values], count: int = 8) -> list[DayProfile]:
    random = np.random.default_rng(3)
    return [profile(make(day, random)) for day in range(count)]


def codes(prefix: str, count: int, random: np.random.Generator, rows: int = ROWS) -> list[str]:
    return [f"{prefix}{i}" for i in random.integers(0, count, rows)]


@pytest.mark.parametrize("count", [1, 2, 5, 200, 1_500, 3_000])
def test_a_new_code_set_exceeds_the_limit(count: int) -> None:
    made = days(lambda day, random: codes("new" if day == 7 else "old", count, random))
    for name, unseen in unseen_values(made[-1], made[:-1]).items():
        assert unseen.share == pytest.approx(1.0, abs=0.1), name
        assert unseen.usual < 0.25
        assert unseen.exceeds(0.5)
        assert not unseen.exceeds(1.0)
    assert set(unseen_values(made[-1], made[:-1])) == {"x", "tags"}


@pytest.mark.parametrize("count", [1, 2, 5, 200, 1_500])
def test_known_values_do_not(count: int) -> None:
    made = days(lambda day, random: codes("old", count, random))
    for unseen in unseen_values(made[-1], made[:-1]).values():
        assert unseen.share < 0.1
        assert not unseen.exceeds(0.2)


@pytest.mark.parametrize(("per_day", "kept"), [(50, 0), (300, 0), (300, 200), (1_000, 0), (1_000, 500)])
def test_ids_of_which_many_are_new_every_day_do_not(per_day: int, kept: int) -> None:
    """Each day has `per_day` ids, of which `kept` are of the day before."""
    made = days(lambda day, random: [str(i + day * (per_day - kept)) for i in random.integers(0, per_day, ROWS)])
    for unseen in unseen_values(made[-1], made[:-1]).values():
        assert unseen.usual > 0.1
        assert not unseen.exceeds(0.5)


def test_a_share_of_new_values_is_compared_with_the_limit() -> None:
    made = days(
        lambda day, random: [*codes("old", 9, random, 1_400), *codes("new" if day == 7 else "old", 9, random, 600)]
    )
    unseen = unseen_values(made[-1], made[:-1])["x"]
    assert unseen.share == pytest.approx(0.3, abs=0.01)
    assert not unseen.exceeds(0.5)
    assert unseen.exceeds(0.2)


def test_one_earlier_change_does_not_hide_the_next() -> None:
    made = days(lambda day, random: codes("ABCDEFGH"[max(0, day - 5)], 9, random))
    assert unseen_values(made[-1], made[:-1])["x"].exceeds(0.5)
    after = unseen_values(profile(codes("B", 9, np.random.default_rng(1))), made[:-1])["x"]
    assert after.share == 0


def test_a_value_of_every_day_of_its_own_is_usual() -> None:
    """The day of the week, in a window that is shorter than a week."""
    made = days(lambda day, _: [f"day {day}"] * ROWS, count=5)
    assert unseen_values(made[-1], made[:-1])["x"].usual == pytest.approx(1.0)
    assert not unseen_values(made[-1], made[:-1])["x"].exceeds(0.5)


def test_missing_values_are_not_new() -> None:
    def values(day: int, random: np.random.Generator) -> Values:
        return [None if random.random() < (0.95 if day == 7 else 0.1) else value for value in codes("old", 5, random)]

    made = days(values)
    assert unseen_values(made[-1], made[:-1])["x"].share == 0
    assert unseen_values(profile([None] * ROWS), made[:-1]) == {}


def test_a_column_without_earlier_values_or_with_few_is_not_judged() -> None:
    empty = [profile([None] * ROWS) for _ in range(6)]
    first = profile(codes("a", 5, np.random.default_rng(1)))
    assert unseen_values(first, empty) == {}
    assert unseen_values(first, [*empty, first]) == {}
    assert unseen_values(profile(["new"] * 29), [first, first]) == {}
    assert set(unseen_values(profile(["new"] * 30), [first, first])) == {"x", "tags"}


def test_the_sentence_has_examples_limit_and_setting() -> None:
    made = days(lambda day, _: ["ios", "web"] * 50 if day < 7 else ["android"] * 70 + ["tv"] * 30)
    unseen = unseen_values(made[-1], made[:-1])["x"]
    assert problem_of(unseen, 0.5) == (
        "100% of the day's values occur on none of the days before, such as 'android', 'tv'; the limit is 50%, and "
        "usual is 0%. If the new values are right, set validation.max_unseen of the config."
    )
