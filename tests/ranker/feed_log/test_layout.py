import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from ranker.feed_log import layout as feed_log
from ranker.feed_log.layout import (
    FeedLogError,
    day_files,
    latest_day,
    list_days,
    open_parquet,
    parse_day,
    window_days,
)
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, day_table

WINDOW = window_days(EVAL_DAY, 3)


def test_window_ends_with_the_eval_day_and_crosses_months() -> None:
    assert window_days(date(2024, 3, 1), 2) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


@pytest.mark.parametrize("text", ["2024-02-30", "20240203", "2024-W05-3", "yesterday", ""])
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(FeedLogError, match=f"'{text}' is not a day; write it as YYYY-MM-DD"):
        parse_day(text)


def test_latest_day_ignores_incomplete_folders(feed_log: Path) -> None:
    for name in (".day-2031-01-01.x.tmp", "_day-2031-01-01", "day-2031-01-01.tmp", "notes"):
        (feed_log / name).mkdir()
    assert latest_day(feed_log) == EVAL_DAY
    assert list_days(feed_log) == WINDOW


def test_a_uri_reads_like_a_path(feed_log: Path) -> None:
    uri = feed_log.as_uri()
    assert latest_day(uri) == EVAL_DAY
    files = day_files(uri, EVAL_DAY)
    assert files is not None
    assert open_parquet(files[0].path).metadata.num_rows == 40


def test_a_day_folder_that_names_no_day_is_an_error(feed_log: Path) -> None:
    (feed_log / "day-2024-13-01").mkdir()
    with pytest.raises(FeedLogError, match="folder 'day-2024-13-01': '2024-13-01' is not a day"):
        latest_day(feed_log)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "day-2022-4-5",
            "day-20220405",
            "day-2022-13-01",
            "day-2022-02-30",
            "day-",
            "day-2022-04-05 copy",
            "day-\u0662",
        ),
        *("Day-2022-04-05", "DAY-2022-04-05", "day_2022-04-05", "day2022-04-05", "day=2022-04-05", "dt=2022-04-05"),
        *("2022-04-05", "20220405", "2022-4-5"),
    ],
)
def test_folders_that_look_like_days_are_named(feed_log: Path, name: str) -> None:
    """Their rows were silently left out."""
    (feed_log / name).mkdir()
    with pytest.raises(FeedLogError, match=re.escape(repr(name))):
        list_days(feed_log)


@pytest.mark.parametrize("name", ["truth", "today", "notes-2022", "days", "_2022-04-05", "README.md", "2022"])
def test_other_folders_are_left_out(feed_log: Path, name: str) -> None:
    (feed_log / name).mkdir()
    assert list_days(feed_log) == WINDOW


def test_a_day_that_is_not_a_folder_is_named(feed_log: Path) -> None:
    path = feed_log / "day-2022-04-05"
    path.write_bytes(b"PAR1")
    with pytest.raises(FeedLogError, match="'day-2022-04-05' is a file; a day is a folder"):
        list_days(feed_log)
    path.unlink()
    path.symlink_to(feed_log / "nowhere")
    with pytest.raises(FeedLogError, match="'day-2022-04-05' is a link to nothing"):
        list_days(feed_log)
    path.unlink()
    path.symlink_to(feed_log / f"day-{EVAL_DAY}")
    assert list_days(feed_log) == [date(2022, 4, 5), *WINDOW]


def test_a_file_that_is_a_link_to_nothing_is_named(feed_log: Path) -> None:
    (feed_log / f"day-{EVAL_DAY}" / "part-7.parquet").symlink_to(feed_log / "nowhere")
    with pytest.raises(FeedLogError, match=r"part-7\.parquet: a link to nothing"):
        day_files(feed_log, EVAL_DAY)


def test_a_window_before_the_calendar_begins_is_refused() -> None:
    with pytest.raises(FeedLogError, match="there are no 7 days before 0001-01-03"):
        window_days(date(1, 1, 3), 7)
    with pytest.raises(FeedLogError, match="there are no 10000000000 days before"):
        window_days(date(2024, 1, 3), 10_000_000_000)


@pytest.mark.parametrize("name", ["log [1]", "log*", "log?", "what's {this}", "back\\slash", "100%", "日本 💡"])
def test_a_path_can_have_any_characters(feed_log: Path, tmp_path: Path, name: str) -> None:
    log = feed_log.rename(tmp_path / name)
    assert list_days(log) == WINDOW
    files = day_files(log, EVAL_DAY)
    assert files is not None
    assert open_parquet(files[0].path).metadata.num_rows == 40


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["nowhere://bucket/log", "s3://", "http:// /"])
def test_a_uri_of_no_known_form_is_refused(uri: str) -> None:
    with pytest.raises(FeedLogError):
        list_days(uri)


def test_no_folder_and_no_days(tmp_path: Path) -> None:
    with pytest.raises(FeedLogError, match=r"there is no folder .*nowhere"):
        latest_day(tmp_path / "nowhere")
    with pytest.raises(FeedLogError, match="at least one folder named day-YYYY-MM-DD, and has none"):
        latest_day(tmp_path)


def test_day_files_are_sorted_by_name_without_incomplete_files(feed_log: Path, write_day: WriteDay) -> None:
    write_day(0, day_table(2), "part-2.parquet")
    write_day(0, day_table(2), "part-1.parquet")
    folder = feed_log / f"day-{EVAL_DAY}"
    for name in (".part-3.parquet", "_SUCCESS", "part-4.parquet.tmp"):
        (folder / name).write_bytes(b"PAR1")
    files = day_files(feed_log, EVAL_DAY)
    assert files is not None
    assert [Path(file.path).name for file in files] == ["part-0.parquet", "part-1.parquet", "part-2.parquet"]
    assert [file.size for file in files] == [Path(file.path).stat().st_size for file in files]
    assert day_files(feed_log, date(2020, 1, 1)) is None


@pytest.mark.parametrize("name", ["rows.csv", "part-0.parquet.gz", "hour=3"])
def test_anything_else_in_a_day_is_an_error(feed_log: Path, name: str) -> None:
    path = feed_log / f"day-{EVAL_DAY}" / name
    path.mkdir() if "=" in name else path.write_text("click\n1\n")
    with pytest.raises(FeedLogError, match=f"{name}: not a Parquet file"):
        day_files(feed_log, EVAL_DAY)


@pytest.mark.parametrize("content", [b"", b"click,like\n0,1\n" * 9, b"PAR1" + b"\xff" * 40 + b"PAR1"])
def test_a_file_that_is_not_parquet_is_named(feed_log: Path, content: bytes) -> None:
    path = feed_log / f"day-{EVAL_DAY}" / "part-9.parquet"
    path.write_bytes(content)
    with pytest.raises(FeedLogError, match=r"part-9\.parquet: not a Parquet file, or an incomplete one"):
        open_parquet(str(path))


@pytest.mark.parametrize("arrow_types", [True, False])
def test_a_file_with_a_column_of_an_undecodable_name_is_named(tmp_path: Path, arrow_types: bool) -> None:
    path = tmp_path / "part-0.parquet"
    pq.write_table(pa.table({"gewicht": [1.0]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"gewicht", b"gew\xefcht"))
    with pytest.raises(FeedLogError, match=r"part-0\.parquet: the name of a column is not text in UTF-8"):
        open_parquet(str(path), arrow_types)


def test_a_folder_that_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked:
        def get_file_info(self, what: str | fs.FileSelector) -> fs.FileInfo:
            if isinstance(what, fs.FileSelector):
                raise PermissionError("[Errno 13] cannot open directory")
            return fs.FileInfo(what, fs.FileType.Directory)

    monkeypatch.setattr(feed_log, "filesystem_of", lambda path: (Locked(), path))
    with pytest.raises(FeedLogError, match=r"the folder /log cannot be read: \[Errno 13\]"):
        list_days("/log")
