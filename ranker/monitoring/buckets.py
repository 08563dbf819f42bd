"""Buckets that need no look at the data beforehand, so that the profiles of any two days can be compared.

A number's bucket is read off the bits of its float32: sign, exponent and four bits of the mantissa, sixteen buckets
between a number and its double. A category's bucket is a hash.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ranker.evaluation.buckets import Floats, Ints

_SHIFT = 23 - 4  # bits of a float32 below the four highest of its mantissa
_HALF = 1 << (31 - _SHIFT)

NUMBER_BUCKETS = 2 * _HALF
CATEGORY_BUCKETS = 2048

Objects = npt.NDArray[np.object_]


def number_bucket(values: npt.NDArray[np.float32]) -> Ints:
    """The bucket of each number, in [0, NUMBER_BUCKETS); a larger number is never in a lower bucket. No NaN."""
    # Adding zero makes one of the two zeros; the bits of a negative number fall as it grows, so they are flipped.
    bits = (values + np.float32(0.0)).view(np.int32)
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)
    return (ordered >> _SHIFT).astype(np.int64) + _HALF


def number_edges() -> Floats:
    """The least number of each bucket, [NUMBER_BUCKETS], ascending; NaN and infinity where no finite number belongs."""
    ordered = (np.arange(NUMBER_BUCKETS, dtype=np.int64) - _HALF) << _SHIFT
    bits = np.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).astype(np.int32)
    with np.errstate(invalid="ignore"):  # the buckets beyond the infinities are NaN as numbers
        return bits.view(np.float32).astype(np.float64)


def category_bucket(values: Objects) -> tuple[Ints, dict[int, str]]:
    """The bucket of each value, in [0, CATEGORY_BUCKETS), the same in every process, and a name of each bucket met.

    Args:
        values: [rows] of bytes.
    """
    codes, distinct = pd.factorize(values)
    if len(distinct) == 0:
        return np.zeros(len(values), np.int64), {}
    texts = np.array([value.decode("utf-8", "replace") for value in distinct], dtype=object)
    hashes = (pd.util.hash_array(texts, categorize=False) % np.uint64(CATEGORY_BUCKETS)).astype(np.int64)
    # Where values share a bucket, the name does not depend on which came first.
    names: dict[int, str] = {}
    for bucket, text in sorted(zip(hashes.tolist(), texts.tolist(), strict=True), reverse=True):
        names[bucket] = text
    return hashes[codes], names
