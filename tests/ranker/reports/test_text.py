"""Numbers read well, and what is undefined is a dash."""

from ranker.reports import text


def test_numbers_have_a_real_minus_and_no_negative_zero() -> None:
    assert text.number(0.12345) == "0.123"
    assert text.number(-0.5, 1) == "−0.5"
    assert text.number(-0.0001) == "0.000"
    assert text.number(None) == "–"


def test_shares_keep_two_digits_however_small() -> None:
    assert text.percent(0.2169, 2) == "21.69 %"
    assert text.percent(0.00037) == "0.037 %"
    assert text.percent(0.0) == "0.0 %"


def test_an_interval_is_a_dash_apart_or_in_words_where_it_goes_below_zero() -> None:
    assert text.interval({"auc": 0.7, "auc_lower": 0.65, "auc_upper": 0.74}, "auc", 2) == "0.65–0.74"
    assert text.interval({"d": 0.0, "d_lower": -0.01, "d_upper": 0.02}, "d", 2) == "−0.01 to 0.02"
    assert text.interval({"d": 1.0, "d_lower": 0.5, "d_upper": None}, "d", 1) == "0.5–∞"
    assert text.interval({"d": None, "d_lower": None, "d_upper": None}, "d") == ""


def test_counts_and_sizes() -> None:
    assert text.count(12_345.0) == "12,345"
    assert text.significant(0.0591234) == "0.05912"
    assert text.significant(1_234_567.0) == "1,234,567"
    assert text.plural(1, "gate") == "1 gate"
    assert text.plural(2, "gate") == "2 gates"
    assert text.weekday("2026-01-12") == "Mon"
