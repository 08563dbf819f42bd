"""The posted items: those of one day, and those of previous days that are still shown."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from datasets.synthetic import vocabulary as words
from datasets.synthetic.drift import mood_of, seeded
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.vocabulary import Bools, Floats, Ints
from datasets.synthetic.world import (
    CONTROVERSY,
    CRAFT,
    DEPTH,
    STYLES,
    WARMTH,
    World,
    missing,
    numbered,
    string_lists,
    unit,
)

EMBEDDING_SIZE = 32
DAYS_SHOWN = 3  # the day itself and two before it

_ROWS_PER_ITEM = 20
_MIN_ITEMS = 480
_PROJECTION_SEED = 32


@dataclass(frozen=True)
class Items:
    """Posts ordered by publication time, one entry per item.

    Attributes:
        published: days since the start of the feed, with a fraction; negative before it.
        topics: [items, topics], non-negative rows of length 1.
        styles: [items, styles], depth, warmth, controversy and craft in standard deviations.
        quality: how much more engaging than average an item is, in standard deviations.
        quality_score: an estimate of the quality, NaN where there is none.
        reach: the item's final number of impressions on the entire network.
        like_rate, comment_rate, reshare_rate: shares of these impressions with a reaction.
        embedding: [items, EMBEDDING_SIZE], a fixed projection of topics and styles with a little noise.
        listed_topics: names of the topics, strongest first.
    """

    published: Floats
    author: Ints
    kind: Ints
    topics: Floats
    styles: Floats
    quality: Floats
    quality_score: Floats
    length: Floats
    asks: Bools
    reach: Floats
    like_rate: Floats
    comment_rate: Floats
    reshare_rate: Floats
    embedding: Floats
    listed_topics: pa.ListArray
    ids: pa.StringArray

    def __len__(self) -> int:
        return len(self.published)


def items_per_day(settings: FeedParameters) -> int:
    """Items published per day, enough that no session has to show an item twice."""
    return max(_MIN_ITEMS, settings.impressions_per_day // _ROWS_PER_ITEM)


def items_shown(world: World, day: int, settings: FeedParameters) -> Items:
    """The items published on `day` and on the previous days that are still shown, the same number for each day."""
    days = [_items_of(world, published, settings) for published in range(day - DAYS_SHOWN + 1, day + 1)]
    columns = {field.name: [getattr(items, field.name) for items in days] for field in fields(Items)}
    return Items(
        **{
            name: pa.concat_arrays(parts) if isinstance(parts[0], pa.Array) else np.concatenate(parts)
            for name, parts in columns.items()
        }
    )


def _items_of(world: World, day: int, settings: FeedParameters) -> Items:
    rng = seeded(settings.seed, "items", day + DAYS_SHOWN)
    count = items_per_day(settings)

    def normal(scale: float = 1.0) -> Floats:
        return np.float32(scale) * rng.standard_normal(count, np.float32)

    authors = world.authors
    author = np.searchsorted(authors.cumulative_output, rng.random(count))
    kind = rng.choice(len(words.CONTENT_TYPES), count, p=words.CONTENT_TYPE_SHARES)
    popularity = mood_of(max(day, 0), settings.seed, settings.drift).topics
    topics, listed = _topics(rng, authors.industry[author], popularity)
    styles = rng.standard_normal((count, STYLES), np.float32)
    quality = np.float32(0.65) * authors.quality[author] + np.float32(0.5) * styles[:, CRAFT] + normal(0.55)
    controversy, warmth = styles[:, CONTROVERSY], styles[:, WARMTH]
    typical_length = np.array([5.8, 5.2, 7.2, 5.3, 6.2, 4.8, 7.4], np.float32)[kind]
    return Items(
        published=day + (np.arange(count) + rng.random(count)) / count,
        author=author,
        kind=kind,
        topics=topics,
        styles=styles,
        quality=quality,
        quality_score=missing(quality + normal(0.12), rng.random(count) < 0.08),
        length=np.floor(np.exp(typical_length + np.float32(0.45) * styles[:, DEPTH] + normal(0.5))),
        asks=rng.random(count) < np.where(kind == words.POLL, 0.95, 0.18),
        reach=np.exp(0.45 * np.log1p(authors.followers[author]) + 0.4 * quality + normal(1.0) + np.float32(1.5)),
        like_rate=np.exp(-3.4 + 0.45 * quality + 0.3 * warmth + normal(0.15)),
        comment_rate=np.exp(-5.0 + 0.35 * quality + 0.45 * controversy + normal(0.2)),
        reshare_rate=np.exp(-5.6 + 0.5 * quality + 0.3 * styles[:, DEPTH] + normal(0.2)),
        embedding=_embed(rng, topics, styles),
        listed_topics=listed,
        ids=numbered(f"i{day + DAYS_SHOWN:04d}-", count),
    )


def _topics(rng: np.random.Generator, industry: Ints, popularity: Floats) -> tuple[Floats, pa.ListArray]:
    """One to three topics per item, preferably of the author's industry or popular ones."""
    leaning = 0.8 * words.topic_affinity_of_industries()[industry] + popularity
    ranked = np.argsort(-(leaning + rng.gumbel(size=leaning.shape)), axis=1)
    counts = rng.choice([1, 2, 3], len(industry), p=[0.35, 0.4, 0.25])
    rank = np.argsort(ranked, axis=1)
    weights = np.where(rank < counts[:, None], 1.0 - 0.2 * rank, 0.0).astype(np.float32)
    flat = ranked[np.arange(len(words.TOPICS)) < counts[:, None]]
    return unit(weights), string_lists(flat, counts, words.TOPICS)


def _embed(rng: np.random.Generator, topics: Floats, styles: Floats) -> Floats:
    latent = np.hstack([2.0 * topics, styles]).astype(np.float32)
    square = np.random.default_rng(_PROJECTION_SEED).standard_normal((EMBEDDING_SIZE, EMBEDDING_SIZE))
    projection = np.linalg.qr(square)[0][: latent.shape[1]].astype(np.float32)
    return latent @ projection + np.float32(0.05) * rng.standard_normal((len(latent), EMBEDDING_SIZE), np.float32)
