"""Arrow tables: the candidates of sessions, the feed log and the truth."""

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

TASTES_AVERAGED_OUT = "_tastes_averaged_out"
"""The end of the truth's column for an objective with the hidden tastes averaged out, such as click's."""

_MS_PER_DAY = 86_400_000
_MS_PER_CARD = 1000 * SECONDS_PER_CARD
_COUNTERS_LAG_HOURS = 0.75
_GROWTH_HOURS = 12.0


def session_ids(day: date, chunk: int, sessions: Sessions) -> pa.StringArray:
    """One id per session, unique over all days."""
    return numbered(f"s{day:%Y%m%d}-{chunk:04d}-", len(sessions))


def candidate_batch(
    world: World, today: Today, sessions: Sessions, rows: Impressions, ids: pa.StringArray
) -> pa.RecordBatch:
    """The columns of the feed log that are known before a session is ranked; the timestamp is that of its start."""
    viewers, authors, items = world.viewers, world.authors, today.items
    session, viewer, item, author = (pa.array(index) for index in (rows.session, rows.viewer, rows.item, rows.author))
    since_midnight = (sessions.start[rows.session] - today.number) * _MS_PER_DAY
    columns: dict[str, pa.Array] = {
        "session_id": ids.take(session),
        "viewer_id": viewers.ids.take(viewer),
        "item_id": items.ids.take(item),
        "author_id": authors.ids.take(author),
        "timestamp": pa.array(today.midnight_ms + since_midnight.astype(np.int64)),
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
    }
    return pa.RecordBatch.from_pydict(columns)


def log_batch(
    shown: pa.RecordBatch, position: Ints, randomised: Bools, propensity: Floats, labels: Bools
) -> pa.RecordBatch:
    """The rows of the feed log, from candidates in the order shown, exposure, and labels [objectives, impressions]."""
    columns = dict(zip(shown.schema.names, shown.columns, strict=True))
    keys = {name: columns.pop(name) for name in ("session_id", "viewer_id", "item_id", "author_id")}
    shown_ms = columns.pop("timestamp").to_numpy() + _MS_PER_CARD * (position - 1)
    return pa.RecordBatch.from_pydict(
        {
            **keys,
            "timestamp": pa.array(shown_ms),
            "position": _count(position),
            "is_randomised": _flag(randomised),
            "propensity": _real(propensity),
            **columns,
            **{name: _flag(happened) for name, happened in zip(words.OBJECTIVES, labels, strict=True)},
        }
    )


def truth_batch(
    shown: pa.RecordBatch, examined: Floats, given_everything: Floats, tastes_averaged_out: Floats
) -> pa.RecordBatch:
    """Keys, the probability of examination, and both expectations of every objective, row for row with the log."""
    averaged = (f"{name}{TASTES_AVERAGED_OUT}" for name in words.OBJECTIVES)
    return pa.RecordBatch.from_pydict(
        {
            "session_id": shown["session_id"],
            "item_id": shown["item_id"],
            "examined": _real(examined),
            **{name: _real(values) for name, values in zip(words.OBJECTIVES, given_everything, strict=True)},
            **{name: _real(values) for name, values in zip(averaged, tastes_averaged_out, strict=True)},
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
