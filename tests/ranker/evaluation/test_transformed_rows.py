"""Reading Transform's rows, and the columns that they are made of."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Categorical, DenseEmbedding, Features, MultiValued
from ranker.evaluation.transformed_rows import read_rows

FEATURES = Features(
    numeric=("age",),
    categorical=(Categorical("device"),),
    multi_valued=(MultiValued("tags", vocabulary_size=2),),
    dense=(DenseEmbedding("photo", size=2), DenseEmbedding("text", size=2, forest=True)),
)


def write(path: Path, rows: int, first: int) -> str:
    """Row n has the forest's inputs n, n + 0.1, …, the photo (n, -n) and the labels (n is even, n is 3)."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for n in range(first, first + rows):
            floats = {
                keys.FOREST_FEATURES: [n + i / 10 for i in range(len(FEATURES.forest_names))],
                "photo": [n, -n],
                keys.LABELS: [n % 2 == 0, n == 3],
            }
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=values)) for name, values in floats.items()
            }
            features[keys.VIEWER_BUCKET] = tf.train.Feature(int64_list=tf.train.Int64List(value=[100 + n]))
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


def test_every_column_has_its_inputs_in_each_sampled_row(tmp_path: Path) -> None:
    files = {write(tmp_path / "a", 4, first=0): 2, write(tmp_path / "b", 2, first=10): 1}
    rows = read_rows(files, FEATURES, objectives=2)
    number = np.array([0, 2, 10, 11], np.float32)
    columns = dict(rows.columns(FEATURES))
    assert list(columns) == list(FEATURES.names)
    np.testing.assert_allclose(columns["age"], number[:, None])
    np.testing.assert_allclose(columns["device"], number[:, None] + 0.1)
    np.testing.assert_allclose(columns["tags"], number[:, None] + [0.2, 0.3, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(columns["photo"], np.stack([number, -number], axis=1))
    np.testing.assert_allclose(columns["text"], number[:, None] + [0.5, 0.6], rtol=1e-6)
    np.testing.assert_array_equal(rows.outcomes.labels, [[True, False], [True, False], [True, False], [False, False]])
    np.testing.assert_array_equal(rows.outcomes.viewers, 100 + number)


def test_files_without_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hold no rows"):
        read_rows({write(tmp_path / "a", 0, first=0): 1}, FEATURES, objectives=2)
