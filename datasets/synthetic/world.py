"""The people on the network: viewers and authors, with their latent interests and the traits that the feed logs."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets.synthetic import vocabulary as words
from datasets.synthetic.vocabulary import Bools, Floats, Ints

STYLES = 4  # depth, warmth, controversy, craft
DEPTH, WARMTH, CONTROVERSY, CRAFT = range(STYLES)

_ROWS_PER_VIEWER = 4
_VIEWERS_PER_AUTHOR = 4
_MIN_VIEWERS = 2_500
_NEW_MEMBER_DAYS = 90


@dataclass(frozen=True)
class Viewers:
    """One entry per viewer.

    Attributes:
        ids: strings.
        cumulative_activity: [viewers], rises to 1; the step at a viewer is the viewer's share of the sessions.
        interests: [viewers, topics], non-negative rows of length 1.
        declared: the topics that a viewer follows, strongest first; empty where none are.
        is_new: joined recently, so that there are no rates of past behaviour.
        click, dwell, active, talk: how much more than average a viewer clicks, stays, reacts and comments; log-odds.
        scroll: number of cards that a viewer sees in a usual session.
        observed: column name → past rates, as they appear in the feed's features; NaN where missing.
    """

    ids: pa.StringArray
    cumulative_activity: Floats
    interests: Floats
    declared: pa.ListArray
    is_new: Bools
    click: Floats
    dwell: Floats
    active: Floats
    talk: Floats
    scroll: Floats
    industry: Ints
    seniority: Ints
    country: Ints
    utc_offset: Floats
    desktop_leaning: Floats
    mobile_device: Ints
    connections: Floats
    tenure_days: Floats
    sessions_7d: Floats
    observed: dict[str, Floats]


@dataclass(frozen=True)
class Authors:
    """One entry per author.

    Attributes:
        ids: strings.
        cumulative_output: [authors], rises to 1; the step at an author is the author's share of the posts.
        quality: how much more engaging than average the posts are, in standard deviations.
        replies: log-odds of answering a comment.
        reply_rate, engagement_rate: past rates, NaN where missing.
    """

    ids: pa.StringArray
    cumulative_output: Floats
    kind: Ints
    industry: Ints
    quality: Floats
    replies: Floats
    followers: Floats
    posts_30d: Floats
    engagement_rate: Floats
    reply_rate: Floats


@dataclass(frozen=True)
class World:
    """The part of the simulation that does not change from day to day."""

    viewers: Viewers
    authors: Authors


def make_world(rng: np.random.Generator, impressions_per_day: int) -> World:
    """A population that is large enough for that many impressions per day."""
    viewers = max(_MIN_VIEWERS, impressions_per_day // _ROWS_PER_VIEWER)
    return World(_make_viewers(rng, viewers), _make_authors(rng, viewers // _VIEWERS_PER_AUTHOR))


def sigmoid(logit: Floats) -> Floats:
    """Probability of a log-odds."""
    return 1.0 / (1.0 + np.exp(-logit))


def missing(values: Floats, where: Bools) -> Floats:
    """The values with NaN at the places given."""
    return np.where(where, np.float32(np.nan), values)


def _make_viewers(rng: np.random.Generator, count: int) -> Viewers:
    def normal(scale: float = 1.0) -> Floats:
        return np.float32(scale) * rng.standard_normal(count, np.float32)

    industry = rng.integers(len(words.INDUSTRIES), size=count)
    seniority = rng.choice(len(words.SENIORITIES), count, p=words.SENIORITY_SHARES)
    shares, offsets = np.array(list(words.COUNTRIES.values())).T
    country = rng.choice(len(words.COUNTRIES), count, p=shares / shares.sum())
    interests, declared = _interests(rng, industry)
    tenure_days = np.ceil(np.exp(6.6 + normal(1.2))).clip(1, 7300)
    is_new = tenure_days < _NEW_MEMBER_DAYS
    activity = np.exp(normal(1.0))
    # New members have no history to learn from, so their behaviour must depend little on their traits.
    spread = np.where(is_new, np.float32(0.2), np.float32(1.0))
    engagement = normal()
    click = spread * (0.4 * engagement + normal(0.45))
    dwell = spread * (0.3 * engagement + normal(0.5))
    active = spread * (0.7 * engagement + normal(0.8))
    talk = spread * (0.5 * active + normal(0.8))
    scroll = np.exp(2.6 + 0.15 * engagement + spread * normal(0.45)).clip(3, 60)
    return Viewers(
        ids=numbered("v", count),
        cumulative_activity=_cumulative(activity),
        interests=interests,
        declared=declared,
        is_new=is_new,
        click=click,
        dwell=dwell,
        active=active,
        talk=talk,
        scroll=scroll,
        industry=industry,
        seniority=seniority,
        country=country,
        utc_offset=offsets[country].astype(np.float32),
        desktop_leaning=normal(1.2),
        mobile_device=rng.choice([1, 2, 3], count, p=[0.42, 0.5, 0.08]),
        connections=np.floor(np.exp(5.0 + 0.25 * (seniority - 2) + normal(1.1))).clip(0, 30_000).astype(np.float32),
        tenure_days=tenure_days,
        sessions_7d=rng.poisson(4.0 * activity).astype(np.float32),
        observed={
            "viewer_ctr_30d": missing(sigmoid(-1.4 + click + normal(0.06)), is_new),
            "viewer_like_rate_30d": missing(sigmoid(-3.2 + active + normal(0.08)), is_new),
            "viewer_comment_rate_90d": missing(sigmoid(-4.4 + talk + normal(0.1)), is_new),
            "viewer_dwell_median_s": missing(np.exp(1.9 + 0.7 * dwell + normal(0.04)), is_new),
            "viewer_scroll_depth_30d": missing(scroll * np.exp(normal(0.04)), is_new),
        },
    )


def _interests(rng: np.random.Generator, industry: Ints) -> tuple[Floats, pa.ListArray]:
    """Interests of viewers in the given industries, and the topics that they declare to follow."""
    affinity = words.topic_affinity_of_industries()[industry]
    taste = affinity + rng.gumbel(size=affinity.shape).astype(np.float32)
    ranked = np.argsort(-taste, axis=1)
    cared_for = rng.integers(2, 6, len(industry))
    rank = np.argsort(ranked, axis=1)
    weights = np.where(rank < cared_for[:, None], 1.0 - 0.12 * rank, 0.06).astype(np.float32)
    shown = np.where(rng.random(len(industry)) < 0.06, 0, cared_for)
    flat = ranked[np.arange(len(words.TOPICS)) < shown[:, None]]
    return unit(weights), string_lists(flat, shown, words.TOPICS)


def _make_authors(rng: np.random.Generator, count: int) -> Authors:
    def normal(scale: float = 1.0) -> Floats:
        return np.float32(scale) * rng.standard_normal(count, np.float32)

    kind = rng.choice(len(words.AUTHOR_TYPES), count, p=words.AUTHOR_TYPE_SHARES)
    quality = normal()
    little_known = rng.random(count) < 0.2
    replies = np.array([0.2, -1.0, -0.6, -0.4], np.float32)[kind] + np.where(little_known, 0.1, 1.2) * normal()
    output = np.exp(normal(1.0)) * np.array([1.0, 3.0, 5.0, 2.0], np.float32)[kind]
    reach = np.array([6.0, 8.2, 10.5, 8.5], np.float32)[kind]
    return Authors(
        ids=numbered("a", count),
        cumulative_output=_cumulative(output),
        kind=kind,
        industry=rng.integers(len(words.INDUSTRIES), size=count),
        quality=quality,
        replies=replies.astype(np.float32),
        followers=np.floor(np.exp(reach + 0.3 * quality + normal(1.3))),
        posts_30d=rng.poisson(1.5 * output).astype(np.float32),
        engagement_rate=sigmoid(-3.0 + 0.45 * quality + normal(0.06)),
        reply_rate=missing(sigmoid(replies.astype(np.float32) - 0.5 + normal(0.08)), little_known),
    )


def unit(rows: Floats) -> Floats:
    """The rows scaled to length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def string_lists(flat: Ints, lengths: Ints, names: tuple[str, ...]) -> pa.ListArray:
    """Lists of names, from the concatenated indices into `names` and the length of each list."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, pa.array(names).take(pa.array(flat)))


def numbered(prefix: str, count: int) -> pa.StringArray:
    """Ids: the prefix and a number."""
    numbers = pc.utf8_lpad(pa.array(np.arange(count)).cast(pa.string()), 6, "0")
    return pc.binary_join_element_wise(prefix, numbers, "")


def _cumulative(weights: Floats) -> Floats:
    total = np.cumsum(weights, dtype=np.float64)
    return total / total[-1]
