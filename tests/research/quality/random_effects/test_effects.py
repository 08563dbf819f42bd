"""Effects learn from the log what single viewers do beyond their features."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datasets.synthetic.feed import DEFAULT_START
from pipeline_config import FEED
from ranker.config.columns import Features
from ranker.config.effects import EffectLevel, Effects
from ranker.feed_log.writing import write_day
from research.quality.logged import DAY_NUMBER, impressions_per_viewer, logged_columns, training_days
from research.quality.random_effects.effects import default_effects, with_effects
from research.quality.rows import HeldOutDay, Rows

_PER_DAY, _DAYS = 300, 3
_EFFECTS = Effects((EffectLevel("viewer_id", intercept_variance=0.1, min_rows=1),))
_DAY = DEFAULT_START + timedelta(days=_DAYS)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days and the held-out one. Viewer `v0` clicks always, `v1` never; the held-out day has a new viewer."""
    root = tmp_path_factory.mktemp("log")
    for number in range(_DAYS + 1):
        day = DEFAULT_START + timedelta(days=number)
        first = number * _PER_DAY
        viewers = [f"v{row % 2}" for row in range(_PER_DAY - 1)] + ["new" if number == _DAYS else "v0"]
        age = pa.array(np.arange(first, first + _PER_DAY), pa.float32())
        write_day(root, day, [pa.RecordBatch.from_arrays([age, pa.array(viewers)], ["age", "viewer_id"])])
    return root


@pytest.fixture(scope="module")
def day() -> HeldOutDay:
    """Its rows are not in the order of the log."""
    config = replace(
        FEED, features=Features(numeric=("age",)), train_days=_DAYS, slices=(), exploration=None, tradeoff=None
    )

    def rows(first: int, count: int) -> Rows:
        age = np.random.default_rng(first).permutation(np.arange(first, first + count)).astype(np.float32)
        labels = np.repeat((age % 2 == 0)[:, None], 6, axis=1).astype(np.float32)
        return Rows(age[:, None], {}, labels, np.zeros(count, np.int64))

    train, test = rows(0, _PER_DAY * _DAYS), rows(_PER_DAY * _DAYS, _PER_DAY)
    return HeldOutDay(config, _DAY, Path("none"), train, test)


def test_without_embeddings_viewers_authors_and_items_have_an_intercept() -> None:
    assert default_effects(FEED).columns == ("viewer_id",)
    assert default_effects(FEED).levels[0].inputs == ("content_embedding",)
    effects = default_effects(replace(FEED, features=replace(FEED.features, dense=())))
    assert effects.columns == ("viewer_id", "author_id", "item_id")
    assert all(not level.inputs for level in effects.levels)


def test_columns_of_the_log_are_found_for_rows_in_any_order(log: Path, day: HeldOutDay) -> None:
    days = training_days(log, day)
    assert days == [DEFAULT_START + timedelta(days=number) for number in range(_DAYS)]
    longer = replace(day, config=replace(day.config, train_days=_DAYS + 2))
    assert training_days(log, longer) == days  # the log has no earlier ones
    found = logged_columns(log, days, day, day.train, ["viewer_id"])
    age = day.train.features[:, 0].astype(int)
    assert found[DAY_NUMBER].to_pylist() == (age // _PER_DAY).tolist()
    of_viewer = ["v0" if row % _PER_DAY == _PER_DAY - 1 else f"v{row % _PER_DAY % 2}" for row in age]
    assert found["viewer_id"].to_pylist() == of_viewer
    counts = impressions_per_viewer(log, days, "viewer_id")
    assert counts["v0"] == _DAYS * (_PER_DAY // 2 + 1)
    with pytest.raises(ValueError, match="rows have features that no indexed row has"):
        logged_columns(log, days, day, day.test, [])


def test_what_viewers_did_moves_their_predictions_and_no_others(log: Path, day: HeldOutDay) -> None:
    train, test = (np.full(rows.labels.shape, 0.3, np.float32) for rows in (day.train, day.test))
    found = with_effects(day, log, _EFFECTS, train, test)
    age = day.test.features[:, 0].astype(int)
    new = age % _PER_DAY == _PER_DAY - 1
    np.testing.assert_allclose(found[new], 0.3, rtol=1e-5)
    assert (found[(age % 2 == 0) & ~new] > 0.5).all()
    assert (found[(age % 2 == 1) & ~new] < 0.15).all()


def test_offsets_that_know_the_outcomes_leave_nothing_to_learn(log: Path, day: HeldOutDay) -> None:
    known = np.where(day.train.labels > 0, 0.999, 0.001).astype(np.float32)
    test = np.full(day.test.labels.shape, 0.3, np.float32)
    np.testing.assert_allclose(with_effects(day, log, _EFFECTS, known, test), 0.3, atol=0.03)


def test_an_input_that_is_no_embedding_is_named(log: Path, day: HeldOutDay) -> None:
    effects = Effects((EffectLevel("viewer_id", inputs=("device",)),))
    probabilities = np.full(day.train.labels.shape, 0.3, np.float32)
    with pytest.raises(ValueError, match=r"inputs \['device'\]: research reads dense embeddings alone"):
        with_effects(day, log, effects, probabilities, probabilities)
