"""The parts of a search: its days, its space, and the proposal."""

from dataclasses import replace
from datetime import date

import pytest

from pipeline.tune.days import tuning_days
from pipeline.tune.proposal import as_code, config_diff
from pipeline.tune.space import SPACE, rounded, space_of, with_values
from pipeline_config import FEED
from ranker.config.forest import Forest
from ranker.config.towers import Isotonic, Towers
from ranker.config.training import Sampling, Training
from ranker.feed_log.layout import FeedLogError

LOG = [date(2026, 5, number) for number in range(1, 8)]


def test_the_evaluated_day_and_the_one_before_judge_no_trial() -> None:
    days = tuning_days(LOG, LOG[-1], 2)
    assert (days.evaluated, days.confirm, days.search) == (LOG[6], LOG[5], (LOG[3], LOG[4]))
    assert days.is_confirmed
    assert "2026-05-07 is not read" in days.text
    assert tuning_days(LOG, LOG[4], 9).search == (LOG[1], LOG[2])
    assert tuning_days([LOG[0], LOG[2], LOG[3], LOG[6]], LOG[6], 9).search == (LOG[2],)


def test_a_short_log_says_what_the_gain_is_worth() -> None:
    days = tuning_days(LOG[:3], LOG[2], 2)
    assert days.search == (days.confirm,) == (LOG[1],)
    assert not days.is_confirmed
    assert "the gain is biased upwards" in days.text
    with pytest.raises(FeedLogError, match="the log has 1 day before the evaluated day 2026-05-02"):
        tuning_days(LOG, LOG[1], 2)
    with pytest.raises(FeedLogError, match="the log has no folder named day-"):
        tuning_days([], LOG[1], 2)
    with pytest.raises(FeedLogError, match="the log has no day 2026-06-01; its days are 2026-05-01 to 2026-05-07"):
        tuning_days(LOG, date(2026, 6, 1), 2)


def test_the_defaults_are_in_the_space_and_every_value_makes_a_config() -> None:
    current = {setting.path: setting.current(FEED) for setting in SPACE}
    assert None not in current.values()
    assert with_values(FEED, current) == FEED
    ends = [{s.path: s.choices[0] if s.choices else (s.low if s.step is None else int(s.low)) for s in SPACE}]
    ends += [{s.path: s.choices[-1] if s.choices else (s.high if s.step is None else int(s.high)) for s in SPACE}]
    for values in ends:
        changed = with_values(FEED, values)
        assert {setting.path: setting.current(changed) for setting in SPACE} == values
    odd = replace(FEED, forest=Forest(depth=9, trees=1000), towers=Towers(hidden=(7,)))
    outside = {setting.path for setting in SPACE if setting.current(odd) is None}
    assert outside == {"forest.depth", "forest.trees", "towers.hidden"}


def test_settings_that_the_config_rules_out_are_not_searched() -> None:
    source = replace(
        FEED,
        forest=Forest(target="any"),
        towers=Towers(forest_share=0.0),
        training=replace(FEED.training, distillation=0.0),
    )
    left_out = {setting.path for setting in SPACE} - {setting.path for setting in space_of(source)}
    assert left_out == {"towers.forest_share", "training.distillation"}
    assert {setting.part for setting in space_of(FEED, ["forest"])} == {"forest"}


def test_a_proposal_is_python_with_what_differs_from_the_defaults() -> None:
    better = with_values(FEED, {"forest.depth": 5, "towers.hidden": "64 32", "training.learning_rate": 0.004})
    assert list(config_diff(FEED, better)) == [
        "+    forest=Forest(depth=5),",
        "+    towers=Towers(hidden=(64, 32)),",
        "-    training=Training(distillation_half_positives=2000),",
        "+    training=Training(learning_rate=0.004, distillation_half_positives=2000),",
    ]
    assert list(config_diff(FEED, FEED)) == []
    nested = Training(sampling=Sampling(negatives={"like": 0.5}), epochs=2)
    assert eval(as_code(nested)) == nested
    assert as_code(Towers(isotonic=Isotonic(by="device"))) == "Towers(isotonic=Isotonic(by='device'))"
    assert rounded(0.0012345) == 0.0012
