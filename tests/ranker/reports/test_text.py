"""Numbers are formatted for readers, and undefined values are a dash."""

import math

from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.reports import text


def test_numbers_have_a_typographic_minus_and_no_negative_zero() -> None:
    assert text.number(0.12345) == "0.123"
    assert text.number(-0.5, 1) == "−0.5"
    assert text.number(-0.0001) == "0.000"
    assert text.number(None) == text.number(math.nan) == "–"
    assert [text.defined(value) for value in (0.5, None, math.nan, math.inf)] == [0.5, None, None, None]


def test_shares_keep_two_digits_however_small() -> None:
    assert text.percent(0.2169, 2) == "21.69 %"
    assert text.percent(0.00037) == "0.037 %"
    assert text.percent(0.0) == "0.0 %"


def test_an_interval_is_a_dash_apart_or_in_words_where_it_goes_below_zero() -> None:
    assert text.interval(Estimate(0.7, 0.65, 0.74), 2) == "0.65–0.74"
    assert text.interval(Estimate(0.0, -0.01, 0.02), 2) == "−0.01 to 0.02"
    assert text.interval(Estimate(1.0, 0.5, math.inf), 1) == "0.5–∞"
    assert text.interval(Estimate(1.0, -math.inf, 2.0), 1) == "−∞ to 2.0"
    assert text.interval(Estimate(1.0, -math.inf, math.inf)) == ""
    assert text.interval(UNDEFINED) == ""


def test_counts_and_sizes() -> None:
    assert text.count(12_345.0) == "12,345"
    assert text.significant(0.0591234) == "0.05912"
    assert text.significant(1_234_567.0) == "1,234,567"
    assert [text.significant(value) for value in (math.nan, math.inf, -math.inf, 1e30)] == ["–", "∞", "−∞", "1e+30"]
    assert text.count(math.nan) == text.percent(math.inf) == "–"
    assert text.plural(1, "gate") == "1 gate"
    assert text.plural(2, "gate") == "2 gates"
    assert text.weekday("2026-01-12") == "Mon"
