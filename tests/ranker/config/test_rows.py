"""Conditions on rows as pyarrow's filter tuples, in JSON and back."""

from datetime import date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ranker.config.documents import from_json, to_json
from ranker.config.rows import Rows


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ([("bot", "==", False)], ((("bot", "==", False),),)),
        ([["bot", "==", 0], ("age", ">", 1.5)], ((("bot", "==", 0), ("age", ">", 1.5)),)),
        (
            [[("a", "=", 1)], [("a", "=", 2), ("b c", "!=", "x")]],
            ((("a", "=", 1),), (("a", "=", 2), ("b c", "!=", "x"))),
        ),
        ([("m", "in", {"de", "at"})], ((("m", "in", ("at", "de")),),)),
        ([("at", "<", datetime(2026, 1, 5, 3))], ((("at", "<", "2026-01-05T03:00:00"),),)),
        ([("day", "in", [date(2026, 1, 5)])], ((("day", "in", ("2026-01-05",)),),)),
    ],
)
def test_conditions_are_alternatives_of_conditions(given: Any, normal: Any) -> None:
    rows = Rows(where=given)
    assert rows.where == normal
    read = from_json(Rows, to_json(rows))
    assert read == rows
    assert [type(value) for a in read.where for *_, value in a] == [type(value) for a in normal for *_, value in a]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([("a", "~", 1)], "not in"),
        ([("a", "in", 1)], "'a' in 1: the operator needs a list of values"),
        ([("a", "==", [1])], "the operator needs one value"),
        ([("a", "==", None)], "where"),
        ([("a", "==")], "where"),
        ([("", "==", 1)], "where"),
        ([[]], "where"),
        (("a", "==", 1), r"a list of conditions is expected, got one condition; write \[\('a', '==', 1\)\]"),
        ("a == 1", "where"),
    ],
)
def test_wrong_conditions_are_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Rows(where=wrong)


def test_impressions_count_half_after_the_half_life() -> None:
    days = [date(2026, 1, day) for day in (1, 3, 5)]
    assert list(Rows(half_life_days=2.0).recency(days).values()) == [0.25, 0.5, 1.0]
    assert set(Rows(weight="w").recency(days).values()) == {1.0}
    assert [Rows().is_weighted, Rows(weight="w").is_weighted, Rows(half_life_days=9).is_weighted] == [False, True, True]
