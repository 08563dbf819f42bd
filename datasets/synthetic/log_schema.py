"""Impressions as Arrow: the columns of the feed log and of the truth."""

from datetime import date

import numpy as np
import pyarrow as pa

from datasets.synthetic import vocabulary as words
from datasets.synthetic.impressions import SECONDS_PER_CARD, Impressions, Sessions
from datasets.synthetic.inventory import EMBEDDING_SIZE, Items
from datasets.synthetic.signals import topic_trend
from datasets.synthetic.today import Today
from datasets.synthetic.vocabulary import Bools, Floats, Ints
from datasets.synthetic.world import World, numbered

_MS_PER_DAY = 86_400_000
_COUNTERS_LAG_HOURS = 0.75
_GROWTH_HOURS = 12.0


def session_ids(day: date, chunk: int, sessions: Sessions) -> pa.StringArray:
    """One id per session, unique over all days."""
    return numbered(f"s{day:%Y%m%d}-{chunk:04d}-", len(sessions))


def log_batch(
    world: World,
    today: Today,
    sessions: Sessions,
    rows: Impressions,
    labels: Bools,
    ids: pa.StringArray,
) -> pa.RecordBatch:
    """The rows of the feed log, from impressions, labels [objectives, impressions] and session ids."""
    viewers, authors, items = world.viewers, world.authors, today.items
    session, viewer, item = (pa.array(index) for index in (rows.session, rows.viewer, rows.item))
    since_midnight = (sessions.start[rows.session] - today.number) * _MS_PER_DAY
    shown_ms = since_midnight + 1000 * SECONDS_PER_CARD * (rows.position - 1)
    columns: dict[str, pa.Array] = {
        "session_id": ids.take(session),
        "viewer_id": viewers.ids.take(viewer),
        "item_id": items.ids.take(item),
        "timestamp": pa.array(today.midnight_ms + shown_ms.astype(np.int64)),
        "position": _count(rows.position),
        "hour_local": _count(sessions.hour_local[rows.session]),
        "hours_since_last_visit": _real(sessions.hours_since_last_visit[rows.session]),
        "viewer_connections": _count(viewers.connections[rows.viewer]),
        "viewer_tenure_days": _count(viewers.tenure_days[rows.viewer]),
        "viewer_sessions_7d": _count(viewers.sessions_7d[rows.viewer]),
        **{name: _real(values[rows.viewer]) for name, values in viewers.observed.items()},
        "author_followers": _count(authors.followers[rows.author]),
        "author_posts_30d": _count(authors.posts_30d[rows.author]),
        "author_engagement_rate_30d": _real(authors.engagement_rate[rows.author]),
        "author_reply_rate_90d": _real(authors.reply_rate[rows.author]),
        "item_age_hours": _real(rows.age_hours),
        **_counters(items, rows),
        "item_quality_score": _real(items.quality_score[rows.item]),
        "content_length": _count(items.length[rows.item]),
        "asks_question": _flag(items.asks[rows.item]),
        "topic_trend": _real(topic_trend(today)[rows.item]),
        "viewer_topic_match": _real(np.where(viewers.is_new[rows.viewer], np.float32(np.nan), rows.match)),
        "interactions_90d": _count(rows.interactions),
        "days_since_interaction": _count(rows.days_since),
        "mutual_connections": _count(rows.mutual),
        "same_industry": _flag(rows.same_industry),
        "device": _word(sessions.device[rows.session], words.DEVICES),
        "surface": _word(sessions.surface[rows.session], words.SURFACES),
        "day_of_week": _word(np.full(len(rows), today.date.weekday()), words.WEEKDAYS),
        "viewer_country": _word(viewers.country[rows.viewer], tuple(words.COUNTRIES)),
        "viewer_industry": _word(viewers.industry[rows.viewer], words.INDUSTRIES),
        "viewer_seniority": _word(viewers.seniority[rows.viewer], words.SENIORITIES),
        "author_type": _word(authors.kind[rows.author], words.AUTHOR_TYPES),
        "content_type": _word(items.kind[rows.item], words.CONTENT_TYPES),
        "connection_degree": _word(rows.degree, words.DEGREES),
        "viewer_interests": viewers.declared.take(viewer),
        "item_topics": items.listed_topics.take(item),
        "content_embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(items.embedding[rows.item].reshape(-1)), EMBEDDING_SIZE
        ),
        **{name: _flag(happened) for name, happened in zip(words.OBJECTIVES, labels, strict=True)},
    }
    return pa.RecordBatch.from_pydict(columns)


def truth_batch(items: Items, rows: Impressions, probability: Floats, ids: pa.StringArray) -> pa.RecordBatch:
    """Keys and the true probability of every objective, in the order of the feed log's rows."""
    return pa.RecordBatch.from_pydict(
        {
            "session_id": ids.take(pa.array(rows.session)),
            "item_id": items.ids.take(pa.array(rows.item)),
            **{name: pa.array(values) for name, values in zip(words.OBJECTIVES, probability, strict=True)},
        }
    )


def _counters(items: Items, rows: Impressions) -> dict[str, pa.Array]:
    """The counts of an item's impressions and reactions so far; missing for the newest items."""
    impressions = np.floor(items.reach[rows.item] * -np.expm1(-rows.age_hours / np.float32(_GROWTH_HOURS)))
    impressions[rows.age_hours < _COUNTERS_LAG_HOURS] = np.nan
    rates = {"likes": items.like_rate, "comments": items.comment_rate, "reshares": items.reshare_rate}
    return {
        "item_impressions": _count(impressions),
        **{f"item_{what}": _count(np.floor(impressions * rate[rows.item])) for what, rate in rates.items()},
    }


def _real(values: Floats) -> pa.Array:
    return pa.array(values.astype(np.float32, copy=False), from_pandas=True)


def _count(values: Floats | Ints) -> pa.Array:
    if values.dtype.kind != "f":
        return pa.array(values.astype(np.int32))
    gone = np.isnan(values)
    return pa.array(np.where(gone, 0, values).astype(np.int32), mask=gone)


def _flag(values: Bools) -> pa.Array:
    return pa.array(values.astype(np.int8))


def _word(codes: Ints, names: tuple[str, ...]) -> pa.Array:
    return pa.array(names).take(pa.array(codes))
