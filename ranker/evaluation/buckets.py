"""Buckets of predicted probabilities with a constant relative width, and groups of viewers.

A probability's bucket is computed from the bits of a float. Every octave of min(p, 1 - p) has the same number of
buckets, so 0.003 is resolved as finely as 0.3, and 0.997 as finely as 0.003. The edges do not depend on the data, so
histograms of different shards can be added.
"""

import functools

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_OCTAVES = 24  # probabilities under 2**-25 (3e-8), and over one minus that, share a bucket
_BITS_PER_OCTAVE = 8  # 256 buckets per octave: neighbours differ by 0.2 to 0.4 %
_COARSE_BITS = 4  # 16 fine buckets make a coarse one
_SCORE_BITS = 6  # 64 fine buckets make one bucket of a score histogram: 4 per octave
_SHIFT = 52 - _BITS_PER_OCTAVE
_FIRST = int(np.float64(2.0 ** -(_OCTAVES + 1)).view(np.int64)) >> _SHIFT
_MIDDLE = _OCTAVES << _BITS_PER_OCTAVE  # the bucket of one half

FINE_BUCKETS = 2 * _MIDDLE + 1
COARSE_BUCKETS = ((FINE_BUCKETS - 1) >> _COARSE_BITS) + 1
SCORE_BUCKETS = ((FINE_BUCKETS - 1) >> _SCORE_BITS) + 1
VIEWER_GROUPS = 32


def fine_bucket(probability: Floats) -> Ints:
    """The bucket of each probability, any shape, in [0, FINE_BUCKETS); monotonic in the probability.

    Probabilities must lie in [0, 1].
    """
    # 1 - p is exact for a float32 p above one half, so the upper half is resolved as finely as the lower half.
    folded = np.minimum(probability, 1.0 - probability)
    code = np.maximum((folded.view(np.int64) >> _SHIFT) - _FIRST, 0)
    return np.where(probability <= 0.5, code, 2 * _MIDDLE - code)


def coarse_bucket(fine: Ints) -> Ints:
    """The coarse bucket, in [0, COARSE_BUCKETS), that holds each fine bucket."""
    return fine >> _COARSE_BITS


@functools.cache
def lower_edges() -> Floats:
    """The lowest probability of each fine bucket, [FINE_BUCKETS], ascending; the first is 0. Read-only.

    The bucket of one half contains only this value, so the next bucket has the same lower edge.
    """
    codes = np.arange(_MIDDLE + 2, dtype=np.int64)
    folded = ((codes + _FIRST) << _SHIFT).view(np.float64)
    upper_half = 1.0 - folded[1 : _MIDDLE + 1][::-1]
    edges = np.concatenate([folded[: _MIDDLE + 1], upper_half])
    edges[0] = 0.0
    edges.setflags(write=False)
    return edges


def score_counts(counts: Floats) -> Floats:
    """Impressions by score bucket, [SCORE_BUCKETS], from impressions by fine bucket, [FINE_BUCKETS]."""
    return np.add.reduceat(counts, np.arange(0, FINE_BUCKETS, 1 << _SCORE_BITS))


@functools.cache
def score_edges() -> Floats:
    """The edges of the score buckets, [SCORE_BUCKETS + 1], from 0 to 1. Read-only."""
    edges = np.append(lower_edges()[:: 1 << _SCORE_BITS], 1.0)
    edges.setflags(write=False)
    return edges


def viewer_groups(viewers: npt.NDArray[np.object_]) -> Ints:
    """The group of each viewer, [batch] in [0, VIEWER_GROUPS): a hash, the same in every process.

    Args:
        viewers: [batch] of bytes.
    """
    codes, distinct = pd.factorize(viewers)
    if len(distinct) == 0:
        return np.zeros(len(viewers), np.int64)
    texts = np.array([viewer.decode("utf-8", "replace") for viewer in distinct], dtype=object)
    hashes = pd.util.hash_array(texts, categorize=False)
    return (hashes % np.uint64(VIEWER_GROUPS)).astype(np.int64)[codes]
