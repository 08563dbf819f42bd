"""A day that is read and scored once."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from datasets.synthetic import generate
from pipeline_config import FEED
from ranker.config.effects import EffectLevel, Effects
from ranker.feed_log.layout import FeedLogError
from ranker.tradeoff.scored_rows import read_scored_day

DAY = date(2026, 3, 2)
ROWS = 6_000


def log(folder: Path, exploration: float) -> Path:
    generate(folder, days=1, impressions_per_day=ROWS, seed=4, start=DAY, exploration=exploration)
    return folder


def score(batch: pa.RecordBatch) -> np.ndarray:
    match = np.array([0.0 if value is None else value[0] for value in batch["viewer_topic_match"].to_pylist()])
    return np.outer(np.linspace(0.02, 0.1, len(FEED.objectives)), 0.5 + match)


@pytest.mark.parametrize(("exploration", "method"), [(0.0, "model"), (0.05, "model"), (0.9, "replay")])
def test_random_sessions_value_settings_if_there_are_enough(exploration: float, method: str, tmp_path: Path) -> None:
    day = read_scored_day(FEED, log(tmp_path, exploration), DAY, score, "position")
    assert day.method == method
    table = pq.read_table(tmp_path / f"day-{DAY}").to_pandas()
    if method == "replay":
        table = table[table["is_randomised"] == 1]
    assert day.sessions == table["session_id"].nunique()
    assert day.probabilities.shape == (len(FEED.objectives), len(table))
    if day.observed is not None:
        np.testing.assert_allclose(day.observed.outcomes.sum(axis=1), table[list(FEED.objective_names)].sum())
        np.testing.assert_allclose(np.sort(day.observed.propensity), np.sort(table["propensity"]), rtol=1e-6)
        assert len(day.observed.viewer) == day.sessions


def test_only_what_is_known_before_ranking_is_scored(tmp_path: Path) -> None:
    seen: set[str] = set()

    def watched(batch: pa.RecordBatch) -> np.ndarray:
        seen.update(batch.schema.names)
        return score(batch)

    read_scored_day(FEED, log(tmp_path, 0.05), DAY, watched, "position")
    assert seen == set(FEED.features.names)
    # Random effects are a part of the served model's order.
    effects = Effects((EffectLevel("viewer_id"), EffectLevel("author_id")))
    read_scored_day(replace(FEED, effects=effects), tmp_path, DAY, watched, "position")
    assert seen == {*FEED.features.names, "viewer_id", "author_id"}


def test_rows_that_the_model_cannot_score_are_named(tmp_path: Path) -> None:
    def too_large(batch: pa.RecordBatch) -> np.ndarray:
        message = "assertion failed: [picture: numbers too large to be scored]"
        raise tf.errors.InvalidArgumentError(None, None, message)

    generate(tmp_path, days=1, impressions_per_day=300, seed=4, start=DAY)
    [file] = (tmp_path / f"day-{DAY}").glob("*.parquet")
    last = pq.read_metadata(file).num_rows - 1
    said = f"{file}: rows 0 to {last}: cannot be scored: picture: numbers too large to be scored"
    with pytest.raises(FeedLogError, match=f"^{said}$"):
        read_scored_day(FEED, tmp_path, DAY, too_large, "position")


def test_a_large_day_is_sampled_by_whole_sessions(tmp_path: Path) -> None:
    day = read_scored_day(FEED, log(tmp_path, 0.0), DAY, score, "position", most_rows=ROWS // 4)
    assert ROWS // 4 * 0.7 < len(day.session) < ROWS // 4 * 1.3
    table = pq.read_table(tmp_path / f"day-{DAY}").to_pandas()
    sizes = table.groupby("session_id").size()
    assert set(np.bincount(day.session)) <= set(sizes)
