"""Any changed value changes the fingerprint; changes that keep the bytes do not; a closed day is read once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.feed_log import fingerprint as module
from ranker.feed_log.fingerprint import KnownDigests, source_fingerprint
from ranker.feed_log.layout import FeedLogError, LogFile, window_days
from tests.ranker.feed_log.conftest import WriteDay
from tests.small_feed_log import EVAL_DAY, TRAIN_DAYS, day_table, replaced

WINDOW = window_days(EVAL_DAY, TRAIN_DAYS)
CLOSED = (10**9, 10**9)  # long ago


@pytest.fixture
def closed_log(feed_log: Path) -> Path:
    """A feed log whose files were last changed long ago."""
    for file in feed_log.rglob("*.parquet"):
        os.utime(file, CLOSED)
    return feed_log


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the day folders whose files were read."""
    read: list[str] = []
    digest = module.file_digest

    def counted(file: LogFile) -> str:
        read.append(Path(file.path).parent.name)
        return digest(file)

    monkeypatch.setattr(module, "file_digest", counted)
    return read


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_values_of_one_float_column_change_the_fingerprint(
    write_day: WriteDay, tmp_path: Path, seed: int
) -> None:
    """Sizes, value ranges and footers stay the same: only the bytes differ."""
    table = day_table(2000, seed)
    values = np.random.default_rng(seed).normal(size=2000).astype(np.float32)
    write_day(0, replaced(table, "age_hours", pa.array(values)))
    before = source_fingerprint(tmp_path / "log", [EVAL_DAY])
    write_day(0, replaced(table, "age_hours", pa.array(np.random.default_rng(seed + 100).permutation(values))))
    assert source_fingerprint(tmp_path / "log", [EVAL_DAY]) != before


def test_one_corrected_value_changes_the_fingerprint(feed_log: Path) -> None:
    before = source_fingerprint(feed_log, WINDOW)
    file = feed_log / f"day-{WINDOW[1]}" / "part-0.parquet"
    table = pq.read_table(file)
    labels = table["click"].to_pylist()
    labels[3] = 1 - labels[3]
    pq.write_table(replaced(table, "click", pa.array(labels, pa.int8())), file)
    assert source_fingerprint(feed_log, WINDOW) != before


def test_added_removed_and_renamed_files_and_days_change_the_fingerprint(feed_log: Path, write_day: WriteDay) -> None:
    seen = [source_fingerprint(feed_log, WINDOW), source_fingerprint(feed_log, WINDOW[1:])]
    write_day(0, day_table(5), "part-1.parquet")
    seen.append(source_fingerprint(feed_log, WINDOW))
    (feed_log / f"day-{EVAL_DAY}" / "part-1.parquet").rename(feed_log / f"day-{EVAL_DAY}" / "part-2.parquet")
    seen.append(source_fingerprint(feed_log, WINDOW))
    shutil.rmtree(feed_log / f"day-{WINDOW[0]}")
    seen.append(source_fingerprint(feed_log, WINDOW))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("remember", [False, True])
def test_touching_and_copying_change_nothing(closed_log: Path, tmp_path: Path, remember: bool) -> None:
    known = KnownDigests.load(tmp_path / "digests.json") if remember else None
    before = source_fingerprint(closed_log, WINDOW, known)
    for file in closed_log.rglob("*.parquet"):
        os.utime(file, (5, 5))
    assert source_fingerprint(closed_log, WINDOW, known) == before
    shutil.copytree(closed_log, tmp_path / "copy")
    assert source_fingerprint(tmp_path / "copy", WINDOW, known) == before
    assert source_fingerprint(closed_log.as_uri(), WINDOW, known) == before


def test_a_closed_day_is_read_once_and_a_changed_one_again(
    closed_log: Path, write_day: WriteDay, tmp_path: Path, reads: list[str]
) -> None:
    kept = tmp_path / "workdir" / "digests.json"
    before = source_fingerprint(closed_log, WINDOW, KnownDigests.load(kept))
    assert len(reads) == len(WINDOW)
    reads.clear()
    assert source_fingerprint(closed_log, WINDOW, KnownDigests.load(kept)) == before
    assert reads == []
    changed = write_day(0, day_table(40, seed=9))
    os.utime(changed, CLOSED)
    assert source_fingerprint(closed_log, WINDOW, KnownDigests.load(kept)) != before
    assert reads == [f"day-{EVAL_DAY}"]


def test_the_digest_of_a_just_changed_file_is_not_cached(feed_log: Path, tmp_path: Path, reads: list[str]) -> None:
    """Within the time resolution of the file system, it may change again with the same size and time."""
    known = KnownDigests.load(tmp_path / "digests.json")
    source_fingerprint(feed_log, [EVAL_DAY], known)
    source_fingerprint(feed_log, [EVAL_DAY], known)
    assert len(reads) == 2


def test_nothing_is_written_into_the_feed_log(closed_log: Path, tmp_path: Path) -> None:
    before = sorted(closed_log.rglob("*"))
    source_fingerprint(closed_log, WINDOW, KnownDigests.load(tmp_path / "digests.json"))
    assert sorted(closed_log.rglob("*")) == before


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 3}', '{"a": [1, "x", "y"]}'])
def test_a_corrupt_digest_cache_is_rebuilt(closed_log: Path, tmp_path: Path, content: str) -> None:
    kept = tmp_path / "digests.json"
    kept.write_text(content)
    expected = source_fingerprint(closed_log, WINDOW)
    assert source_fingerprint(closed_log, WINDOW, KnownDigests.load(kept)) == expected
    assert source_fingerprint(closed_log, WINDOW, KnownDigests.load(kept)) == expected


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def text(file: Path) -> None:
    file.write_text("not Parquet at all\n")


def headless(file: Path) -> None:
    file.write_bytes(b"PAR1\xff\xff\xff\x7fPAR1")


@pytest.mark.parametrize("damage", [cut, emptied, text, headless])
def test_a_file_that_is_not_complete_parquet_is_named(feed_log: Path, damage: Callable[[Path], None]) -> None:
    damage(feed_log / f"day-{EVAL_DAY}" / "part-0.parquet")
    with pytest.raises(FeedLogError, match=r"part-0\.parquet: not a Parquet file, or an incomplete one"):
        source_fingerprint(feed_log, WINDOW)
