"""A simple but real pushed model without a pipeline: one logistic regression per objective, on two feature columns."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from ranker.registry.layout import MANIFEST

NUMERIC = ("viewer_ctr_30d", "viewer_topic_match")
CATEGORY, VALUES = "content_type", ("article", "document", "image", "job", "poll", "text", "video")


class Regressions(tf.Module):
    """Serialised tf.Examples → one probability per objective."""

    def __init__(self, objectives: Sequence[str], weights: np.ndarray, biases: np.ndarray) -> None:
        super().__init__()
        self._objectives = tuple(objectives)
        self._weights = tf.constant(weights, tf.float32)
        self._biases = tf.constant(biases, tf.float32)
        self._spec = {name: tf.io.FixedLenFeature([], tf.float32, 0.0) for name in NUMERIC}
        self._spec[CATEGORY] = tf.io.FixedLenFeature([], tf.string, "")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, self._spec)
        columns = [parsed[name] for name in NUMERIC]
        columns += [tf.cast(parsed[CATEGORY] == value, tf.float32) for value in VALUES]
        logits = tf.stack(columns, axis=1) @ self._weights + self._biases
        return {name: tf.sigmoid(logits[:, i]) for i, name in enumerate(self._objectives)}


def push(feed_log: Path, days: Sequence[date], eval_day: date, objectives: Sequence[str], destination: Path) -> str:
    """Fits the model on the days of a feed log, pushes it as evaluated on `eval_day`, and returns the version."""
    tables = [pq.read_table(feed_log / f"day-{day}") for day in days]
    features = np.concatenate(
        [
            np.stack(
                [
                    *(np.nan_to_num(table[name].to_numpy().astype(np.float32)) for name in NUMERIC),
                    *((np.array(table[CATEGORY].to_pylist()) == value).astype(np.float32) for value in VALUES),
                ],
                axis=1,
            )
            for table in tables
        ]
    )
    weights, biases = [], []
    for objective in objectives:
        labels = np.concatenate([table[objective].to_numpy() for table in tables]).astype(int)
        fitted = LogisticRegression(C=1.0).fit(features, labels)
        weights.append(fitted.coef_[0])
        biases.append(fitted.intercept_[0])
    version = "1700000000"
    model = Regressions(objectives, np.stack(weights, axis=1), np.array(biases))
    tf.saved_model.save(model, str(destination / version), signatures={"serving_default": model.serve})
    manifest = destination / version / MANIFEST
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"eval_day": eval_day.isoformat(), "training_fingerprint": "f"}))
    return version
