"""Fits the random effects of a model over Beam: workers read the impressions, score them and fit the entities.

The result is that of `ranker.export.fitted_effects.fit_effects`, bit for bit on machines of the same kind: a batch of
rows is the same, and so is the order of all rows.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils.shared import Shared

from ranker.command_line import explained
from ranker.config.effects import Effects
from ranker.effects.beam import BeamFit, Block, block_of, parts_of
from ranker.effects.state import Basis, EffectState
from ranker.effects.update import continued
from ranker.examples import records
from ranker.export.effect_rows import BATCH_ROWS, Offsets, RowReader, offsets_of
from ranker.export.fitted_effects import FittedState, batch_digest, first_state
from ranker.files import atomic_file
from ranker.storage import join

_ROWS, _THROUGH = "rows", "through"
_FILE_ROWS = 2**40
"""More rows than a file has: a row's place among all rows is its file's number times this, plus its place there."""

_PROBLEM = re.compile(r"effects: .*")  # in the text of a traceback
_STEP = re.compile(r" \[while running '[^']*'\]")  # what Beam adds to a message


class EffectsJobError(RuntimeError):
    """A Beam job did not fit the effects; the message says why in one sentence."""


@dataclass(frozen=True)
class DayFiles:
    """The impressions of a day.

    Attributes:
        files: TFRecord files of tf.Examples, in order. The workers have to be able to read them.
        model: path or URI of a model that was not trained on the day, for the workers too.
    """

    files: tuple[str, ...]
    model: str


def fit_effects_with_beam(
    make_pipeline: Callable[[], beam.Pipeline],
    make_reader: Callable[[], RowReader],
    effects: Effects,
    objectives: tuple[str, ...],
    days: Mapping[str, DayFiles],
    before: EffectState | None,
    folder: str,
) -> FittedState | None:
    """Fits the effects on all impressions that are not in `before`.

    Args:
        make_pipeline: makes the pipeline on the runner of choice.
        make_reader: makes a reader of rows, here and on every worker; it is pickled.
        effects: the config's.
        objectives: names, in the order of the labels.
        days: YYYY-MM-DD → impressions.
        before: what is continued; None starts from nothing.
        folder: an empty folder, path or URI, for temporary files, which the workers can read and write. The caller
            removes it.

    Returns:
        None where there is neither an impression nor anything to continue.

    Raises:
        EffectsJobError: the job failed.
    """
    reader = make_reader()
    if before is None:
        if not days:
            return None
        files = chain.from_iterable(day.files for day in days.values())
        examples = chain.from_iterable(records(file, BATCH_ROWS) for file in files)
        before = first_state(reader, effects, objectives, examples)
    sources = [
        _Source(number, name, file, days[name].model)
        for number, (name, file) in enumerate((name, file) for name, day in days.items() for file in day.files)
    ]
    fit = BeamFit(before, effects, reader.layout, reader.shape, folder, parts_of(len(sources)))
    if sources:
        step = _ReadFile(make_reader, before.basis, objectives, before.through, folder)
        try:
            with make_pipeline() as pipeline:
                read = (
                    pipeline
                    | "Files" >> beam.Create(sources)
                    | "Share" >> beam.Reshuffle()
                    | "Read" >> beam.ParDo(step).with_outputs(_THROUGH, main=_ROWS)
                )
                through = read[_THROUGH] | "Newest" >> beam.CombineGlobally(_latest)
                fit.add_steps(read[_ROWS], beam.pvalue.AsSingleton(through))
        except Exception as error:
            raise EffectsJobError(_problem(error)) from error
    found = [_FileRows.read(folder, source.number) for source in sources]
    until = max([before.through, *(one.through for one in found)])
    used = [source.day for source, one in zip(sources, found, strict=True) if one.rows]
    data = hashlib.sha256(b"".join(digest for one in found for digest in one.digests))
    state = continued(before, fit.tables(until), until, used)
    return FittedState(state, sum(one.rows for one in found), data.hexdigest())


def _latest(times: Iterable[int]) -> int:
    return max(times, default=0)


def _problem(error: Exception) -> str:
    """Why a job failed: the sentence of this code, which runners put into a text of their own, or theirs."""
    found = _PROBLEM.findall(str(error))
    return _STEP.sub("", found[-1]).strip() if found else f"effects: the Beam job failed: {explained(error)}"


@dataclass(frozen=True)
class _Source:
    """A file of impressions.

    Attributes:
        number: its place among all files.
        day: YYYY-MM-DD.
        file: path or URI.
        model: path or URI of the model of the day's offsets.
    """

    number: int
    day: str
    file: str
    model: str


@dataclass(frozen=True)
class _FileRows:
    """What was read of a file.

    Attributes:
        rows: number of them that are fitted on.
        through: milliseconds since 1970, after the last of them; 0 without any.
        digests: of the batches that have some.
    """

    rows: int
    through: int
    digests: tuple[bytes, ...]

    def write(self, folder: str, number: int) -> None:
        text = json.dumps([self.rows, self.through, [digest.hex() for digest in self.digests]])
        with atomic_file(join(folder, f"read-{number}.json"), durable=False) as file:
            file.write_text(text)

    @staticmethod
    def read(folder: str, number: int) -> "_FileRows":
        with tf.io.gfile.GFile(join(folder, f"read-{number}.json")) as file:
            rows, through, digests = json.load(file)
        return _FileRows(rows, through, tuple(map(bytes.fromhex, digests)))


class _Worker:
    """The reader of a worker, and the last model that it has used: there may be as many models as days."""

    def __init__(self, reader: RowReader, basis: Basis, objectives: tuple[str, ...]) -> None:
        reader.use(basis)
        self.reader = reader
        self._objectives = objectives
        self._lock = threading.Lock()
        self._model: tuple[str, Offsets] | None = None

    def offsets(self, model: str) -> Offsets:
        """The log-odds of a model."""
        with self._lock:
            if self._model is None or self._model[0] != model:
                self._model = (model, offsets_of(model, self._objectives))
            return self._model[1]


class _ReadFile(beam.DoFn):  # type: ignore[misc]
    """A file → blocks of its rows, and the end of their times; what was read is written to `folder` as well.

    A retry writes the same file again.
    """

    def __init__(
        self,
        make_reader: Callable[[], RowReader],
        basis: Basis,
        objectives: tuple[str, ...],
        since: int,
        folder: str,
    ) -> None:
        self._make_reader, self._basis, self._objectives = make_reader, basis, objectives
        self._since, self._folder = since, folder
        self._shared = Shared()

    def setup(self) -> None:
        """Makes the reader, once per process."""
        self._worker: _Worker = self._shared.acquire(
            lambda: _Worker(self._make_reader(), self._basis, self._objectives)
        )

    def process(self, source: _Source) -> Iterator[Block | Any]:
        """Reads a file."""
        # The model is loaded with the first impression that needs it.
        loaded = cache(lambda: self._worker.offsets(source.model))
        count, through, digests = 0, 0, []
        place = source.number * _FILE_ROWS
        for examples in records(source.file, BATCH_ROWS):
            rows, times = self._worker.reader.rows(examples, lambda batch: loaded()(batch), self._since)
            if not len(rows):
                continue
            yield block_of(np.arange(place, place + len(rows)), rows)
            count, place = count + len(rows), place + len(rows)
            through = max(through, int(times.max()) + 1)
            digests.append(batch_digest(rows))
        _FileRows(count, through, tuple(digests)).write(self._folder, source.number)
        yield beam.pvalue.TaggedOutput(_THROUGH, through)
