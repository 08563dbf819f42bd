from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError, open_parquet
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
    problem = "3; an objective is 0 or 1, or null if not observed"
    assert str(raised.value) == f"{path}: objective column 'like', row 37: {problem}"


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


def vectors(odd: Any, row: int, kind: pa.DataType) -> pa.Array:
    """Embeddings of 50 rows, of which one is odd."""
    return pa.array([[1.0, 2.0, 3.0]] * row + [odd] + [[1.0, 2.0, 3.0]] * (49 - row), kind)


def read_day(root: Path, columns: LogColumns) -> list[pa.RecordBatch]:
    units = plan_day(root, EVAL_DAY, columns)
    return [batch for unit in units for batch in read_unit(unit, columns.columns, batch_rows=4)]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 3)])
@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (None, "null; every impression needs an embedding of 3 numbers"),
        ([1.0, None, 3.0], "null at position 1; an embedding's numbers must be finite float32"),
        ([1.0, 2.0, float("nan")], "nan at position 2; an embedding's numbers must be finite float32"),
        ([float("-inf"), 2.0, 3.0], "-inf at position 0; an embedding's numbers must be finite float32"),
        ([1.0, 2.0], "an embedding of 2 numbers; the config says 3"),
        ([], "an embedding of 0 numbers; the config says 3"),
    ],
)
# pyarrow writes a null of a fixed-size list at the end of a row group alone; other writers do anywhere.
@pytest.mark.parametrize(("row_group_size", "row"), [(7, 34), (50, 49)])
def test_an_odd_embedding_is_told_with_its_row_in_the_file(
    tmp_path: Path,
    write_day: WriteDay,
    columns: LogColumns,
    kind: pa.DataType,
    odd: Any,
    said: str,
    row_group_size: int,
    row: int,
) -> None:
    if pa.types.is_fixed_size_list(kind) and odd is not None and len(odd) != 3:
        return
    path = write_day(0, replaced(day_table(50), "content", vectors(odd, row, kind)), row_group_size=row_group_size)
    with pytest.raises(FeedLogError) as raised:
        read_day(tmp_path / "log", columns)
    assert str(raised.value) == f"{path}: dense column 'content', row {row}: {said}"


@pytest.mark.parametrize(
    "nested",
    [
        pa.list_(pa.dictionary(pa.int32(), pa.string())),
        pa.large_list(pa.large_string()),
        pa.list_(pa.binary()),
        pa.list_(pa.string()),
    ],
)
def test_nulls_in_lists_of_texts_are_no_values(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns, nested: pa.DataType
) -> None:
    """Also if the values are dictionary-encoded in several row groups, which Arrow cannot read as such."""
    lists = [["a", None, "b"], None, [], [None], [""]] * 10
    ends = np.cumsum([0, *(len(values or []) for values in lists)])
    flat = pa.array([value for values in lists for value in values or []])
    value_type = nested.value_type
    elements = flat.dictionary_encode() if pa.types.is_dictionary(value_type) else flat.cast(value_type)
    build = pa.LargeListArray if pa.types.is_large_list(nested) else pa.ListArray
    offsets = pa.array(ends, pa.int64() if build is pa.LargeListArray else pa.int32())
    topics = build.from_arrays(offsets, elements, mask=pa.array([values is None for values in lists]))
    write_day(0, replaced(day_table(50), "topics", topics), row_group_size=7)
    batches = read_day(tmp_path / "log", columns)
    read = [values for batch in batches for values in batch.column("topics").to_pylist()]
    assert read == [[b"a", b"b"], None, None, None, None] * 10
    clicks = [value for batch in batches for [value] in batch.column("click").to_pylist()]
    assert clicks == day_table(50)["click"].to_pylist()


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        (
            "content",
            pa.array([[[1.0, 2.0, 3.0]]] * 5),
            "is list<element: list<element: double>>; accepted are lists of num",
        ),
        (
            "content",
            pa.array([{"x": 1.0, "y": 2.0}] * 5),
            "is struct<x: double, y: double>; accepted are lists of numbers",
        ),
        (
            "topics",
            pa.array([[["a"]], [None], None, [], [[]]]),
            "is list<element: list<element: string>>; accepted are",
        ),
        (
            "topics",
            pa.array([[{"name": "a"}]] * 5),
            "is list<element: struct<name: string>>; accepted are lists of str",
        ),
        ("device", pa.array([{"name": "ios"}] * 5), "is struct<name: string>; accepted are string"),
        ("age_hours", pa.array([[1.0], None, [], [None], [2.0]]), "is list<element: double>; accepted are bool, int"),
    ],
)
def test_a_nested_type_that_is_not_accepted_is_told_with_what_is(
    tmp_path: Path, write_day: WriteDay, columns: LogColumns, name: str, values: pa.Array, said: str
) -> None:
    path = write_day(0, replaced(day_table(5), name, values))
    with pytest.raises(FeedLogError) as raised:
        plan_day(tmp_path / "log", EVAL_DAY, columns)
    kind = next(column.kind for column in columns.columns if column.name == name)
    assert str(raised.value).startswith(f"{path}: {kind} column {name!r} {said}")


def test_the_types_of_parquet_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    table = pa.table({"a": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), "b": ["x", "ARROW:schema"]})
    pq.write_table(table, path)
    with open_parquet(str(path)) as file:
        assert pa.types.is_fixed_size_list(file.schema_arrow.field("a").type)
    with open_parquet(str(path), arrow_types=False) as file:
        assert pa.types.is_list(file.schema_arrow.field("a").type)
        assert file.read().to_pydict() == {"a": [[1.0, 2.0], None], "b": ["x", "ARROW:schema"]}
