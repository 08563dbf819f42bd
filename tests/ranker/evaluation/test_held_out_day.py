"""A held-out day far smaller than the others: said, and blocking if the config wants it."""

import pytest

from ranker.config.gates import Gates
from ranker.evaluation.evaluation import Evaluation
from ranker.evaluation.held_out_day import HeldOutDay
from tests.ranker.evaluation import handmade


@pytest.mark.parametrize(("impressions", "small"), [(161, True), (2249, True), (2250, False), (20_000, False)])
def test_a_day_is_small_below_the_share_of_a_usual_day(impressions: int, small: bool) -> None:
    assert HeldOutDay.of(impressions, 9000, Gates()).is_small is small
    assert not HeldOutDay.of(impressions, 0, Gates()).is_small
    assert not HeldOutDay.of(impressions, 9000, Gates(min_day_share=0.0)).is_small


def test_it_says_how_small_the_day_is() -> None:
    text = HeldOutDay.of(161, 9000, Gates()).text
    assert "161 impressions are 2 % of the 9,000 of a usual day (limit 25 %)" in text
    assert "less than 1 %" in HeldOutDay.of(3, 9000, Gates()).text
    assert "blocks" not in text


def test_it_blocks_only_if_the_config_wants_it() -> None:
    evaluation = handmade.first()
    reported = evaluation.on_day(HeldOutDay.of(161, 9000, Gates()))
    assert reported.blessed
    assert "far smaller than the others" in str(reported)
    blocked = evaluation.on_day(HeldOutDay.of(161, 9000, Gates(small_day="block")))
    assert not blocked.blessed
    assert "as gates.small_day is set" in blocked.day.text
    assert Evaluation.from_json(blocked.to_json()) == blocked
    assert evaluation.on_day(HeldOutDay.of(9000, 9000, Gates(small_day="block"))).blessed
