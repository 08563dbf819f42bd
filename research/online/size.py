"""The size of an A/B test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Impressions of a feed (`ahead`) or of one of its days (`loop`), days that are ranked, and seeds."""

    impressions: int
    days: int
    seeds: int
