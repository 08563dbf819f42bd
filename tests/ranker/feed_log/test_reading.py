from pathlib import Path

import pyarrow as pa
import pytest

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, day_table, replaced


def test_batches_hold_the_columns_asked_for(feed_log: Path, columns: LogColumns) -> None:
    (unit,) = plan_day(feed_log, EVAL_DAY, columns)
    batches = list(read_unit(unit, columns.columns, batch_rows=15))
    assert [batch.num_rows for batch in batches] == [15, 15, 10]
    assert batches[0].schema.names == [column.name for column in columns.columns]
    clicks = [value for batch in batches for [value] in batch.column("click").to_pylist()]
    assert clicks == day_table(40)["click"].to_pylist()
    age = [value and value[0] for batch in batches for value in batch.column("age_hours").to_pylist()]
    assert age == day_table(40)["age_hours"].cast(pa.float32(), safe=False).to_pylist()


def test_a_bad_value_is_told_with_file_column_and_row(tmp_path: Path, write_day: WriteDay, columns: LogColumns) -> None:
    likes = [0] * 50
    likes[37] = 3
    path = write_day(0, replaced(day_table(50), "like", pa.array(likes)), row_group_size=20)
    (unit,) = plan_day(tmp_path / "log", EVAL_DAY, columns)
    with pytest.raises(FeedLogError) as raised:
        list(read_unit(unit, columns.columns, batch_rows=8))
    assert str(raised.value) == f"{path}: objective column 'like', row 37: 3; an objective is 0 or 1"


def test_a_damaged_file_is_named(feed_log: Path, columns: LogColumns) -> None:
    (unit,) = plan_day(feed_log, EVAL_DAY, columns)
    path = Path(unit.path)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(FeedLogError, match=f"{path}: cannot be read beyond row 0: "):
        list(read_unit(unit, columns.columns))


def _read(root: Path, columns: LogColumns, column: str) -> list[object]:
    units = plan_day(root, EVAL_DAY, columns)
    return [v for unit in units for b in read_unit(unit, columns.columns) for v in b.column(column).to_pylist()]


def test_whole_numbers_are_the_same_categories_with_and_without_gaps(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns
) -> None:
    """Integers with gaps, and a column without a value, leave pandas as doubles."""
    write_day(0, replaced(day_table(3, seed=1), "cohort", pa.array([1, 2, 3])), "a.parquet")
    write_day(0, replaced(day_table(3, seed=2), "cohort", pa.array([1.0, None, 3.0])), "b.parquet")
    write_day(0, replaced(day_table(2, seed=3), "cohort", pa.array([None, None], pa.float64())), "c.parquet")
    write_day(0, replaced(day_table(2, seed=4), "cohort", pa.array(["1", ""], pa.large_string())), "d.parquet")
    assert _read(tmp_path / "log", columns, "cohort") == [
        *([b"1"], [b"2"], [b"3"]),
        *([b"1"], None, [b"3"]),
        *(None, None),
        *([b"1"], None),
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [("cohort", [1.0, 2.5, None]), ("topics", [[1.0], [2.5, 3.0], None])],
)
def test_a_fraction_is_refused_with_file_column_and_value(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns, column: str, values: list[object]
) -> None:
    path = write_day(0, replaced(day_table(3), column, pa.array(values)))
    with pytest.raises(FeedLogError) as raised:
        _read(tmp_path / "log", columns, column)
    kind = "categorical" if column == "cohort" else "multi_valued"
    assert str(raised.value) == (
        f"{path}: {kind} column '{column}', row 1: 2.5; a category is a text or a whole number; for fractions "
        "write text, or make the column numeric"
    )
