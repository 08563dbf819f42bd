"""Configs of the variants, and the part of the rows that each reads."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_config import FEED, KUAIRAND
from ranker import keys
from ranker.config.columns import HashedId
from ranker.config.pipeline import PipelineConfig
from research.forest_share.inputs import forest_rows, narrowed, with_inputs
from research.forest_share.names import BOTH, HISTORIES, IDS, NOTHING
from research.forest_share.variants import WHOLE, Variant, variants
from research.quality.rows import HeldOutDay, Rows


@pytest.mark.parametrize("config", [FEED, KUAIRAND], ids=["feed", "kuairand"])
def test_a_config_has_the_inputs_that_are_named(config: PipelineConfig) -> None:
    both = with_inputs(config, BOTH).features
    assert both.id_names == ("viewer_id", "author_id")
    assert [history.of for history in both.history] == ["author_id", *(column.name for column in config.features.dense)]
    assert with_inputs(with_inputs(config, BOTH), IDS).features == replace(both, history=())
    assert with_inputs(with_inputs(config, BOTH), HISTORIES).features == replace(both, ids=())
    assert with_inputs(with_inputs(config, BOTH), NOTHING) == with_inputs(config, NOTHING)


def test_a_config_keeps_the_ids_of_its_own() -> None:
    own = (HashedId("item_id", dimension=4),)
    config = replace(FEED, features=replace(FEED.features, ids=own))
    assert with_inputs(config, BOTH).features.ids == own


def test_the_trees_are_a_share_of_the_configs_and_the_same_number_per_objective() -> None:
    trees = {variant.trees: variant.config(FEED).forest.trees for variant in variants(inputs=(NOTHING,))}
    assert trees == {"1": 900, "1/2": 450, "1/4": 228, "1/10": 90, "0": 0}
    assert Variant(0.001, NOTHING).config(FEED).forest.trees == len(FEED.objectives)
    without = Variant(0.0, IDS).config(FEED)
    assert without.towers.forest_share == without.training.distillation == 0
    assert WHOLE.config(FEED) == FEED


def test_the_rows_of_a_variant_are_a_part_of_those_with_everything() -> None:
    day = _day()
    both = narrowed(day, Variant(1.0, BOTH).config(day.config))
    assert both.train.features is day.train.features
    assert {*both.train.towers} == {*day.train.towers}
    nothing, ids = (narrowed(day, Variant(1.0, inputs).config(day.config)) for inputs in (NOTHING, IDS))
    histories = day.config.features.history
    added = sum(len(history.forest_names) for history in histories)
    assert nothing.test.features.shape[1] == day.test.features.shape[1] - added
    kept = [name in FEED.features.forest_names for name in day.config.features.forest_names]
    np.testing.assert_array_equal(nothing.test.features, day.test.features[:, kept])
    assert {*day.test.towers} - {*nothing.test.towers} == {keys.HASHED_IDS, *(history.name for history in histories)}
    assert {*ids.test.towers} - {*nothing.test.towers} == {keys.HASHED_IDS}
    assert nothing.config.features == FEED.features


def test_the_forest_of_a_day_is_shared_by_configs_with_and_without_ids() -> None:
    day = _day()
    of = {
        inputs: forest_rows(day, Variant(0.5, inputs).config(day.config)) for inputs in (NOTHING, IDS, HISTORIES, BOTH)
    }
    assert of[NOTHING] is of[IDS]
    assert of[HISTORIES] is of[BOTH]
    assert of[NOTHING].digest != of[BOTH].digest


def _day() -> HeldOutDay:
    config = with_inputs(FEED, BOTH)

    def rows(count: int) -> Rows:
        random = np.random.default_rng(count)
        sizes = config.features.vectors | {keys.NUMERIC: len(config.features.numeric_names)}
        towers: dict[str, Any] = {name: random.random((count, size), np.float32) for name, size in sizes.items()}
        towers[keys.HASHED_IDS] = random.integers(0, 9, (count, 4))
        features = random.random((count, len(config.features.forest_names)), np.float32)
        return Rows(features, towers, np.zeros((count, 6), np.float32), np.zeros(count, np.int64))

    return HeldOutDay(config, date(2026, 1, 12), Path("none"), rows(4), rows(3))
