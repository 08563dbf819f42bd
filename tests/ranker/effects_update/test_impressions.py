"""Impressions that an update reads: what a model cannot score is named by file and rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from ranker.config.effects import EffectLevel, Effects
from ranker.effects_update.impressions import NewImpressions
from ranker.feed_log.layout import FeedLogError
from tests.ranker.trained import CONFIG, write_log
from tests.small_feed_log import EVAL_DAY


def too_large(examples: tf.Tensor) -> NDArray[np.float32]:
    raise tf.errors.InvalidArgumentError(None, None, "assertion failed: [content: numbers too large to be scored]")


def test_rows_that_the_model_cannot_score_are_named(tmp_path: Path) -> None:
    write_log(tmp_path, rows=30)
    config = replace(CONFIG, effects=Effects((EffectLevel("viewer_id"),)))
    impressions = NewImpressions(config, str(tmp_path))
    day = impressions.of_day(EVAL_DAY, too_large)
    [examples] = day.batches()
    place = f"{tmp_path}/day-{EVAL_DAY}/part-0.parquet: rows 0 to"
    with pytest.raises(FeedLogError, match=f"^{place} 29: cannot be scored: content: numbers too large to be scored$"):
        day.offsets(examples)
    where, sample = impressions.without_ids(EVAL_DAY, 10)
    assert (where, len(sample)) == (f"{place} 9", 10)
    assert b"viewer_id" not in sample[0].numpy()
