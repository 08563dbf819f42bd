"""Permutation importance: what a model loses if the values of some columns are shuffled among impressions.

From Breiman, "Random forests" (2001). Columns that say nearly the same are shuffled together, as a model that has one
of them hardly misses the other.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ranker.evaluation import metrics
from ranker.evaluation.buckets import VIEWER_GROUPS, Floats, Ints, viewer_groups
from ranker.evaluation.importance import GroupImportance
from ranker.evaluation.intervals import Estimate, difference_interval
from ranker.evaluation.metrics import LOG_LOSS_FLOOR

Score = Callable[[list[bytes]], Mapping[str, npt.NDArray[np.float32]]]
"""Serialised tf.Examples → the probability of each objective, [rows]."""

_SEED = 20


def permutation_importance(
    score: Score,
    examples: Sequence[bytes],
    groups: Mapping[str, Sequence[str]],
    objectives: Sequence[str],
    viewer_key: str,
    confidence: float,
) -> tuple[GroupImportance, ...]:
    """What shuffling each group of columns costs, in the order of the groups.

    Args:
        score: the model.
        examples: impressions as serialised tf.Examples, with labels and viewers.
        groups: name → columns; a group is shuffled as a whole.
        objectives: the model's.
        viewer_key: the column that names the viewer.
        confidence: level of the intervals, which are paired and over viewers.
    """
    parsed = [tf.train.Example.FromString(example) for example in examples]
    labels = np.array([[_label(row.features.feature[name]) for row in parsed] for name in objectives])
    viewers = viewer_groups(np.array([_text(row.features.feature[viewer_key]) for row in parsed], object))
    order = np.random.default_rng(_SEED).permutation(len(parsed))
    before = _losses(score(list(examples)), objectives, labels)
    every_column = [column for columns in groups.values() for column in columns]
    parts = [_parts(row, every_column) for row in parsed]
    found = []
    for name, columns in groups.items():
        shuffled = [
            b"".join((own | {column: parts[donor][column] for column in columns}).values())
            for own, donor in zip(parts, order, strict=True)
        ]
        after = _losses(score(shuffled), objectives, labels)
        growth = {
            objective: _growth(before[o], after[o], labels[o], viewers, confidence)
            for o, objective in enumerate(objectives)
        }
        found.append(GroupImportance(name, tuple(columns), growth))
    return tuple(found)


def _label(feature: tf.train.Feature) -> float:
    """0 or 1, NaN where the outcome was not observed."""
    return float(feature.int64_list.value[0]) if feature.int64_list.value else math.nan


def _text(feature: tf.train.Feature) -> bytes:
    return feature.bytes_list.value[0] if feature.bytes_list.value else b""


def _parts(row: tf.train.Example, columns: Sequence[str]) -> dict[str, bytes]:
    """The columns of a row, each as a serialised Example, and under "" all others; joined they are the row again.

    A column that the row lacks has no bytes. The columns are removed from the row.
    """
    parts = dict.fromkeys(columns, b"")
    features = row.features.feature
    for column in columns:
        if column in features:
            alone = tf.train.Example()
            alone.features.feature[column].CopyFrom(features[column])
            parts[column] = alone.SerializeToString()
            del features[column]
    parts[""] = row.SerializeToString()
    return parts


def _losses(scores: Mapping[str, npt.NDArray[np.float32]], objectives: Sequence[str], labels: Floats) -> Floats:
    """The log loss of every impression, [objectives, rows]; that of an outcome that was not observed means nothing."""
    probability = np.stack([np.asarray(scores[name], np.float64).reshape(-1) for name in objectives])
    probability = probability.clip(LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR)
    return -np.log(np.where(labels == 1, probability, 1.0 - probability))


def _growth(before: Floats, after: Floats, labels: Floats, viewers: Ints, confidence: float) -> Estimate:
    """The increase of normalized entropy, with the interval over viewers."""
    observed = ~np.isnan(labels)
    before, after, labels, viewers = before[observed], after[observed], labels[observed], viewers[observed]
    change, positives, impressions = (
        np.bincount(viewers, weights=values, minlength=VIEWER_GROUPS)
        for values in (after - before, labels, np.ones(len(labels)))
    )
    with_rarer = min(np.count_nonzero(positives), np.count_nonzero(impressions - positives))
    return difference_interval(
        float(metrics.normalized_entropy(change.sum(), positives.sum(), impressions.sum())),
        metrics.normalized_entropy(change.sum() - change, positives.sum() - positives, impressions.sum() - impressions),
        impressions > 0,
        int(with_rarer),
        confidence,
    )
