"""The distribution of one model's scores."""

from dataclasses import dataclass

import numpy as np

from ranker.evaluation.buckets import SCORE_BUCKETS, Floats, score_edges


@dataclass(frozen=True)
class ScoreHistogram:
    """Impressions by score bucket, from the first to the last occupied bucket.

    Attributes:
        first_bucket: the index of the first bucket among all SCORE_BUCKETS.
        edges: the edges of the buckets; probabilities, [buckets + 1].
        impressions: impressions per bucket, [buckets].
    """

    first_bucket: int
    edges: tuple[float, ...]
    impressions: tuple[float, ...]

    @staticmethod
    def of(counts: Floats) -> "ScoreHistogram":
        """The histogram from impressions by score bucket, [SCORE_BUCKETS]."""
        occupied = np.flatnonzero(counts)
        first, end = (int(occupied[0]), int(occupied[-1]) + 1) if len(occupied) else (0, 1)
        return ScoreHistogram(
            first_bucket=first,
            edges=tuple(score_edges()[first : end + 1].tolist()),
            impressions=tuple(counts[first:end].tolist()),
        )

    def counts(self) -> Floats:
        """Impressions of every score bucket, [SCORE_BUCKETS]."""
        counts = np.zeros(SCORE_BUCKETS)
        counts[self.first_bucket : self.first_bucket + len(self.impressions)] = self.impressions
        return counts
