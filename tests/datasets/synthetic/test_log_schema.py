"""The columns of a feed log: their types, missing values and distributions."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datasets.synthetic import vocabulary as words
from datasets.synthetic.inventory import EMBEDDING_SIZE
from pipeline_config import FEED
from tests.datasets.synthetic.conftest import DAYS, ROWS, Feed

SOMETIMES_MISSING = {
    "hours_since_last_visit",
    "viewer_ctr_30d",
    "viewer_like_rate_30d",
    "viewer_comment_rate_90d",
    "viewer_dwell_median_s",
    "viewer_scroll_depth_30d",
    "author_reply_rate_90d",
    "item_impressions",
    "item_likes",
    "item_comments",
    "item_reshares",
    "item_quality_score",
    "viewer_topic_match",
    "days_since_interaction",
    "mutual_connections",
}


def test_the_columns_are_those_of_the_config(feed: Feed) -> None:
    keys = FEED.keys
    assert FEED.exploration is not None
    expected = {keys.session, keys.viewer, keys.item, keys.timestamp, *FEED.features.names, *FEED.objective_names}
    # The author is an id column, for a config that has random effects of authors.
    expected |= {*FEED.features.exposure_names, *FEED.exploration.names, "author_id"}
    assert set(feed.log.column_names) == expected
    assert FEED.objective_names == words.OBJECTIVES


def test_every_column_has_the_type_of_its_kind(feed: Feed) -> None:
    types = {field.name: field.type for field in feed.log.schema}
    features, keys = FEED.features, FEED.keys
    assert all(pa.types.is_integer(types[name]) or pa.types.is_float32(types[name]) for name in features.numeric_names)
    strings = (keys.session, keys.viewer, keys.item, *(feature.name for feature in features.categorical))
    assert all(types[name] == pa.string() for name in strings)
    assert all(types[feature.name] == pa.list_(pa.string()) for feature in features.multi_valued)
    assert [types[dense.name] for dense in features.dense] == [pa.list_(pa.float32(), EMBEDDING_SIZE)]
    assert [dense.size for dense in features.dense] == [EMBEDDING_SIZE]
    assert types[keys.timestamp] == pa.int64()
    assert all(types[name] == pa.int8() for name in FEED.objective_names)


def test_labels_are_0_or_1(feed: Feed) -> None:
    for name in words.OBJECTIVES:
        assert set(feed.log[name].unique().to_pylist()) == {0, 1}


def test_values_are_missing_where_they_can_be_unknown_and_nowhere_else(feed: Feed) -> None:
    missing = {name: feed.log[name].null_count / feed.log.num_rows for name in feed.log.column_names}
    assert missing.pop("propensity") == 1 - feed.numbers("is_randomised").mean()
    assert {name for name, share in missing.items() if share} == SOMETIMES_MISSING
    assert all(0.001 < missing[name] < 0.8 for name in SOMETIMES_MISSING)
    floats = [field.name for field in feed.log.schema if pa.types.is_floating(field.type)]
    assert not any(pc.any(pc.is_nan(feed.log[name])).as_py() for name in floats)


def test_counters_lag_behind_the_newest_items(feed: Feed) -> None:
    fresh = feed.numbers("item_age_hours") < 0.75
    assert 0.01 < fresh.mean() < 0.2
    assert np.array_equal(feed.log["item_likes"].is_null().to_numpy(), fresh)


@pytest.mark.parametrize(
    "column", ["author_followers", "viewer_connections", "item_impressions", "interactions_90d", "content_length"]
)
def test_counts_have_heavy_tails(feed: Feed, column: str) -> None:
    values = feed.log[column].drop_null().to_numpy()
    assert values.min() >= 0
    assert np.percentile(values, 99.5) > 6 * max(np.median(values), 1)


@pytest.mark.parametrize(
    ("column", "vocabulary"),
    [
        ("device", words.DEVICES),
        ("surface", words.SURFACES),
        ("viewer_country", tuple(words.COUNTRIES)),
        ("viewer_industry", words.INDUSTRIES),
        ("viewer_seniority", words.SENIORITIES),
        ("author_type", words.AUTHOR_TYPES),
        ("content_type", words.CONTENT_TYPES),
        ("connection_degree", words.DEGREES),
    ],
)
def test_every_word_of_a_vocabulary_occurs(feed: Feed, column: str, vocabulary: tuple[str, ...]) -> None:
    assert set(feed.log[column].unique().to_pylist()) == set(vocabulary)


def test_lists_hold_topics_without_repeats(feed: Feed) -> None:
    for column, lengths in (("item_topics", {1, 2, 3}), ("viewer_interests", {0, 2, 3, 4, 5})):
        lists = feed.log[column].combine_chunks()
        assert set(pc.list_value_length(lists).unique().to_pylist()) == lengths
        assert set(lists.flatten().unique().to_pylist()) == set(words.TOPICS)
        pairs = pa.table({"row": pc.list_parent_indices(lists), "topic": lists.flatten()})
        assert pairs.group_by(["row", "topic"]).aggregate([]).num_rows == pairs.num_rows


def test_match_is_the_overlap_of_interests_and_topics(feed: Feed) -> None:
    table = feed.log.slice(0, 5000).filter(pc.is_valid(feed.log["viewer_topic_match"].slice(0, 5000)))
    interests, topics = table["viewer_interests"].to_pylist(), table["item_topics"].to_pylist()
    declared = np.array([len(listed) > 0 for listed in interests])
    overlap = np.array([bool(set(a) & set(b)) for a, b in zip(interests, topics, strict=True)])
    match = table["viewer_topic_match"].to_numpy()
    assert match[declared & overlap].min() > match[declared & ~overlap].max()


def test_an_item_has_one_author_topic_and_embedding_whenever_it_is_shown(feed: Feed) -> None:
    constant = ["content_type", "author_type", "author_followers", "content_length", "asks_question"]
    grouped = feed.log.group_by("item_id").aggregate([(name, "count_distinct") for name in constant])
    assert all(pc.max(grouped[f"{name}_count_distinct"]).as_py() == 1 for name in constant)
    embedding = feed.log["content_embedding"].combine_chunks().flatten().to_numpy().reshape(-1, EMBEDDING_SIZE)
    ids = feed.log["item_id"].to_numpy()
    _, first, of = np.unique(ids, return_index=True, return_inverse=True)
    assert np.array_equal(embedding, embedding[first][of])


def test_timestamps_rise_and_stay_on_their_day(feed: Feed) -> None:
    days = feed.numbers("timestamp").reshape(DAYS, ROWS) / 86_400_000 - (np.datetime64("2026-01-05") - 0).astype(int)
    assert np.array_equal(np.floor(days), np.repeat(np.arange(DAYS), ROWS).reshape(DAYS, ROWS))
    starts = days[feed.numbers("position").reshape(DAYS, ROWS) == 1]
    assert (np.diff(starts) >= 0).all()


def test_session_and_viewer_ids_are_consistent(feed: Feed) -> None:
    per_session = feed.log.group_by("session_id").aggregate(
        [("viewer_id", "count_distinct"), ("device", "count_distinct")]
    )
    assert pc.max(per_session["viewer_id_count_distinct"]).as_py() == 1
    assert pc.max(per_session["device_count_distinct"]).as_py() == 1
    assert per_session.num_rows == pc.sum(pc.equal(feed.log["position"], 1)).as_py()
