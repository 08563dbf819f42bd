"""Input from leaf examples: all rows are read unchanged, in a reproducible random order."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.examples import example_files
from ranker.towers.data import LabelCounts, count_labels, training_batches, weighing_of
from ranker.towers.inputs import TowerInputs
from tests.ranker.towers.planted import (
    DENSE,
    INPUTS,
    KEYED_INPUTS,
    NUMERIC,
    OBJECTIVES,
    TREES,
    Impressions,
    impressions,
    keyed,
)

NAMES = [o.name for o in OBJECTIVES]
ROWS = 1000


def _floats(values: np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _integers(values: Sequence[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write_leaf_examples(
    directory: Path, rows: Impressions, files: int = 3, dtype: str = "<u2", weights: np.ndarray | None = None
) -> list[str]:
    codes = keyed(rows.tensors())
    for shard, indices in enumerate(np.array_split(np.arange(len(rows.labels)), files)):
        with tf.io.TFRecordWriter(str(directory / f"leaves-{shard:05d}-of-{files:05d}")) as writer:
            for i in indices:
                feature = {
                    keys.LEAVES: tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[rows.leaves[i].astype(dtype).tobytes()])
                    ),
                    keys.NUMERIC: _floats(rows.numeric[i]),
                    "content": _floats(rows.content[i]),
                    keys.LABELS: _floats(rows.labels[i]),
                    keys.VIEWER_BUCKET: _integers([i % 10]),
                    keys.CALIBRATION_KEY: _integers(codes[keys.CALIBRATION_KEY][i]),
                    keys.CATEGORICAL: _integers(codes[keys.CATEGORICAL][i]),
                    keys.HASHED_IDS: _integers(codes[keys.HASHED_IDS][i]),
                    **({} if weights is None else {keys.ROW_WEIGHT: _floats(weights[[i]])}),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return example_files(str(directory))


def _batches(
    files: Sequence[str], inputs: TowerInputs = INPUTS, epochs: int = 1, seed: int = 1, shuffle_buffer: int = 300
) -> list[dict[str, np.ndarray]]:
    return list(training_batches(files, inputs, len(NAMES), 128, shuffle_buffer, epochs, seed).as_numpy_iterator())


def _rows_of(batches: Sequence[dict[str, np.ndarray]]) -> list[bytes]:
    """Every row of every batch as bytes, in order."""
    columns = [
        np.concatenate([b[name] for b in batches]) for name in (keys.LEAVES, keys.NUMERIC, "content", keys.LABELS)
    ]
    return [b"".join(column[i].tobytes() for column in columns) for i in range(len(columns[0]))]


def _rows_in(rows: Impressions) -> list[bytes]:
    tensors = [rows.leaves, rows.numeric, rows.content, rows.labels]
    return [b"".join(tensor[i].tobytes() for tensor in tensors) for i in range(len(rows.labels))]


def test_every_epoch_holds_every_row_once_with_its_values_together(tmp_path: Path) -> None:
    rows = impressions(ROWS, seed=1)
    files = write_leaf_examples(tmp_path, rows)

    batches = _batches(files, epochs=2)

    assert [len(b[keys.LABELS]) for b in batches] == 2 * [*([128] * 7), 104]
    first, second = _rows_of(batches[:8]), _rows_of(batches[8:])
    assert sorted(first) == sorted(second) == sorted(_rows_in(rows))
    assert first != second
    assert batches[0][keys.LEAVES].dtype == np.int32


@pytest.mark.slow
def test_order_depends_only_on_the_seed(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(ROWS, seed=1))

    assert _rows_of(_batches(files, epochs=2)) == _rows_of(_batches(files, epochs=2))
    assert _rows_of(_batches(files)) != _rows_of(_batches(files, seed=2))


def test_forests_above_65536_leaves_take_four_bytes_per_leaf(tmp_path: Path) -> None:
    inputs = TowerInputs(trees=TREES, leaves=70_000, numeric=NUMERIC, dense={"content": DENSE})
    rows = impressions(10, seed=1)
    rows.leaves[3, 5] = 69_999
    files = write_leaf_examples(tmp_path, rows, dtype="<u4")

    assert sorted(_rows_of(_batches(files, inputs))) == sorted(_rows_in(rows))


@pytest.mark.slow
def test_rows_of_another_forest_are_refused(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(10, seed=1))
    more_trees = TowerInputs(trees=TREES + 1, leaves=INPUTS.leaves, numeric=NUMERIC, dense={"content": DENSE})
    fewer_leaves = TowerInputs(trees=TREES, leaves=INPUTS.leaves - 8, numeric=NUMERIC, dense={"content": DENSE})

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"should be 26 bytes, 2 for each of 13 trees"):
        _batches(files, more_trees)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"the forest has 88 leaves; a row holds a larger id"):
        _batches(files, fewer_leaves)


@pytest.mark.slow
def test_codes_stay_with_their_row_and_are_read_only_if_needed(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(ROWS, seed=1))

    for name in (keys.CALIBRATION_KEY, keys.CATEGORICAL, keys.HASHED_IDS):
        assert name not in _batches(files)[0]
        for batch in _batches(files, KEYED_INPUTS):
            np.testing.assert_array_equal(batch[name], keyed(batch)[name])


@pytest.mark.slow
def test_codes_of_another_config_are_refused(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(10, seed=1))

    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`calibration_key` has 2 values; a row holds a larger one"
    ):
        _batches(files, replace(KEYED_INPUTS, calibration_keys=2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="`categorical` has 3 values; a row holds a larger one"):
        _batches(files, replace(KEYED_INPUTS, categorical=(3, 3)))
    fewer = tuple(replace(column, buckets=column.buckets - 1) for column in KEYED_INPUTS.ids)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`hashed_ids` has 5 values; a row holds a larger one"):
        _batches(files, replace(KEYED_INPUTS, ids=fewer))


def test_without_a_forest_no_leaves_are_read(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(ROWS, seed=1))
    batches = _batches(files, replace(INPUTS, trees=0, leaves=0))
    assert sum(len(batch[keys.LABELS]) for batch in batches) == ROWS
    assert keys.LEAVES not in batches[0]


def test_counts_rows_and_positives(tmp_path: Path) -> None:
    rows = impressions(ROWS, seed=1)

    counts = count_labels(write_leaf_examples(tmp_path, rows), NAMES)

    assert counts.rows == ROWS
    np.testing.assert_array_equal(counts.positives, rows.labels.sum(axis=0))
    np.testing.assert_allclose(counts.base_rates, rows.labels.mean(axis=0), rtol=1e-6)


@pytest.mark.slow
def test_labels_with_gaps_and_weighted_rows_weigh_on_the_loss(tmp_path: Path) -> None:
    rows = impressions(ROWS, seed=1)
    random = np.random.default_rng(2)
    weight, gone = random.choice([0.5, 1.0, 4.0], ROWS), random.random(rows.labels.shape) < 0.3
    labels = np.where(gone, np.nan, rows.labels).astype(np.float32)
    files = write_leaf_examples(tmp_path, replace(rows, labels=labels), weights=weight)

    counts = count_labels(files, NAMES)

    effective = np.where(gone, 0.0, weight[:, None])
    assert counts.rows == ROWS
    assert counts.weights is not None
    np.testing.assert_allclose(counts.weights, effective.sum(axis=0) / weight.mean(), rtol=1e-6)
    expected = (effective * rows.labels).sum(axis=0) / effective.sum(axis=0)
    np.testing.assert_allclose(counts.base_rates, expected, rtol=1e-6)

    weighing = weighing_of(counts)
    batches = list(training_batches(files, INPUTS, len(NAMES), 128, 300, 1, 1, weighing=weighing).as_numpy_iterator())
    found, weights = (np.concatenate([b[name] for b in batches]) for name in (keys.LABELS, keys.LOSS_WEIGHTS))
    assert np.isin(found, (0, 1)).all()
    assert keys.ROW_WEIGHT not in batches[0]
    assert (weights == 0).sum() == gone.sum()
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, rtol=1e-5)
    np.testing.assert_allclose((weights * found).sum(axis=0) / weights.sum(axis=0), expected, rtol=1e-5)


def test_base_rates_stay_inside_zero_and_one() -> None:
    np.testing.assert_allclose(LabelCounts(100, np.array([0.0, 100.0])).base_rates, [0.005, 0.995])


@pytest.mark.slow
def test_an_objective_without_labels_is_refused_by_a_cold_start_and_weighs_nothing_in_a_continued_one(
    tmp_path: Path,
) -> None:
    rows = impressions(ROWS, seed=1)
    gone = np.array(NAMES) == NAMES[1]
    files = write_leaf_examples(tmp_path, replace(rows, labels=np.where(gone, np.nan, rows.labels).astype(np.float32)))
    with pytest.raises(ValueError, match=rf"no label of the objectives \['{NAMES[1]}'\] is observed"):
        count_labels(files, NAMES)

    counts = count_labels(files, NAMES, may_lack=True)
    np.testing.assert_array_equal(counts.has_labels, ~gone)
    expected = np.where(gone, 0.5, rows.labels.mean(axis=0))
    np.testing.assert_allclose(counts.base_rates, expected, rtol=1e-6)
    weighing = weighing_of(counts)
    batches = list(training_batches(files, INPUTS, len(NAMES), 128, 300, 1, 1, weighing=weighing).as_numpy_iterator())
    weights = np.concatenate([batch[keys.LOSS_WEIGHTS] for batch in batches])
    np.testing.assert_allclose(weights.mean(axis=0), ~gone, rtol=1e-5)


def test_files_without_any_label_are_refused(tmp_path: Path) -> None:
    rows = impressions(ROWS, seed=1)
    files = write_leaf_examples(tmp_path, replace(rows, labels=np.full_like(rows.labels, np.nan)))
    with pytest.raises(ValueError, match="no label of the objectives"):
        count_labels(files, NAMES, may_lack=True)


def test_the_rates_of_less_than_one_impression_stay_inside_zero_and_one() -> None:
    counts = LabelCounts(10, np.array([0.0, 0.3, 0.4]), weights=np.array([0.4, 0.4, 0.4]))
    np.testing.assert_allclose(counts.rates_in_loss, [0.25, 0.75, 0.75])


def test_another_number_of_labels_is_refused(tmp_path: Path) -> None:
    files = write_leaf_examples(tmp_path, impressions(10, seed=1))

    with pytest.raises(
        ValueError, match=r"leaves-00000-of-00003 does not hold \[labels float32 \[2\], .*\] in every row"
    ):
        count_labels(files, NAMES[:2])


def test_files_without_rows_are_refused(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "leaves-00000-of-00001")):
        pass
    with pytest.raises(ValueError, match="no row in 1 files"):
        count_labels(example_files(str(tmp_path)), NAMES)
