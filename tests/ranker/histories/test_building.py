"""Histories of a tiny feed log, checked impression by impression."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ranker.config.columns import Categorical, DenseEmbedding, EmbeddingHistory, Features, History, Keys
from ranker.config.rows import Rows
from ranker.features.hashing import hashes_of
from ranker.features.history_items import ACTION_BITS
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.planning import plan_day, plan_window
from ranker.feed_log.reading import read_unit
from ranker.histories import state
from ranker.histories.building import build_histories
from ranker.histories.reading import unit_rows
from ranker.histories.tables import day_tables

MONDAY = date(2026, 3, 2)
AUTHORS = History("authors", of="author_id", actions=("click", "like"), length=3, days=10)
CONTENTS = EmbeddingHistory("contents", of="content", actions=("like",), length=3, days=10, size=2)
Impression = tuple[str, str | None, int, int]  # viewer, author, click, like
LOG: list[list[Impression]] = [
    [("ann", "x", 1, 0), ("bob", "y", 0, 1), ("ann", "y", 0, 0)],
    [("ann", "x", 1, 1), ("ann", None, 1, 1), ("cat", "x", 0, 0)],
    [("ann", "z", 0, 1), ("bob", "x", 1, 0), ("dan", "x", 1, 0)],
    [("ann", "x", 0, 0), ("bob", "y", 1, 1), ("eve", "y", 0, 0)],
]
VECTORS = {"x": [3.0, 4.0], "y": [0.0, -2.0], "z": [5.0, 0.0], None: [0.0, 0.0]}
NAMES = {int(hashes_of(pa.array([[name.encode()]]))[0]): name for name in "xyz"}

WriteLog = Callable[..., Path]


def columns(*histories: History | EmbeddingHistory) -> LogColumns:
    features = Features(
        numeric=("hour",),
        categorical=(Categorical("device"),),
        dense=(DenseEmbedding("content", 2),),
        history=histories or (AUTHORS, CONTENTS),
    )
    return columns_of(("click", "like"), features, Keys())


def day_of(number: int) -> date:
    return MONDAY + timedelta(days=number)


def table(number: int, impressions: list[Impression]) -> pa.Table:
    count = len(impressions)
    begin = datetime.combine(day_of(number), datetime.min.time()) + timedelta(hours=9)
    viewers, authors, clicks, likes = zip(*impressions, strict=True)
    return pa.table(
        {
            "session_id": [f"s{number}-{row}" for row in range(count)],
            "viewer_id": list(viewers),
            "item_id": [f"i{row}" for row in range(count)],
            "timestamp": pa.array([begin + timedelta(minutes=row) for row in range(count)], pa.timestamp("ms")),
            "author_id": pa.array(authors, pa.string()),
            "hour": [9.0] * count,
            "device": ["ios"] * count,
            "content": [VECTORS[author] for author in authors],
            "click": list(clicks),
            "like": list(likes),
        }
    )


@pytest.fixture
def write_log(tmp_path: Path) -> WriteLog:
    def write(log: list[list[Impression]], **files: pa.Table) -> Path:
        for number, impressions in enumerate(log):
            folder = tmp_path / "log" / f"day-{day_of(number)}"
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table(number, impressions), folder / "part-0.parquet")
        return tmp_path / "log"

    return write


def rows_of(log: Path, number: int, read: LogColumns) -> list[dict[str, Any]]:
    """A day's rows with their histories."""
    units = plan_day(log, day_of(number), read)
    return pa.Table.from_batches(list(unit_rows(log, units, read))).to_pylist()


def histories(log: Path, number: int, read: LogColumns | None = None, name: str = "authors") -> list[list[str]]:
    """For each row of a day the items of its history, as the author and the actions."""
    rows = rows_of(log, number, read or columns(AUTHORS))
    return [[f"{NAMES[item >> ACTION_BITS]}{item & 127:02b}" for item in row[name] or []] for row in rows]


def test_a_viewer_has_the_newest_impressions_of_earlier_days(write_log: WriteLog) -> None:
    log = write_log(LOG)
    assert histories(log, 0) == [[], [], []]
    # Actions are bits, the first one on the right; impressions without an author are left out.
    assert histories(log, 1) == [["y00", "x01"], ["y00", "x01"], []]
    assert histories(log, 2) == [["x11", "y00", "x01"], ["y10"], []]
    assert histories(log, 3) == [["z10", "x11", "y00"], ["x01", "y10"], []]


def test_outcomes_of_a_day_change_no_history_of_that_day(write_log: WriteLog) -> None:
    before = [rows_of(write_log(LOG), number, columns()) for number in (2, 3)]
    changed = [[(viewer, author, 1 - click, 1 - like) for viewer, author, click, like in LOG[2]]]
    after = [rows_of(write_log([*LOG[:2], *changed, LOG[3]]), number, columns()) for number in (2, 3)]
    for name in ("authors", "contents"):
        assert [row[name] for row in after[0]] == [row[name] for row in before[0]]
        assert [row[name] for row in after[1]] != [row[name] for row in before[1]]


def test_rows_that_are_left_out_are_in_no_history(write_log: WriteLog) -> None:
    without_y = replace(columns(AUTHORS), rows=Rows(where=[("author_id", "not in", ["y"])]))
    assert histories(write_log(LOG), 3, without_y) == [["z10", "x11", "x01"]]


def test_tables_of_a_day_have_the_rows_that_are_kept_and_their_histories(write_log: WriteLog) -> None:
    log = write_log(LOG)
    file = log / f"day-{day_of(3)}" / "part-0.parquet"
    day = pq.read_table(file)
    viewers = pa.array([None, *day["viewer_id"].to_pylist()[1:]])
    pq.write_table(
        day.set_column(1, "viewer_id", viewers).append_column("is_bot", pa.array([True, False, False])), file
    )
    pq.write_table(pa.table({}), file.with_name("part-1.parquet"))  # without a row, a file need not have columns
    read = columns(AUTHORS)

    [located] = day_tables(log, day_of(3), read, 100, where=Rows(where=[("is_bot", "==", False)]).where)
    found = located.rows
    assert (located.path, located.numbers.tolist()) == (str(file), [1, 2])
    assert found.column("viewer_id").to_pylist() == ["bob", "eve"]
    assert [len(history or []) for history in found.column("authors").to_pylist()] == [2, 0]
    with pytest.raises(FeedLogError, match=r"'viewer_id', row 0: "):
        list(day_tables(log, day_of(3), read, 100))
    with pytest.raises(FeedLogError, match="no column 'market'"):
        list(day_tables(log, day_of(3), read, 100, where=Rows(where=[("market", "==", "de")]).where))
    pq.write_table(day.drop_columns(["viewer_id"]), file)
    with pytest.raises(FeedLogError, match="no column 'viewer_id'"):
        list(day_tables(log, day_of(3), read, 100))


def test_an_outcome_that_was_not_observed_did_not_happen(write_log: WriteLog) -> None:
    log = write_log(LOG)
    impressions = table(0, LOG[0])
    likes = pa.array([0, None, None])
    pq.write_table(
        impressions.set_column(impressions.schema.get_field_index("like"), "like", likes),
        log / f"day-{day_of(0)}" / "part-0.parquet",
    )
    assert histories(log, 2)[1] == ["y00"]  # bob's like is unknown


def test_embeddings_are_pooled_by_action(write_log: WriteLog) -> None:
    rows = rows_of(write_log(LOG), 3, columns())
    x, y, z = np.array([0.6, 0.8]), np.array([0.0, -1.0]), np.array([1.0, 0.0])
    nothing = np.zeros(2)  # the impression without an author has an embedding of length 0
    ann = [3, *((x + nothing + z) / 3), 3, *((x + nothing + z) / 3)]
    np.testing.assert_allclose(rows[0]["contents"], ann, atol=0.005)
    np.testing.assert_allclose(rows[1]["contents"], [2, *((y + x) / 2), 1, *y], atol=0.005)
    assert rows[2]["contents"] is None


def test_a_history_is_the_same_whatever_days_are_read_with_it(write_log: WriteLog) -> None:
    short = columns(History("authors", of="author_id", actions=("click", "like"), length=3, days=2))
    log = write_log(LOG)
    alone = [histories(log, number, short) for number in range(4)]
    assert alone[3] == [["z10", "x11"], ["x01"], []]  # Monday is three days ago
    plan = plan_window(log, day_of(3), 3, short)
    folder = str(log.parent / "histories")
    found = build_histories(log, [unit.day for unit in plan.units], short, folder)
    for unit in plan.units:
        [batch] = read_unit(unit, short.columns, computed=found)
        number = (unit.day - MONDAY).days
        assert batch.column("authors").to_pylist() == [row["authors"] for row in rows_of(log, number, short)]


@pytest.mark.parametrize("buffered", [1, 2, 1000])
def test_the_size_of_the_buffer_does_not_matter(
    write_log: WriteLog, monkeypatch: pytest.MonkeyPatch, buffered: int
) -> None:
    monkeypatch.setattr(state, "_BUFFERED", buffered)
    assert histories(write_log(LOG), 3) == [["z10", "x11", "y00"], ["x01", "y10"], []]


def test_viewers_not_seen_for_longest_are_forgotten(write_log: WriteLog) -> None:
    few = columns(History("authors", of="author_id", actions=("click", "like"), length=3, days=10, max_viewers=3))
    log = write_log([*LOG[:3], [("cat", "x", 0, 0), ("ann", "x", 0, 0), ("bob", "x", 0, 0), ("dan", "x", 0, 0)]])
    # Of ann, bob, cat and dan, cat was not there on the last day.
    assert [len(items) for items in histories(log, 3, few)] == [0, 3, 2, 1]
    assert [len(items) for items in histories(log, 3)] == [1, 3, 2, 1]


def test_memory_is_bounded_by_viewers_times_length(write_log: WriteLog) -> None:
    kept = state.HistoryState(History("a", of="b", actions=("click",), length=2, days=5, max_viewers=10))
    rng = np.random.default_rng(1)
    for number in range(20):
        for _ in range(3):
            viewer, time = rng.integers(0, 50, 100), rng.integers(0, 1000, 100)
            days = np.full(100, day_of(number).toordinal(), np.int32)
            kept.add(state.HistoryRows(viewer, days, time, np.arange(100), np.zeros((100, 0), np.int8)))
        rows = kept.before(day_of(number + 1))
        assert len(rows) <= 20
        assert len(np.unique(rows.viewer)) == 10


def test_a_log_that_has_the_column_is_taken_at_its_word(write_log: WriteLog) -> None:
    log = write_log(LOG)
    path = log / f"day-{day_of(2)}" / "part-0.parquet"
    logged = pa.array([[7, 5], None, []], pa.list_(pa.int32()))
    pq.write_table(table(2, LOG[2]).append_column("authors", logged), path)
    rows = rows_of(log, 2, columns())
    assert [row["authors"] for row in rows] == [[7, 5], None, None]
    assert rows[1]["contents"] is not None  # this one the log lacks
    assert build_histories(log, [day_of(2)], columns(AUTHORS), str(log.parent / "unused")) is None
    assert not (log.parent / "unused").exists()
    wrong = table(2, LOG[2]).append_column("authors", pa.array(["a", "b", "c"]))
    pq.write_table(wrong, path)
    with pytest.raises(FeedLogError, match="history column 'authors' is string; accepted are lists of integers"):
        rows_of(log, 2, columns())


def test_histories_of_categories_and_of_items(write_log: WriteLog) -> None:
    read = columns(
        History("devices", of="device", actions=("click",), days=10),
        History("items", of="item_id", actions=("like",), days=10),
    )
    [row, *_] = rows_of(write_log(LOG), 1, read)
    device = int(hashes_of(pa.array([[b"ios"]]))[0])
    assert row["devices"] == [device << ACTION_BITS, device << ACTION_BITS | 1]
    items = hashes_of(pa.array([[b"i2"], [b"i0"]])).tolist()
    assert row["items"] == [item << ACTION_BITS for item in items]


def test_an_earlier_day_without_the_column_is_an_error_that_names_it(write_log: WriteLog) -> None:
    log = write_log(LOG)
    path = log / f"day-{day_of(1)}" / "part-0.parquet"
    pq.write_table(table(1, LOG[1]).drop_columns(["author_id"]), path)
    with pytest.raises(FeedLogError, match=rf"{day_of(1)}.*no column 'author_id'"):
        rows_of(log, 3, columns(AUTHORS))


def test_a_reader_that_builds_no_histories_cannot_leave_them_out(write_log: WriteLog) -> None:
    read = columns(AUTHORS)
    [unit] = plan_day(write_log(LOG), day_of(1), read)
    with pytest.raises(ValueError, match=r"\['authors'\] are computed from earlier days"):
        list(read_unit(unit, read.columns))


def test_hashes_are_those_of_the_served_model() -> None:
    ids = pa.array([[b"a1"], None, [b"\xff\x00"], [b"a1"]], pa.list_(pa.binary()))
    assert hashes_of(ids).tolist() == [37536296786762031, 0, int(hashes_of(ids[2:3])[0]), 37536296786762031]
    assert pc.all(pc.less(pa.array(hashes_of(ids)), 2**56)).as_py()
