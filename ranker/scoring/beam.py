"""Scores Parquet files on a cluster with Beam. The files are those that one process writes, byte for byte.

A worker loads the model once and scores whole files, so a file is the unit of work that clusters share out.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apache_beam as beam
from apache_beam.utils.shared import Shared

from ranker.command_line import explained
from ranker.feed_log.layout import FeedLogError
from ranker.files import (
    atomic_file,
    atomic_folder,
    hidden_beside,
    remove_folder,
    remove_hidden_beside,
    write_text,
)
from ranker.scoring.files import FilePlan, Scored, plan_files, score_file
from ranker.scoring.loading import LoadedModel, load_model
from ranker.scoring.patterns import input_files
from ranker.storage import exists, files_below, join, local_path, move_folder

SUCCESS = "_SUCCESS"
"""The empty file that is written last into a folder of an object store, where files appear one after the other."""

_PROBLEM = re.compile(r"FeedLogError: (.*)")  # in the text of a traceback
_STEP = re.compile(r" \[while running '[^']*'\]$")  # what Beam adds to a message


class ScoringError(RuntimeError):
    """A Beam job did not score all files; the message says why in one sentence."""


def score_with_beam(
    make_pipeline: Callable[[], beam.Pipeline],
    model: str,
    pattern: str,
    output: str | Path,
    keep: Sequence[str] | None = None,
    replace: bool = False,
) -> Scored:
    """Scores files by a Beam job: the same files as `ranker.scoring.files.score_files` writes.

    Args:
        make_pipeline: makes the pipeline on the runner of choice.
        model: a version, or a push destination for its newest version. The workers have to be able to read it.
        pattern: the files; see `ranker.scoring.patterns.input_files`.
        output: path or URI of the new folder, which appears when all files are complete. The workers write into a
            hidden folder beside it. From there, the files are moved into place; on an object store they appear one
            after the other, and `_SUCCESS` is written last.
        keep: columns to copy; None copies the keys of an impression.
        replace: replace the folder if it is there. A job that fails or is killed before all files are complete leaves
            it as it is.

    Raises:
        FeedLogError: a file lacks a column, or has a value that its column may not hold.
        FileExistsError: there is something at `output` already.
        ModelError: the model cannot be loaded.
        ScoringError: the job failed for another reason, or another job for the same output ended meanwhile.
        UsageError: no file matches.
    """
    started = time.perf_counter()
    if not replace and exists(output):
        raise FileExistsError(f"{output} is already there")
    loaded = load_model(model)
    plans = plan_files(loaded.scorer, input_files(pattern), keep)
    with _new_folder(output, replace) as folder:
        try:
            with make_pipeline() as pipeline:
                # The newest version may change while the job runs, so that the workers are told which one it is.
                _ = (
                    pipeline
                    | "Files" >> beam.Create(plans)
                    | "Share" >> beam.Reshuffle()
                    | "Score" >> beam.ParDo(_ScoreFile(loaded.location, folder))
                )
        except Exception as error:
            if (problem := _problem(error)) is not None:
                raise FeedLogError(problem) from error
            raise ScoringError(f"the Beam job failed: {explained(error)}") from error
        _check_complete(folder, plans)
    return Scored(len(plans), sum(plan.rows for plan in plans), time.perf_counter() - started)


def _problem(error: Exception) -> str | None:
    """The message of a worker's FeedLogError, which runners raise again or put into a text of their own; else None."""
    if isinstance(error, FeedLogError):
        return _STEP.sub("", str(error))
    found = _PROBLEM.search(str(error))
    return _STEP.sub("", found[1].strip()) if found is not None else None


@beam.typehints.with_input_types(FilePlan)
@beam.typehints.with_output_types(int)
class _ScoreFile(beam.DoFn):
    """Writes the scores of a file; a retry writes the same file again."""

    def __init__(self, model: str, folder: str) -> None:
        self._model = model
        self._folder = folder
        self._shared = Shared()

    def setup(self) -> None:
        self._loaded: LoadedModel = self._shared.acquire(lambda: load_model(self._model), tag=self._model)

    def process(self, plan: FilePlan) -> Iterator[int]:
        with tempfile.TemporaryDirectory(prefix="feed-ranker-scores-") as scratch:
            scored = Path(scratch, "scores.parquet")
            score_file(self._loaded.scorer, plan, scored)
            with atomic_file(join(self._folder, plan.file.name), durable=False) as target:
                target.write_bytes(scored.read_bytes())
        yield plan.rows


@contextmanager
def _new_folder(output: str | Path, replace: bool) -> Iterator[str]:
    """The folder that the workers write to, which becomes the output when the block ends; removed if it raises."""
    if local_path(output) is not None:
        with atomic_folder(output, replace=replace) as made:
            yield str(made)
        return
    folder, hidden = str(output), hidden_beside(output)
    try:
        yield hidden
        if exists(folder):
            if not replace:
                raise FileExistsError(f"{folder} is already there")
            remove_folder(folder, SUCCESS)
        _put_in_place(hidden, folder)
    except BaseException:
        _remove_if_there(hidden)
        raise
    # What jobs left that were killed.
    with suppress(OSError):
        remove_hidden_beside(folder)


def _check_complete(folder: str, plans: Sequence[FilePlan]) -> None:
    """Checks that there are scores of all files: another job that ended removes what it takes for left behind."""
    there = set(files_below(folder)) if exists(folder) else set()
    if missing := [plan.file.name for plan in plans if plan.file.name not in there]:
        raise ScoringError(
            f"the Beam job ended, and the scores of {len(missing):,} of {len(plans):,} files are missing, such as "
            f"{missing[0]}; run one job at a time for an output"
        )


def _put_in_place(hidden: str, folder: str) -> None:
    """Moves complete scores to where nothing is; `SUCCESS` says that all of them are there."""
    try:
        move_folder(hidden, folder)
        write_text(join(folder, SUCCESS), "")
    except BaseException:
        _remove_if_there(folder)
        raise


def _remove_if_there(folder: str) -> None:
    # The store may be what failed; then its error says more.
    with suppress(OSError):
        if exists(folder):
            remove_folder(folder, SUCCESS)
