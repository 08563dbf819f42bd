"""The rivals' inputs: the same features as ours, for a network without a forest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker import keys
from ranker.config.columns import Features
from research.quality.rows import HeldOutDay, Rows

# A network needs inputs of order one; a few larger values are clipped.
_MOST = 10.0


@dataclass(frozen=True, eq=False)
class Inputs:
    """Attributes:
    dense: float32 [rows, columns].
    codes: int32 [rows, categorical columns].
    """

    dense: NDArray[np.float32]
    codes: NDArray[np.int32]


def vocabularies(train: Inputs) -> list[int]:
    """The number of codes per categorical column: those of the training days, and one for a value that they lack."""
    most: NDArray[np.int32] = train.codes.max(axis=0, initial=-1)
    return (most + 2).tolist()


def train_and_test(day: HeldOutDay) -> tuple[Inputs, Inputs]:
    """The rows of the training days and of the held-out day.

    Dense inputs are the normalised numeric features, a column per feature that marks missing values, the multi-hot
    columns with the logarithm of the number of values, and the content embeddings; all standardised by the training
    days. The codes of a category are those that the training days have, numbered without gaps, as a vocabulary may be
    much larger than what occurs.
    """
    raw = [_dense(rows, day.config.features) for rows in (day.train, day.test)]
    mean, deviation = raw[0].mean(axis=0), raw[0].std(axis=0)
    kept = deviation > 0
    dense = [((part[:, kept] - mean[kept]) / deviation[kept]).clip(-_MOST, _MOST) for part in raw]
    codes = _without_gaps(*(_codes(rows, day.config.features) for rows in (day.train, day.test)))
    train, test = (Inputs(*parts) for parts in zip(dense, codes, strict=True))
    return train, test


def _dense(rows: Rows, features: Features) -> NDArray[np.float32]:
    numeric, categorical = len(features.numeric), len(features.categorical)
    multi_valued = np.nan_to_num(rows.features[:, numeric + categorical :])
    embeddings = [rows.towers[feature.name] for feature in features.dense]
    parts = [np.isnan(rows.features[:, :numeric]), np.log1p(multi_valued), *embeddings]
    if numeric:
        parts.append(rows.towers[keys.NUMERIC])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _codes(rows: Rows, features: Features) -> NDArray[np.int32]:
    numeric = len(features.numeric)
    ranks = rows.features[:, numeric : numeric + len(features.categorical)]
    missing = np.array([feature.vocabulary_size + 1 for feature in features.categorical], np.float32)
    return np.where(np.isnan(ranks), missing, ranks).astype(np.int32)


def _without_gaps(train: NDArray[np.int32], test: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The codes of each column numbered by their order in the training rows; those that it lacks get the next one."""
    numbered = np.empty_like(train), np.empty_like(test)
    for column in range(train.shape[1]):
        known = np.unique(train[:, column])
        for codes, into in zip((train[:, column], test[:, column]), numbered, strict=True):
            place = np.searchsorted(known, codes)
            there = known[np.minimum(place, len(known) - 1)] == codes
            into[:, column] = np.where(there, place, len(known))
    return numbered
