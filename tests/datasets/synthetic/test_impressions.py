"""Sessions and what they show."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.datasets.synthetic.conftest import Feed


def test_positions_count_up_from_1_in_every_session(feed: Feed) -> None:
    sessions = feed.log["session_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    position = feed.numbers("position")
    first = np.flatnonzero(np.diff(sessions, prepend=-1))
    assert len(first) == sessions.max() + 1
    lengths = np.diff(np.append(first, len(sessions)))
    assert np.array_equal(position, np.arange(len(sessions)) - np.repeat(first, lengths) + 1)
    assert lengths.max() == 60
    assert 14 < lengths.mean() < 24


def test_no_session_shows_an_item_twice(feed: Feed) -> None:
    pairs = feed.log.select(["session_id", "item_id"]).group_by(["session_id", "item_id"]).aggregate([])
    assert pairs.num_rows == feed.log.num_rows


def test_items_are_shown_after_they_were_published_and_not_for_long(feed: Feed) -> None:
    age = feed.numbers("item_age_hours")
    assert age.min() > 0
    assert age.max() < 48
    assert np.median(age) < 14


def test_the_relation_of_viewer_and_author_does_not_change(feed: Feed) -> None:
    # The number of followers and the noisy rate identify an author.
    author = pa.array(feed.log["author_engagement_rate_30d"].to_numpy().view(np.int32))
    pairs = pa.table(
        {
            "viewer": feed.log["viewer_id"],
            "author": author,
            "followers": feed.log["author_followers"],
            "degree": feed.log["connection_degree"],
            "interactions": feed.log["interactions_90d"],
        }
    )
    grouped = pairs.group_by(["viewer", "author", "followers"]).aggregate(
        [("degree", "count_distinct"), ("interactions", "count_distinct"), ("degree", "count")]
    )
    assert pc.max(grouped["degree_count"]).as_py() > 3
    assert pc.max(grouped["degree_count_distinct"]).as_py() == 1
    assert pc.max(grouped["interactions_count_distinct"]).as_py() == 1


def test_days_since_an_interaction_are_known_where_there_was_one(feed: Feed) -> None:
    never = feed.numbers("interactions_90d") == 0
    assert np.array_equal(feed.log["days_since_interaction"].is_null().to_numpy(), never)
    days = feed.log["days_since_interaction"].drop_null().to_numpy()
    assert 0 <= days.min() <= days.max() <= 90


def test_viewers_are_not_connected_to_companies(feed: Feed) -> None:
    company = pc.equal(feed.log["author_type"], "company")
    assert "first" not in feed.log.filter(company)["connection_degree"].unique().to_pylist()
    assert feed.log.filter(company)["mutual_connections"].null_count == pc.sum(company).as_py()


def test_a_few_viewers_make_many_of_the_sessions(feed: Feed) -> None:
    sessions = feed.log.filter(pc.equal(feed.log["position"], 1))["viewer_id"].value_counts()
    counts = np.sort(pc.struct_field(sessions, "counts").to_numpy())[::-1]
    assert counts[: len(counts) // 10].sum() > 0.2 * counts.sum()


def test_desktop_use_falls_in_the_evening(feed: Feed) -> None:
    hour = feed.numbers("hour_local")
    desktop = np.array(feed.log["device"].to_pylist()) == "desktop_web"
    assert desktop[(hour >= 9) & (hour < 17)].mean() > 1.5 * desktop[hour >= 20].mean()
