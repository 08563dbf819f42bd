"""A work unit as TFRecord shards of tf.Examples."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import WorkUnit, plan_day
from ranker.feed_log.reading import read_unit
from ranker.feed_log.shards import write_unit
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, day_table, replaced


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def unit(feed_log: Path, columns: LogColumns) -> WorkUnit:
    """40 rows for three shards of a split of five."""
    (unit,) = plan_day(feed_log, EVAL_DAY, columns)
    return replace(unit, first_shard=1, shards=3, shards_in_split=5)


def shards(folder: Path) -> dict[str, list[bytes]]:
    files = sorted(folder.iterdir())
    return {file.name: list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()) for file in files}


def test_rows_are_shared_out_evenly_and_in_order(
    unit: WorkUnit, columns: LogColumns, tmp_path: Path, scratch: Path
) -> None:
    write_unit(unit, columns.columns, str(tmp_path / "split"), str(scratch))
    written = shards(tmp_path / "split")
    assert {name: len(examples) for name, examples in written.items()} == {
        "data_tfrecord-00001-of-00005": 13,
        "data_tfrecord-00002-of-00005": 13,
        "data_tfrecord-00003-of-00005": 14,
    }
    examples = [tf.train.Example.FromString(example) for part in written.values() for example in part]
    clicks = [example.features.feature["click"].int64_list.value[0] for example in examples]
    assert clicks == day_table(40)["click"].to_pylist()
    assert list(scratch.iterdir()) == []


def test_every_value_comes_back_and_what_is_missing_stays_missing(
    unit: WorkUnit, columns: LogColumns, tmp_path: Path, scratch: Path
) -> None:
    write_unit(unit, columns.columns, str(tmp_path / "split"), str(scratch))
    written = [example for part in shards(tmp_path / "split").values() for example in part]
    decoded = ExamplesToRecordBatchDecoder().DecodeBatch(written)
    expected = pa.Table.from_batches(list(read_unit(unit, columns.columns)))
    assert sorted(decoded.schema.names) == sorted(expected.schema.names)
    for name in expected.schema.names:
        assert decoded.column(decoded.schema.get_field_index(name)).to_pylist() == expected[name].to_pylist(), name
    topics = expected["topics"].to_pylist()
    assert None in topics
    # Without a value, a parser fills in its default.
    parsed = tf.io.parse_example(
        written, {"age_hours": tf.io.FixedLenFeature([], tf.float32, -1.0), "topics": tf.io.RaggedFeature(tf.string)}
    )
    ages = [-1.0 if age is None else age[0] for age in expected["age_hours"].to_pylist()]
    assert parsed["age_hours"].numpy().tolist() == ages
    assert parsed["topics"].to_list() == [row or [] for row in topics]


def test_a_unit_that_is_tried_again_writes_the_same_examples(
    unit: WorkUnit, columns: LogColumns, tmp_path: Path, scratch: Path
) -> None:
    for _ in range(2):
        write_unit(unit, columns.columns, str(tmp_path / "split"), str(scratch))
    assert sum(map(len, shards(tmp_path / "split").values())) == 40


def test_a_bad_row_leaves_no_part_of_its_shard(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns, scratch: Path
) -> None:
    likes = [0] * 50
    likes[37] = 3
    write_day(0, replaced(day_table(50), "like", pa.array(likes)))
    (unit,) = plan_day(tmp_path / "log", EVAL_DAY, columns)
    with pytest.raises(FeedLogError, match="row 37: 3; an objective is 0 or 1"):
        write_unit(unit, columns.columns, str(tmp_path / "split"), str(scratch))
    assert not list(scratch.iterdir())
    assert not (tmp_path / "split").exists() or not list((tmp_path / "split").iterdir())
