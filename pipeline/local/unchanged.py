"""Recognises a run that would repeat the newest finished one, and repeats its outcome without TFX.

The outcome of a run follows from its inputs. So if all inputs of the newest finished run are what they were, and
everything that it left behind is still there as it was, another run would take every component from the cache. In any
doubt the day is run: that is only slower, as TFX's own cache then decides.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pyarrow import fs

from pipeline.local.day_plan import DayPlan
from pipeline.local.run_summary import SUMMARY_FILE, RunSummary, write_summary
from pipeline.local.workdir import Workdir
from ranker.documents import DocumentError, read_json, write_json
from ranker.files import flush, write_bytes, write_text
from ranker.identity.digest import short_digest
from ranker.storage import filesystem_of, local_path

_LOG_SUFFIX = ".log"  # a run's log is still written to after everything else of the run
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedRun:
    """The newest finished run of a working folder, as it is recorded there.

    Attributes:
        run_id: name of the folder of the run.
        inputs: name → digest of everything that the run followed from; see `DayPlan.inputs`.
        outputs: name → digest of the names, sizes and times of the files that it left behind.
    """

    run_id: str
    inputs: dict[str, str]
    outputs: dict[str, str]


def remember(plan: DayPlan, summary: RunSummary) -> None:
    """Records a run as finished; call it when nothing is left to do.

    A run with problems is not recorded, as the next run solves them if it can.

    Args:
        plan: the plan that the run followed.
        summary: the run summary, as it was written.
    """
    monitored = summary.monitoring is not None and summary.monitoring.error is None
    if summary.status != "complete" or summary.problems or not monitored:
        return
    try:
        _check_named_outputs(summary)
        finished = FinishedRun(summary.run_id, dict(plan.inputs), _outputs(plan.workdir, summary.run_id))
        write_text(plan.workdir.finished_run, write_json(finished, indent=2) + "\n")
    except OSError as error:
        _LOG.warning("the next run is a full one even if nothing changes: %s", error)


def forget(workdir: Workdir) -> None:
    """Removes the record of the newest finished run; call it before anything is run."""
    if workdir.finished_run.exists():
        workdir.finished_run.unlink()
        flush(workdir.root)


def repeat_finished(plan: DayPlan, run_id: str) -> RunSummary | None:
    """Repeats the outcome of the newest finished run if the planned run is the same, as TFX's cache would.

    Args:
        plan: the planned run.
        run_id: name of the folder for the summary and the report.

    Returns:
        The summary, in which every component is cached; it is written already. None if anything differs.
    """
    try:
        finished = _find_finished(plan)
        if finished is None:
            return None
        summary = _as_repeated(finished, run_id, plan.workdir.run(run_id))
        write_summary(plan.workdir.run(run_id), summary)
    except (DocumentError, OSError, UnicodeDecodeError) as error:
        _LOG.info("a full run, as the newest finished one cannot be repeated: %s", error)
        return None
    _LOG.info("nothing has changed since the run %s, so its outcome is repeated", finished.run_id)
    return summary


def _find_finished(plan: DayPlan) -> RunSummary | None:
    """The summary of the newest finished run if the planned run is the same."""
    file = plan.workdir.finished_run
    if not file.exists():
        _LOG.info("a full run, as no finished one is recorded")
        return None
    finished = read_json(FinishedRun, file.read_text(), str(file))
    changed = [
        *_differing(finished.inputs, plan.inputs),
        *_differing(finished.outputs, _outputs(plan.workdir, finished.run_id)),
    ]
    if changed:
        _LOG.info("a full run, as these differ from the run %s: %s", finished.run_id, ", ".join(changed))
        return None
    path = plan.workdir.run(finished.run_id) / SUMMARY_FILE
    summary = RunSummary.from_json(path.read_text(), str(path))
    _check_named_outputs(summary)
    return summary


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    return (name for name in {**before, **now} if before.get(name) != now.get(name))


def _as_repeated(summary: RunSummary, run_id: str, folder: Path) -> RunSummary:
    """The summary of a run that takes every component from the cache; copies the report."""
    report = None
    if summary.report is not None:
        report = folder / Path(summary.report).name
        write_bytes(report, Path(summary.report).read_bytes())
    tensorboard = None
    if summary.tensorboard is not None:
        tensorboard = folder / Path(summary.tensorboard).name
        shutil.copytree(summary.tensorboard, tensorboard, dirs_exist_ok=True)
    return replace(
        summary,
        run_id=run_id,
        report=str(report) if report is not None else None,
        tensorboard=str(tensorboard) if tensorboard is not None else None,
        components=tuple(
            replace(ran, state="cached", cached=True, seconds=0.0, cpu_seconds=0.0, peak_memory=None)
            for ran in summary.components
        ),
    )


def _check_named_outputs(summary: RunSummary) -> None:
    """Makes sure that everything that a summary names is there.

    Raises:
        FileNotFoundError: it is not.
    """
    page = summary.monitoring.page if summary.monitoring is not None else None
    for named in (summary.pushed_model, summary.report, summary.tensorboard, page):
        # What is in an object store is part of the digests.
        if named is not None and (path := local_path(named)) is not None and not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), named)


def _outputs(workdir: Workdir, run_id: str) -> dict[str, str]:
    """Name → digest of what a run leaves behind, each with everything else in its place.

    Raises:
        OSError: something cannot be looked at.
    """
    places = {
        "the metadata": workdir.metadata,
        "the artifacts": workdir.artifacts,
        "the monitor's history": workdir.monitoring,
        "the summary and the report": workdir.run(run_id),
    }
    found = {name: _digest_of_files(place) for name, place in places.items()}
    return {**found, "the pushed models": _digest_of_destination(workdir.push_destination)}


def _digest_of_destination(destination: str) -> str:
    local = local_path(destination)
    if local is not None:
        return _digest_of_files(local)
    filesystem, root = filesystem_of(destination)
    objects = filesystem.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    return short_digest(
        sorted(f"{info.path}:{info.size}:{info.mtime_ns}" for info in objects if info.type == fs.FileType.File)
    )


def _digest_of_files(place: Path) -> str:
    """A hash of name, size and time of change of a file, or of all files in a folder but logs."""
    found = []
    for file in _files(place):
        if file.suffix != _LOG_SUFFIX:
            status = file.stat()
            found.append(f"{file.relative_to(place).as_posix()}:{status.st_size}:{status.st_mtime_ns}")
    return short_digest(sorted(found))


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return

    def give_up(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(place, onerror=give_up):
        for name in folders:
            if Path(folder, name).is_symlink():
                # What is behind it could change unnoticed.
                raise OSError(errno.ELOOP, "a link to a folder is not followed", str(Path(folder, name)))
        yield from (Path(folder, name) for name in names)
