"""Impressions that a day has more than once, in whatever files and encoding."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.config.columns import Keys
from ranker.feed_log import repeats
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.feed_log.repeats import KeyHashes, Repeats, find_repeats, repeats_warning
from tests.small_feed_log import EVAL_DAY, FEATURES, OBJECTIVES, day_table, replaced, times

ROWS = 60


def written(root: Path, files: Sequence[pa.Table], day: date = EVAL_DAY) -> Path:
    """A day with these files, every second one in other bytes than usual."""
    folder = root / f"day-{day}"
    folder.mkdir(parents=True)
    for number, table in enumerate(files):
        compression, rows = ("zstd", len(table) // 3) if number % 2 else ("snappy", len(table))
        pq.write_table(table, folder / f"part-{number}.parquet", compression=compression, row_group_size=rows)
    return root


def found(root: Path, columns: LogColumns, day: date = EVAL_DAY) -> Repeats:
    units = plan_day(root, day, columns)
    parts = []
    for unit in units:
        hashes = KeyHashes(columns, sum(unit.rows for unit in units))
        for batch in read_unit(unit, columns.columns):
            hashes.add(batch)
        parts.append(hashes.to_bytes())
    return find_repeats(parts)


def twice(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table])


@pytest.mark.parametrize(
    ("files", "repeated"),
    [
        ([day_table(ROWS)], 0),
        ([day_table(ROWS), day_table(ROWS)], ROWS),
        ([twice(day_table(ROWS))], ROWS),
        ([day_table(ROWS), day_table(ROWS).take(list(range(9, 29))[::-1])], 20),
        ([day_table(ROWS).slice(0, 40), day_table(ROWS).slice(20)], 20),
        ([twice(twice(day_table(ROWS)))], 3 * ROWS),
        # Other values beside the keys, and keys of other types.
        ([day_table(ROWS), replaced(day_table(ROWS), "click", pa.array([1] * ROWS))], ROWS),
        (
            [day_table(ROWS), replaced(day_table(ROWS), "timestamp", times(ROWS, EVAL_DAY).cast(pa.timestamp("ms")))],
            ROWS,
        ),
        # Another item, another session, or the same ones at another time.
        ([day_table(ROWS), replaced(day_table(ROWS), "item_id", pa.array([f"j{i}" for i in range(ROWS)]))], 0),
        ([day_table(ROWS), replaced(day_table(ROWS), "session_id", pa.array(["other"] * ROWS))], 0),
        ([replaced(day_table(ROWS), "item_id", pa.array(["same"] * ROWS))], 0),
        # A session and an item that change places.
        ([day_table(ROWS).rename_columns({"session_id": "item_id", "item_id": "session_id"}), day_table(ROWS)], 0),
    ],
)
def test_rows_with_the_keys_of_another_row_are_counted(
    tmp_path: Path, columns: LogColumns, files: list[pa.Table], repeated: int
) -> None:
    assert found(written(tmp_path, files), columns) == Repeats(sum(map(len, files)), repeated)


def test_of_a_large_day_a_part_is_compared(
    tmp_path: Path, columns: LogColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "COMPARED_ROWS", 800)
    table = day_table(4_000)
    root = written(tmp_path, [table, table.slice(1_000, 2_000)])
    seen = found(root, columns)
    assert seen.compared == pytest.approx(800, rel=0.15)
    [warning] = repeats_warning(root, {EVAL_DAY: seen}, {EVAL_DAY: 6_000}, columns)
    said = re.search(r": about ([\d,]+) of the 6,000 rows repeat another row", warning)
    assert said is not None
    assert int(said[1].replace(",", "")) == pytest.approx(2_000, rel=0.15)


def test_the_warning_names_day_rows_and_columns(tmp_path: Path) -> None:
    keys = Keys(session="visit", viewer="viewer_id", item="article", timestamp="shown at")
    columns = columns_of(OBJECTIVES, FEATURES, keys)
    days = [EVAL_DAY - timedelta(days=back) for back in (3, 2, 1, 0)]
    rows = dict(zip(days, (5, 60, 70, 80), strict=True))
    counts = {day: Repeats(rows[day], repeated) for day, repeated in zip(days, (0, 1, 7, 0), strict=True)}
    assert repeats_warning(tmp_path, counts, rows, columns) == (
        f"{tmp_path}/day-2024-03-02: 1 of the 60 rows repeats another row of the day in 'visit', 'article' and "
        "'shown at'; such an impression counts once for each of its rows (and 1 more such day)",
    )
    [warning] = repeats_warning(tmp_path, {day: Repeats(9, 2) for day in days}, dict.fromkeys(days, 9), columns)
    assert warning.startswith(f"{tmp_path}/day-2024-03-01: 2 of the 9 rows repeat another row")
    assert warning.endswith(" (and 3 more such days)")


@pytest.mark.parametrize(("repeated", "warnings"), [(0, 0), (2, 0), (3, 1)])
def test_a_few_repeats_are_usual(tmp_path: Path, columns: LogColumns, repeated: int, warnings: int) -> None:
    counts = {EVAL_DAY: Repeats(200, repeated)}
    assert len(repeats_warning(tmp_path, counts, {EVAL_DAY: 200}, columns)) == warnings
