"""Examples in Transform's format, for the components after it."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tfx.types import standard_artifacts

from ranker import keys

FEATURES = [f"f{i}" for i in range(6)]
OBJECTIVES = ["click", "like"]


def tensors_of(rows: int, seed: int) -> dict[str, np.ndarray]:
    """The tensors of `rows` impressions; labels depend on the features, of which some are missing."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, len(FEATURES))).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    x = np.nan_to_num(features)
    labels = rng.random((rows, 2)) < 1 / (1 + np.exp(-2 * np.stack([x[:, 0] * x[:, 1], x[:, 2] - 1], 1)))
    return {
        keys.FOREST_FEATURES: features,
        keys.NUMERIC: rng.standard_normal((rows, 3)).astype(np.float32),
        "content": rng.standard_normal((rows, 4)).astype(np.float32),
        keys.LABELS: labels.astype(np.float32),
        keys.VIEWER_BUCKET: rng.integers(0, keys.VIEWER_BUCKETS, (rows, 1)),
    }


def write_examples(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Writes the tensors' rows as tf.Examples, gzipped if the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for i in range(len(next(iter(tensors.values())))):
            features = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=values[i]))
                if values.dtype == np.int64
                else tf.train.Feature(float_list=tf.train.FloatList(value=values[i]))
                for name, values in tensors.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def examples_artifact(root: Path, splits: dict[str, dict[str, dict[str, np.ndarray]]]) -> standard_artifacts.Examples:
    """An Examples artifact of split → file name → tensors."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(root)
    artifact.split_names = json.dumps(list(splits))
    for split, files in splits.items():
        for name, tensors in files.items():
            write_examples(root / f"Split-{split}" / name, tensors)
    return artifact
