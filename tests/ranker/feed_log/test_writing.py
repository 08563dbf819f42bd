"""Days of a feed log are written atomically: completely or not at all."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.feed_log.layout import FeedLogError, day_files, list_days
from ranker.feed_log.writing import day_folder, day_writer, write_day
from ranker.files import interrupted, remove_leftovers
from tests.ranker.test_files import interrupt_replacement

DAY = date(2026, 1, 5)


def table(rows: int, offset: int = 0) -> pa.Table:
    numbers = range(offset, offset + rows)
    return pa.table(
        {
            "item_id": [f"i{n}" for n in numbers],
            "score": [n / 7 for n in numbers],
            "topics": [["ai", "sales"][: n % 3] for n in numbers],
        }
    )


def parts(root: Path) -> list[Path]:
    return sorted(day_folder(root, DAY).iterdir())


def test_a_table_comes_back_from_the_day_folder(tmp_path: Path) -> None:
    assert write_day(tmp_path / "log", DAY, table(100)) == 100
    assert day_folder(tmp_path / "log", DAY) == tmp_path / "log" / "day-2026-01-05"
    assert pq.read_table(day_folder(tmp_path / "log", DAY)) == table(100)
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["day-2026-01-05"]


def test_batches_are_written_one_at_a_time(tmp_path: Path) -> None:
    written_before: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for offset in (0, 40, 80):
            written_before.append(len(list(tmp_path.rglob("*.parquet"))))
            yield from table(40, offset).to_batches()

    assert write_day(tmp_path, DAY, batches()) == 120
    assert written_before == [0, 1, 1]
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(120)


def test_a_new_file_begins_after_rows_per_file(tmp_path: Path) -> None:
    write_day(tmp_path, DAY, [table(40, offset).to_batches()[0] for offset in (0, 40, 80)], rows_per_file=50)
    assert [pq.read_metadata(path).num_rows for path in parts(tmp_path)] == [80, 40]
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(120)


def test_strings_are_dictionary_encoded_and_floats_are_not(tmp_path: Path) -> None:
    write_day(tmp_path, DAY, table(10))
    group = pq.read_metadata(parts(tmp_path)[0]).row_group(0)
    encoded = {
        group.column(i).path_in_schema: "RLE_DICTIONARY" in group.column(i).encodings for i in range(group.num_columns)
    }
    assert encoded == {"item_id": True, "score": False, "topics.list.element": True}


def test_an_existing_day_is_kept_unless_overwritten(tmp_path: Path) -> None:
    write_day(tmp_path, DAY, table(10))
    with pytest.raises(FileExistsError, match="day-2026-01-05 already exists"):
        write_day(tmp_path, DAY, table(20))
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(10)
    write_day(tmp_path, DAY, table(20), overwrite=True)
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(20)
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-01-05"]


@pytest.mark.parametrize("rows", [[], table(0), table(0).to_batches()])
def test_a_day_without_rows_is_an_error(tmp_path: Path, rows: pa.Table | list[pa.RecordBatch]) -> None:
    with pytest.raises(ValueError, match=r"day-2026-01-05: a day needs at least one row"):
        write_day(tmp_path, DAY, rows)
    assert list(tmp_path.iterdir()) == []


def test_batches_of_different_schemas_are_an_error_that_names_the_columns(tmp_path: Path) -> None:
    other = pa.record_batch({"item_id": ["i"], "score": pa.array([1], pa.int64()), "topics": [["ai"]]})
    with pytest.raises(ValueError, match=r"differ in \['score'\]"):
        write_day(tmp_path, DAY, [*table(5).to_batches(), other])
    assert list(tmp_path.iterdir()) == []


def test_when_writing_fails_the_day_stays_unchanged(tmp_path: Path) -> None:
    write_day(tmp_path, DAY, table(10))

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table(20).to_batches()
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_day(tmp_path, DAY, batches(), overwrite=True)
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(10)
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-01-05"]


def test_an_incomplete_day_does_not_look_like_a_day(tmp_path: Path) -> None:
    with day_writer(tmp_path, DAY) as writer:
        writer.write(table(20).to_batches()[0])
        assert list(tmp_path.glob("day-*")) == []
    assert writer.rows == 20
    assert list(tmp_path.glob("day-*")) == [day_folder(tmp_path, DAY)]


def test_a_day_that_a_killed_writer_was_replacing_is_named_and_not_lost(tmp_path: Path) -> None:
    other = date(2026, 1, 6)
    for day in (DAY, other):
        write_day(tmp_path, day, table(10))
    interrupt_replacement(day_folder(tmp_path, DAY))
    [former] = interrupted(tmp_path).values()
    said = (
        f"feed log {tmp_path}: day-2026-01-05 is missing, as it was being replaced; if nothing is writing it any more, "
        f"write the day again, or rename {former.name} to day-2026-01-05 to keep the former one"
    )
    for read in (lambda: list_days(tmp_path), lambda: day_files(tmp_path, DAY)):
        with pytest.raises(FeedLogError, match=f"^{re.escape(said)}$"):
            read()
    assert day_files(tmp_path, date(2026, 1, 7)) is None
    assert [file.path for file in day_files(tmp_path, other) or ()] == [
        f"{day_folder(tmp_path, other)}/part-00000.parquet"
    ]
    with pytest.raises(FileExistsError, match="already"):
        write_day(tmp_path, DAY, table(20))
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(10)
    interrupt_replacement(day_folder(tmp_path, DAY))
    write_day(tmp_path, DAY, table(20), overwrite=True)
    assert list_days(tmp_path) == [DAY, other]
    assert pq.read_table(day_folder(tmp_path, DAY)) == table(20)


def test_leftovers_of_a_killed_writer_are_removed_and_days_are_not(tmp_path: Path) -> None:
    write_day(tmp_path, DAY, table(10))
    (tmp_path / ".day-2026-01-01.abc.tmp" / "part").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-01-05"]
