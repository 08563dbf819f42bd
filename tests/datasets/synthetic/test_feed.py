"""A simulated feed on disk: reproducible from its settings, day by day, and never mixed with another."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets.synthetic import generate
from ranker.feed_log.layout import FeedLogError
from ranker.feed_log.writing import day_folder
from tests.datasets.synthetic.conftest import DAYS, ROWS, START, Feed, read_days
from tests.ranker.test_files import interrupt_replacement

SMALL = 500


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_every_day_has_its_folder_and_its_truth(feed: Feed) -> None:
    days = ["day-2026-01-05", "day-2026-01-06", "day-2026-01-07"]
    assert sorted(path.name for path in feed.root.iterdir()) == [*days, "feed.json", "truth"]
    assert sorted(path.name for path in (feed.root / "truth").iterdir()) == days
    assert [pq.read_table(feed.root / day).num_rows for day in days] == [ROWS] * DAYS


def test_summaries_have_rows_and_base_rates(feed: Feed) -> None:
    assert [summary.day for summary in feed.summaries] == [date(2026, 1, day) for day in (5, 6, 7)]
    assert [summary.rows for summary in feed.summaries] == [ROWS] * DAYS
    assert all(summary.generated for summary in feed.summaries)
    clicks = feed.numbers("click").reshape(DAYS, ROWS)
    assert [summary.rates["click"] for summary in feed.summaries] == pytest.approx(clicks.mean(axis=1))


def test_the_same_settings_give_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        generate(tmp_path / name, 2, SMALL, seed)
    assert files(tmp_path / "one") == files(tmp_path / "again")
    day = "day-2026-01-06"
    assert not pq.read_table(tmp_path / "one" / day).equals(pq.read_table(tmp_path / "other" / day))


def test_a_day_does_not_depend_on_other_days(tmp_path: Path) -> None:
    generate(tmp_path / "long", 4, SMALL, seed=1)
    generate(tmp_path / "short", 2, SMALL, seed=1)
    kept = files(tmp_path / "short" / "day-2026-01-05")
    shutil.rmtree(tmp_path / "short" / "day-2026-01-06")
    summaries = generate(tmp_path / "short", 4, SMALL, seed=1)
    assert [summary.generated for summary in summaries] == [False, True, True, True]
    assert files(tmp_path / "short" / "day-2026-01-05") == kept
    assert files(tmp_path / "long") == files(tmp_path / "short")


def test_the_calendar_follows_the_start(tmp_path: Path) -> None:
    generate(tmp_path, 2, SMALL, seed=1, start=date(2024, 2, 29))
    table = read_days(tmp_path, [date(2024, 2, 29), date(2024, 3, 1)])
    assert table["day_of_week"].unique().to_pylist() == ["thu", "fri"]


def test_a_complete_feed_is_unchanged(tmp_path: Path) -> None:
    generate(tmp_path, 2, SMALL, seed=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert not any(summary.generated for summary in generate(tmp_path, 2, SMALL, seed=1))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == before


def test_a_day_without_its_truth_is_generated_again(tmp_path: Path) -> None:
    generate(tmp_path, 2, SMALL, seed=1)
    before = files(tmp_path)
    shutil.rmtree(day_folder(tmp_path / "truth", START))
    (tmp_path / ".day-2026-01-01.killed.tmp").mkdir()
    assert [summary.generated for summary in generate(tmp_path, 2, SMALL, seed=1)] == [True, False]
    assert files(tmp_path) == before
    assert not (tmp_path / ".day-2026-01-01.killed.tmp").exists()
    # A process is killed while it writes such a day again.
    shutil.rmtree(day_folder(tmp_path / "truth", START))
    interrupt_replacement(day_folder(tmp_path, START))
    assert [summary.generated for summary in generate(tmp_path, 2, SMALL, seed=1)] == [True, False]
    assert files(tmp_path) == before


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, to be copied."""
    root = tmp_path_factory.mktemp("generated")
    generate(root, 2, SMALL, seed=1)
    return root


@pytest.fixture
def two_days(generated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(generated, tmp_path / "feed"))


@pytest.mark.parametrize("root", ["", "truth"])
def test_a_day_without_files_is_generated_again(two_days: Path, root: str) -> None:
    before = files(two_days)
    [part] = day_folder(two_days / root, START).iterdir()
    part.rename(part.with_name(".part-00000.parquet.tmp"))
    assert [summary.generated for summary in generate(two_days, 2, SMALL, seed=1)] == [True, False]
    assert files(two_days) == before


def _cut(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-1])


def _with_likes(part: Path, likes: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> None:
    table = pq.read_table(part)
    pq.write_table(table.set_column(table.column_names.index("like"), "like", likes(table["like"])), part)


def _damage_clicks(part: Path) -> None:
    footer = pq.read_metadata(part)
    column = footer.row_group(0).column(footer.schema.names.index("click"))
    with part.open("r+b") as file:
        file.seek(column.data_page_offset)
        file.write(b"\xff" * column.total_compressed_size)


@pytest.mark.parametrize("root", ["", "truth"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda part: part.with_name("notes.txt").touch(), "{folder}/notes.txt: not a Parquet file; a day's folder"),
        (_cut, "{folder}/part-00000.parquet: not a Parquet file, or an incomplete one"),
        (
            lambda part: pq.write_table(pq.read_table(part).drop_columns(["like"]), part),
            "{folder}/part-00000.parquet: it needs one column 'like' with numbers, as it is a day of a simulated feed",
        ),
        (
            lambda part: _with_likes(part, lambda likes: likes.cast(pa.string())),
            "{folder}/part-00000.parquet: it needs one column 'like' with numbers, as it is a day of a simulated feed",
        ),
        (
            lambda part: pq.write_table(pq.read_table(part).slice(1), part),
            "{folder}: it holds 499 rows, and the settings of the feed give 500; delete the folder, and the day is",
        ),
    ],
)
def test_a_day_that_the_settings_do_not_give_is_named(
    two_days: Path, root: str, damage: Callable[[Path], object], message: str
) -> None:
    folder = day_folder(two_days / root, START)
    damage(folder / "part-00000.parquet")
    before = files(two_days)
    with pytest.raises(FeedLogError, match=re.escape(message.format(folder=folder))):
        generate(two_days, 3, SMALL, seed=1)
    assert files(two_days) == before


def test_a_day_with_damaged_pages_is_named(two_days: Path) -> None:
    _damage_clicks(day_folder(two_days, START) / "part-00000.parquet")
    with pytest.raises(FeedLogError, match=rf"{day_folder(two_days, START)}: cannot be read: "):
        generate(two_days, 2, SMALL, seed=1)


@pytest.mark.parametrize("linked", ["day-2026-01-05", "truth/day-2026-01-05", "truth"])
def test_overwriting_a_link_leaves_what_it_leads_to(two_days: Path, tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (two_days / linked).rename(elsewhere)
    (two_days / linked).symlink_to(elsewhere)
    before = files(elsewhere)
    for _ in range(2):
        generate(two_days, 1, SMALL, seed=2, overwrite=True)
        assert not (two_days / linked).is_symlink()
        assert files(elsewhere) == before
        assert not list(two_days.rglob(".*"))


def test_nothing_is_deleted_where_the_truth_has_a_name_that_is_no_day(two_days: Path) -> None:
    (two_days / "truth" / "day-2026-01-07").touch()
    before = files(two_days)
    with pytest.raises(FeedLogError, match=r"truth: 'day-2026-01-07' is a file; a day is a folder of Parquet files"):
        generate(two_days, 1, SMALL, seed=2, overwrite=True)
    assert files(two_days) == before


def test_other_settings_are_refused_by_name_unless_overwritten(tmp_path: Path) -> None:
    generate(tmp_path, 2, SMALL, seed=1)
    before = files(tmp_path)
    with pytest.raises(FileExistsError, match=r"holds a feed with seed 1, not 2, drift 1\.0, not 3\.0; overwrite"):
        generate(tmp_path, 1, SMALL, seed=2, drift=3.0)
    assert files(tmp_path) == before
    generate(tmp_path, 1, SMALL, seed=2, drift=3.0, overwrite=True)
    generate(tmp_path / "fresh", 1, SMALL, seed=2, drift=3.0)
    fresh = files(tmp_path / "fresh")
    shutil.rmtree(tmp_path / "fresh")
    assert files(tmp_path) == fresh


def test_a_feed_of_another_version_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, 1, SMALL, seed=1)
    settings = json.loads((tmp_path / "feed.json").read_text())
    (tmp_path / "feed.json").write_text(json.dumps(settings | {"version": 0}))
    with pytest.raises(FileExistsError, match="version 0, not"):
        generate(tmp_path, 1, SMALL, seed=1)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_feed_log_of_another_origin_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    day_folder(tmp_path, START).mkdir()
    with pytest.raises(FileExistsError, match="holds a feed log that was not simulated"):
        generate(tmp_path, 1, SMALL, seed=1, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["day-2026-01-05"]


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_corrupt_settings_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "feed.json").write_text(content)
    with pytest.raises(ValueError, match=r"feed\.json: expected the settings of a feed"):
        generate(tmp_path, 1, SMALL, seed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"days": 0}, "days: needs at least 1, got 0"),
        ({"impressions_per_day": 0}, "impressions_per_day: needs at least 1, got 0"),
        ({"seed": -1}, "seed: needs a number from 0"),
        ({"drift": -0.1}, "drift: needs a finite number"),
        ({"drift": float("nan")}, "drift: needs a finite number"),
        ({"tastes": 2.1}, "tastes: needs a number from 0 to 2, got 2.1"),
        ({"tastes": float("nan")}, "tastes: needs a number from 0 to 2"),
        ({"ranker_noise": -1.0}, "ranker_noise: needs a finite number"),
        ({"exploration": -0.1}, "exploration: needs a number from 0 to 1, got -0.1"),
        ({"ranker_tastes": 1.5}, "ranker_tastes: needs a number from 0 to 1, got 1.5"),
    ],
)
def test_settings_out_of_range_name_the_field(tmp_path: Path, arguments: dict[str, float], message: str) -> None:
    given = {"days": 1, "impressions_per_day": SMALL, "seed": 1, **arguments}
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "feed", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "feed").exists()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_day_may_be_tiny(tmp_path: Path, rows: int) -> None:
    assert [summary.rows for summary in generate(tmp_path, 2, rows, seed=1)] == [rows, rows]
