"""Fits the levels over Beam, by parts of their entities. The tables are those of one process, bit for bit.

A part is all impressions of some entities. A worker writes them to its disk, restores their order, so that sums add up
in the order of one process, and fits them as one process does. Then it raises their offsets and passes them on to the
next level, whose parts are others. So the memory of a worker is that of one part's entities.

The tables that workers start from, and those that they fit, are files in a folder that all of them can reach: tables
are too large for the description of a pipeline.
"""

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import apache_beam as beam
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.arrays import read_arrays
from ranker.config.effects import EffectLevel, Effects
from ranker.effects.entities import LevelSettings, fit_level
from ranker.effects.inputs import InputLayout
from ranker.effects.levels import add_effects, settings_of
from ranker.effects.rows import BLOCK_ROWS, RowFile, Rows, RowShape
from ranker.effects.state import EffectState
from ranker.effects.table import EffectTable, joined
from ranker.effects.update import prior, priors
from ranker.features.fingerprints import ABSENT
from ranker.files import atomic_file
from ranker.storage import join

MOST_PARTS = 251
"""More would divide a batch of rows into crumbs."""

_TOGETHER = 4096
"""Consecutive rows without an id that go to the same part."""
_TRANSFERS = 16
"""Files that are read or written at the same time."""
_FIELDS = ("ids", "mean", "variance", "rows")

Order = NDArray[np.int64]
Block = tuple[bytes, bytes]
"""Some rows, as `block_of` encodes them."""


def block_of(order: Order, rows: Rows) -> Block:
    """Rows as an element of a PCollection.

    Args:
        order: int64 [rows], the place of each row among all rows; every number occurs once, and gaps do not matter.
        rows: in any order.
    """
    return order.astype(np.int64).tobytes(), rows.tobytes()


def parts_of(files: int) -> int:
    """The number of parts of every level for as many files of impressions.

    A part is then about as large as a file. Many small parts are slow, as entities are fitted in batches. The number is
    odd, since a worker divides the entities of a part again, by a power of two (`ranker.effects.rows.partitions`).

    Example:
        >>> parts_of(30)
        31
    """
    return min(files, MOST_PARTS) | 1


class BeamFit:
    """A fit of all levels over Beam.

    Args:
        before: the effects that are continued.
        effects: the config's.
        layout: of the rows' inputs.
        shape: of the rows.
        folder: an empty folder, path or URI, that the workers can read and write. The caller removes it.
        parts: number of parts of every level. The tables do not depend on it.

    Example:
        >>> fit = BeamFit(before, effects, layout, shape, "gs://bucket/scratch", parts_of(30))
        >>> with beam.Pipeline() as pipeline:
        ...     until = AsSingleton(pipeline | "Through" >> beam.Create([through]))
        ...     fit.add_steps(pipeline | "Rows" >> beam.Create(blocks), until)
        >>> tables = fit.tables(through)
    """

    def __init__(
        self,
        before: EffectState,
        effects: Effects,
        layout: InputLayout,
        shape: RowShape,
        folder: str,
        parts: int,
    ) -> None:
        self._before, self._effects, self._layout, self._shape = before, effects, layout, shape
        self._folder, self._parts = folder, parts

    def add_steps(self, rows: beam.PCollection, through: beam.pvalue.AsSingleton) -> None:
        """Adds the steps to a pipeline.

        Args:
            rows: blocks of all rows, in any order.
            through: milliseconds since 1970, after the last of the impressions.
        """
        levels = self._effects.levels
        settings = settings_of(levels, self._layout.of_level)
        for number, (level, of_level, table) in enumerate(zip(levels, settings, self._before.tables, strict=True)):
            step = _FitPart(
                level,
                of_level,
                self._shape,
                self._folder,
                self._write_known(number, table),
                self._before.through,
                self._effects.half_life_days,
                last=number == len(levels) - 1,
            )
            rows = (
                rows
                | f"Divide by {level.column}" >> beam.ParDo(_Divide(number, self._shape, self._parts))
                | f"Gather by {level.column}" >> beam.GroupByKey()
                | f"Fit {level.column}" >> beam.ParDo(step, through)
            )

    def tables(self, through: int) -> list[EffectTable]:
        """The tables of all levels, once the pipeline has run; `through` as in `add_steps`."""
        tables = []
        for number, known in enumerate(priors(self._before, self._effects, self._layout, through)):
            files = sorted(tf.io.gfile.glob(_part_file(self._folder, "fitted", number, "*")))
            with ThreadPoolExecutor(_TRANSFERS) as transfers:
                parts = list(transfers.map(_read, files))
            tables.append(known.updated(joined(parts)) if parts else known)
        return tables

    def _write_known(self, level: int, table: EffectTable) -> frozenset[int]:
        """Writes a table by parts, and returns the parts that have entities."""
        part = table.ids % self._parts
        numbers = np.unique(part).tolist()

        def write(number: int) -> None:
            _write(_part_file(self._folder, "known", level, number), table.take(part == number))

        with ThreadPoolExecutor(_TRANSFERS) as transfers:
            list(transfers.map(write, numbers))
        return frozenset(numbers)


@dataclass(eq=False)
class _Divide(beam.DoFn):  # type: ignore[misc]
    """A block → parts of it, by the entities of a level.

    A row without an id has no effect, whatever part it is in.
    """

    level: int
    shape: RowShape
    parts: int

    def process(self, block: Block) -> Iterator[tuple[int, Block]]:
        order, rows = np.frombuffer(block[0], np.int64), np.frombuffer(block[1], self.shape.dtype)
        ids = rows["ids"][:, self.level]
        part = np.where(ids == ABSENT, order // _TOGETHER, ids) % self.parts
        by_part = np.argsort(part, kind="stable")
        for own in np.split(by_part, np.flatnonzero(np.diff(part[by_part])) + 1):
            if len(own):
                yield int(part[own[0]]), block_of(order[own], rows[own])


@dataclass(eq=False)
class _FitPart(beam.DoFn):  # type: ignore[misc]
    """The rows of a part → the table of its entities, as a file, and the rows with the log-odds that it leads to.

    A retry writes the same file again.
    """

    level: EffectLevel
    settings: LevelSettings
    shape: RowShape
    folder: str
    known: frozenset[int]
    since: int
    half_life_days: float | None
    last: bool

    def process(self, element: tuple[int, Iterable[Block]], through: int) -> Iterator[Block]:
        part, blocks = element
        with tempfile.TemporaryDirectory(prefix="effects-") as scratch:
            rows, order = _in_order(blocks, Path(scratch), self.shape)
            known = prior(self._known(part), self.since, through, self.half_life_days, self.settings)
            table = fit_level(rows, self.settings, known)
            _write(_part_file(self.folder, "fitted", self.settings.level, part), table)
            if self.last:
                return
            add_effects(rows, self.level, self.settings, table)
            start = 0
            for block in rows.blocks():
                yield block_of(order[start : start + len(block)], block)
                start += len(block)

    def _known(self, part: int) -> EffectTable:
        if part in self.known:
            return _read(_part_file(self.folder, "known", self.settings.level, part))
        return EffectTable.empty(self.shape.objectives, len(self.settings.variance))


def _in_order(blocks: Iterable[Block], folder: Path, shape: RowShape) -> tuple[RowFile, Order]:
    """The rows of some blocks in the order of one process, in a file, and their places in it."""
    given, places = RowFile(folder / "given", shape), []
    for order, rows in blocks:
        places.append(np.frombuffer(order, np.int64))
        given.append(np.frombuffer(rows, shape.dtype))
    place = np.concatenate(places)
    sorted_rows, by_place = RowFile(folder / "rows", shape), np.argsort(place)
    mapped = given.mapped()
    for start in range(0, len(by_place), BLOCK_ROWS):
        sorted_rows.append(np.asarray(mapped[by_place[start : start + BLOCK_ROWS]]))
    given.path.unlink()
    return sorted_rows, place[by_place]


def _part_file(folder: str, kind: str, level: int, part: int | str) -> str:
    return join(folder, f"{kind}-{level}-{part}.npz")


def _write(path: str, table: EffectTable) -> None:
    content = BytesIO()
    np.savez(content, **{name: getattr(table, name) for name in _FIELDS})
    with atomic_file(path, durable=False) as file:
        file.write_bytes(content.getvalue())


def _read(path: str) -> EffectTable:
    with read_arrays(path, "effects") as arrays:
        return EffectTable(*(arrays[name] for name in _FIELDS))
