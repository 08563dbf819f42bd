"""Sessions of viewers, and the items offered in each, before they are ranked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.synthetic import vocabulary as words
from datasets.synthetic.inventory import DAYS_SHOWN
from datasets.synthetic.today import Today
from datasets.synthetic.vocabulary import Bools, Floats, Ints
from datasets.synthetic.world import Viewers, World, missing, sigmoid

MAX_SESSION_LENGTH = 60
SECONDS_PER_CARD = 4

_MIN_SESSION_LENGTH = 4
_MEAN_AGE_DAYS = 0.6
_MAX_AGE_DAYS = 1.9
# Sessions per hour of UTC, with peaks from viewers in the Americas and in Europe.
_SESSIONS_BY_HOUR = (5, 4, 4, 4, 5, 6, 7, 8, 8, 7, 7, 8, 10, 11, 11, 10, 10, 10, 9, 9, 8, 7, 6, 5)


@dataclass(frozen=True)
class Sessions:
    """One entry per visit, ordered by time."""

    viewer: Ints
    start: NDArray[np.float64]  # days since the start of the feed
    length: Ints
    device: Ints
    surface: Ints
    hour_local: Floats
    hours_since_last_visit: Floats

    def __len__(self) -> int:
        return len(self.viewer)


@dataclass(frozen=True)
class Impressions:
    """One entry per item offered; the first four attributes are indices into Sessions, Viewers, Items and Authors.

    Attributes:
        match: cosine between the interests of the viewer and the topics of the item.
        degree: how the viewer knows the author, an index into DEGREES.
        interactions: times that the viewer reacted to the author in the last 90 days.
        days_since: days since the last of these reactions, NaN where there was none.
        mutual: number of connections that the viewer and the author share.
    """

    session: Ints
    viewer: Ints
    item: Ints
    author: Ints
    age_hours: Floats
    match: Floats
    degree: Ints
    interactions: Floats
    days_since: Floats
    mutual: Floats
    same_industry: Bools

    def __len__(self) -> int:
        return len(self.session)


def draw_sessions(
    rng: np.random.Generator, viewers: Viewers, today: Today, rows: int, day_part: tuple[float, float]
) -> Sessions:
    """Sessions with a total of `rows` impressions, within the part of the day's visits between two quantiles."""
    lengths = _MIN_SESSION_LENGTH + np.floor(rng.gamma(1.6, 9.0, rows // _MIN_SESSION_LENGTH + 1)).astype(np.int64)
    ends = np.cumsum(np.minimum(lengths, MAX_SESSION_LENGTH))
    count = int(np.searchsorted(ends, rows)) + 1
    length = np.diff(np.minimum(ends[:count], rows), prepend=0)

    hours = np.cumsum((0, *_SESSIONS_BY_HOUR)) / sum(_SESSIONS_BY_HOUR)
    quantiles = day_part[0] + np.sort(rng.random(count)) * (day_part[1] - day_part[0])
    # No session starts in the last minutes, so that all impressions fall on the day.
    start = today.number + np.interp(quantiles, hours, np.arange(len(hours)) / len(_SESSIONS_BY_HOUR)) * 0.995
    viewer = np.searchsorted(viewers.cumulative_activity, rng.random(count))
    hour_local = (start % 1 * 24 + viewers.utc_offset[viewer]) % 24
    at_work = (np.abs(hour_local - 13) < 5) & (not today.is_weekend)
    desktop = rng.random(count) < sigmoid(viewers.desktop_leaning[viewer] + np.where(at_work, 0.4, -1.6))
    gap = 168.0 / (1.0 + viewers.sessions_7d[viewer]) * np.exp(0.9 * rng.standard_normal(count))
    first_visit = viewers.is_new[viewer] & (rng.random(count) < 0.3)
    return Sessions(
        viewer=viewer,
        start=start,
        length=length,
        device=np.where(desktop, words.DESKTOP, viewers.mobile_device[viewer]),
        surface=rng.choice(len(words.SURFACES), count, p=words.SURFACE_SHARES),
        hour_local=np.floor(hour_local).astype(np.float32),
        hours_since_last_visit=missing(np.float32(0.2) + gap.astype(np.float32), first_visit),
    )


def draw_impressions(
    rng: np.random.Generator, world: World, today: Today, sessions: Sessions, seed: int
) -> Impressions:
    """The items offered in each session.

    Each impression of a session draws from its own range of item ages, so that no session shows an item twice. Two
    items are drawn, and the one that fits the viewer better or has more reach is offered.
    """
    items = today.items
    session = np.repeat(np.arange(len(sessions)), sessions.length)
    place = np.arange(len(session)) - np.repeat(np.cumsum(sessions.length) - sessions.length, sessions.length)
    viewer, start = sessions.viewer[session], sessions.start[session]

    per_day = len(items) // DAYS_SHOWN
    length = sessions.length[session]
    newest = (start - (today.number - DAYS_SHOWN + 1)) * per_day
    low = np.floor(newest - _age((place + 1) / length) * per_day).astype(np.int64)
    high = np.floor(newest - _age(place / length) * per_day).astype(np.int64)
    interests = world.viewers.interests[viewer]
    offered = [low + np.floor(rng.random(len(session)) * (high - low)).astype(np.int64) for _ in range(2)]
    matches = [np.einsum("ij,ij->i", interests, items.topics[item]) for item in offered]
    appeal = [2.0 * match + 0.25 * np.log(items.reach[item]) for match, item in zip(matches, offered, strict=True)]
    second = appeal[1] > appeal[0]
    item = np.where(second, offered[1], offered[0])
    author = items.author[item]
    same_industry = world.viewers.industry[viewer] == world.authors.industry[author]
    degree, interactions, days_since, mutual = _relation(world, viewer, author, same_industry, seed)
    return Impressions(
        session=session,
        viewer=viewer,
        item=item,
        author=author,
        age_hours=((start - items.published[item]) * 24).astype(np.float32),
        match=np.where(second, matches[1], matches[0]),
        degree=degree,
        interactions=interactions,
        days_since=days_since,
        mutual=mutual,
        same_industry=same_industry,
    )


def _age(quantile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Age in days of the items that a feed shows: exponential, truncated at the oldest."""
    return -_MEAN_AGE_DAYS * np.log1p(-quantile * -np.expm1(-_MAX_AGE_DAYS / _MEAN_AGE_DAYS))


def _relation(
    world: World, viewer: Ints, author: Ints, same_industry: Bools, seed: int
) -> tuple[Ints, Floats, Floats, Floats]:
    """How well a viewer knows an author: a function of only the pair, the same at every impression."""
    chance, fervour, recency, overlap = _pair_uniforms(viewer, author, seed)
    degree = np.digitize(chance - np.float32(0.08) * same_industry, [0.38, 0.55, 0.86])
    kind = world.authors.kind[author]
    # Viewers are not connected to companies.
    degree = np.where((kind == words.COMPANY) & (degree == words.FIRST), words.FOLLOWED, degree)
    usual = np.array([1.6, 0.9, 0.12, 0.0], np.float32)[degree]
    interactions = np.floor(usual * (fervour / (1 - fervour)) ** np.float32(0.85)).clip(0, 400)
    since = 90 * (1 - (1 - recency) ** (1 / np.maximum(interactions, 1)))
    known = np.array([0.06, 0.02, 0.025, 0.0], np.float32)[degree] * world.viewers.connections[viewer]
    mutual = np.floor(known * (overlap / (1 - overlap)) ** np.float32(0.6))
    return degree, interactions, missing(np.floor(since), interactions == 0), missing(mutual, kind == words.COMPANY)


def _pair_uniforms(viewer: Ints, author: Ints, seed: int) -> Floats:
    """[4, pairs] numbers strictly between 0 and 1 that depend only on the pair and the seed.

    A splitmix64 hash (Steele et al., "Fast splittable pseudorandom number generators", 2014), split into four parts.
    """
    with np.errstate(over="ignore"):
        bits = viewer.astype(np.uint64) << np.uint64(32) | author.astype(np.uint64)
        bits += np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
    quarters = (bits[None] >> np.array([[0], [16], [32], [48]], np.uint64)) & np.uint64(0xFFFF)
    return (quarters.astype(np.float32) + np.float32(0.5)) / np.float32(65536)
