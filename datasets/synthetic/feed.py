"""A simulated feed on disk: the feed log, the true probabilities, and the settings that generated it."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datasets.synthetic.parameters import (
    DEFAULT_DRIFT,
    DEFAULT_EXPLORATION,
    DEFAULT_RANKER_NOISE,
    DEFAULT_RANKER_TASTES,
    DEFAULT_TASTES,
    FeedParameters,
    saved_settings,
)
from datasets.synthetic.simulator import Simulator
from datasets.synthetic.vocabulary import OBJECTIVES
from ranker.features.arrow import is_number
from ranker.feed_log.layout import FeedLogError, day_files, days_to_write, open_all
from ranker.feed_log.writing import day_folder, day_writer
from ranker.files import delete, interrupted, remove_leftovers
from ranker.progress import ProgressReporter

DEFAULT_START = date(2026, 1, 5)
TRUTH = "truth"


@dataclass(frozen=True)
class DaySummary:
    """One day of a feed.

    Attributes:
        day: which one.
        rows: impressions.
        rates: objective → share of the impressions with it.
        generated: whether this call wrote the day; False if an earlier call did.
    """

    day: date
    rows: int
    rates: dict[str, float]
    generated: bool


def generate(
    out: Path,
    days: int,
    impressions_per_day: int,
    seed: int,
    start: date = DEFAULT_START,
    drift: float = DEFAULT_DRIFT,
    overwrite: bool = False,
    *,
    tastes: float = DEFAULT_TASTES,
    ranker_noise: float = DEFAULT_RANKER_NOISE,
    ranker_tastes: float = DEFAULT_RANKER_TASTES,
    exploration: float = DEFAULT_EXPLORATION,
) -> list[DaySummary]:
    """Generates `<out>/day-YYYY-MM-DD/*.parquet` and, row for row, `<out>/truth/day-YYYY-MM-DD/*.parquet`.

    The truth has session_id, item_id, `examined` (the probability that the viewer looks) and two probabilities per
    objective: the one with which its label was sampled (column `click`, …), and the one with the viewer's hidden tastes
    averaged out (`click_tastes_averaged_out`, …), which is the best that is known without learning the tastes of single
    viewers.
    Existing days are kept; one without files is generated again. So an interrupted call can be continued, and a later
    call may add days. A day depends only on the settings and its date.

    Args:
        out: the output folder; `<out>/feed.json` stores the settings.
        days: number of days from `start`.
        impressions_per_day, seed, start, drift: see FeedParameters.
        overwrite: delete the feed at `out`, whatever its settings, and start again. What a link leads to stays.
        tastes, ranker_noise, ranker_tastes, exploration: see FeedParameters.

    Raises:
        ValueError: a setting is out of range, or `feed.json` is corrupt.
        FeedLogError: a name in `out` looks like that of a day without being one, or a day holds something else than
            the settings give; the message names the folder or file.
        FileExistsError: `out` has a feed with other settings and `overwrite` is false, or a feed log that was not
            simulated.

    Example:
        >>> summaries = generate(Path("feed_log"), days=2, impressions_per_day=1_000, seed=1)  # doctest: +SKIP
        >>> [summary.rows for summary in summaries]  # doctest: +SKIP
        [1000, 1000]
    """
    settings = FeedParameters(impressions_per_day, seed, start, drift, tastes, ranker_noise, ranker_tastes, exploration)
    if days < 1:
        raise ValueError(f"days: needs at least 1, got {days}")
    if days - 1 > (date.max - start).days:
        raise ValueError(f"days: the calendar ends before {days} days from {start}")
    _claim(out, settings, overwrite)
    wanted = [start + timedelta(days=day) for day in range(days)]
    missing = [day for day in wanted if not _is_complete(out, day, impressions_per_day)]
    if missing:
        progress = ProgressReporter("simulating the feed", total=len(missing) * impressions_per_day)
        simulator = Simulator(settings)
        for done, day in enumerate(missing):
            _write_day(out, simulator, (day - start).days, day, progress, done * impressions_per_day)
    return [_summary(out, day, day in missing) for day in wanted]


def _claim(out: Path, settings: FeedParameters, overwrite: bool) -> None:
    """Checks that `out` is empty or has a feed with these settings; with `overwrite`, deletes its days."""
    roots = (out, out / TRUTH)
    for root in roots:
        if root.exists():
            days_to_write(root)  # refuses names that look like days and are none
    there = saved_settings(out)
    if there is None and (any(out.glob("day-*")) or interrupted(out)):
        raise FileExistsError(f"{out} holds a feed log that was not simulated; choose another folder")
    wanted = settings.as_json()
    if there is not None and there != wanted and not overwrite:
        names = [name for name in wanted if there.get(name) != wanted[name]]
        differing = ", ".join(f"{name} {there.get(name)}, not {wanted[name]}" for name in names) or "other settings"
        raise FileExistsError(
            f"{out} holds a feed with {differing}; overwrite it (--overwrite) or choose another folder"
        )
    if overwrite and (out / TRUTH).is_symlink():
        delete(out / TRUTH)
    for root in roots:
        remove_leftovers(root)
        if overwrite:
            for folder in root.glob("day-*"):
                delete(folder)
    settings.save(out)


def _is_complete(out: Path, day: date, rows: int) -> bool:
    """Whether both folders of a day have files; checks that they hold what the settings give, as far as footers tell.

    Raises:
        FeedLogError: a folder has something else.
    """
    there = []
    for root in (out, out / TRUTH):
        files = day_files(root, day) or []
        found = 0
        for file, footer in zip(files, open_all(files), strict=True):
            _check_objectives(file.path, footer.schema.to_arrow_schema())
            found += footer.num_rows
        if files and found != rows:
            raise FeedLogError(
                f"{day_folder(root, day)}: it holds {found:,} rows, and the settings of the feed give {rows:,}; delete "
                "the folder, and the day is generated again"
            )
        there.append(bool(files))
    return all(there)


def _check_objectives(path: str, schema: pa.Schema) -> None:
    for name in OBJECTIVES:
        index = schema.get_field_index(name)
        if index < 0 or not is_number(schema.field(index).type):
            raise FeedLogError(
                f"{path}: it needs one column {name!r} with numbers, as it is a day of a simulated feed; it has "
                f"{', '.join(schema.names)}"
            )


def _write_day(
    out: Path, simulator: Simulator, number: int, day: date, progress: ProgressReporter, rows_before: int
) -> None:
    with (
        day_writer(out, day, overwrite=True) as log,
        day_writer(out / TRUTH, day, overwrite=True) as truth,
    ):
        for shown in simulator.day(number):
            log.write(shown.log)
            truth.write(shown.truth)
            progress.update(rows_before + log.rows, day.isoformat())


def _summary(out: Path, day: date, generated: bool) -> DaySummary:
    try:
        labels = pq.read_table([file.path for file in day_files(out, day) or ()], columns=list(OBJECTIVES))
    except (pa.ArrowException, OSError) as error:
        raise FeedLogError(f"{day_folder(out, day)}: cannot be read: {error}") from error
    rates = {name: float(labels[name].to_numpy().mean()) for name in OBJECTIVES}
    return DaySummary(day, labels.num_rows, rates, generated)
