"""Buckets that do not depend on the data, so that the profiles of any two days can be compared.

A number's bucket is computed from the bits of its float32: sign, exponent and four bits of the mantissa, so there are
sixteen buckets per factor of two. A category's bucket is a hash.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ranker.evaluation.buckets import Floats, Ints

_SHIFT = 23 - 4  # the bits of a float32 below the four highest bits of its mantissa
_HALF = 1 << (31 - _SHIFT)

NUMBER_BUCKETS = 2 * _HALF
CATEGORY_BUCKETS = 2048

Objects = npt.NDArray[np.object_]


def number_bucket(values: npt.NDArray[np.float32]) -> Ints:
    """The bucket of each number, in [0, NUMBER_BUCKETS); monotonic in the number. NaN is not allowed."""
    # Adding zero turns -0 into 0. The bits of negative numbers are in descending order, so they are flipped.
    bits = (values + np.float32(0.0)).view(np.int32)
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)
    return (ordered >> _SHIFT).astype(np.int64) + _HALF


def infinite_buckets() -> Ints:
    """The buckets of minus infinity and infinity, [2]; no finite number is in them."""
    return number_bucket(np.array([-np.inf, np.inf], np.float32))


def number_edges() -> Floats:
    """The lowest number of each bucket, [NUMBER_BUCKETS], ascending; NaN or infinity if it has no finite numbers."""
    ordered = (np.arange(NUMBER_BUCKETS, dtype=np.int64) - _HALF) << _SHIFT
    bits = np.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).astype(np.int32)
    with np.errstate(invalid="ignore"):  # the bits beyond the infinities are NaN
        return bits.view(np.float32).astype(np.float64)


def category_bucket(values: Objects) -> tuple[Ints, dict[int, str]]:
    """The bucket of each value, in [0, CATEGORY_BUCKETS), the same in every process, and a name per occupied bucket.

    Args:
        values: [rows] of bytes.
    """
    codes, distinct = pd.factorize(values)
    if len(distinct) == 0:
        return np.zeros(len(values), np.int64), {}
    texts = np.array([value.decode("utf-8", "replace") for value in distinct], dtype=object)
    hashes = (pd.util.hash_array(texts, categorize=False) % np.uint64(CATEGORY_BUCKETS)).astype(np.int64)
    # If values share a bucket, its name must not depend on their order.
    names: dict[int, str] = {}
    for bucket, text in sorted(zip(hashes.tolist(), texts.tolist(), strict=True), reverse=True):
        names[bucket] = text
    return hashes[codes], names
