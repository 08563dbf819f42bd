"""The tables of a fit over Beam are those of one process, bit for bit."""

from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from ranker.config.effects import EffectLevel, Effects
from ranker.effects.beam import MOST_PARTS, BeamFit, Block, _in_order, block_of, parts_of
from ranker.effects.entities import BATCH_ROWS
from ranker.effects.inputs import InputLayout
from ranker.effects.rows import UNOBSERVED, RowFile, Rows, RowShape
from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable
from ranker.effects.update import no_effects, updated
from ranker.features.fingerprints import ABSENT

EFFECTS = Effects(
    (
        EffectLevel("viewer_id", ("text",), min_rows=5),
        EffectLevel("author_id", min_rows=3),
        EffectLevel("item_id", ("text",)),
    ),
    half_life_days=3.0,
)
SHAPE = RowShape(levels=3, inputs=2, objectives=2)
LAYOUT = InputLayout({"text": 2}, ((0, 1), (), (0, 1)))
OBJECTIVES = ("click", "like")
DAY = 86_400_000
ARGS = ("--runner=ranker.in_process_runner.InProcessRunner",)
THREADS = (*ARGS, "--direct_running_mode=multi_threading", "--direct_num_workers=3")


def _rows(seed: int, count: int) -> Rows:
    """Rows of which an eighth lacks each id and a tenth each outcome."""
    random = np.random.default_rng(seed)
    ids = np.stack([random.integers(0, entities, count) * 2**40 + 5 for entities in (40, 9, 200)], axis=1)
    ids[random.random(ids.shape) < 0.125] = ABSENT
    x = random.normal(size=(count, SHAPE.inputs))
    offset = random.normal(-1, 1.5, (count, SHAPE.objectives))
    chance = 1 / (1 + np.exp(-offset - x[:, :1] - ids[:, :1] % 3))
    y = (random.random((count, SHAPE.objectives)) < chance).astype(np.int8)
    y[random.random(y.shape) < 0.1] = UNOBSERVED
    return SHAPE.rows(ids, x, y, offset)


def _one_process(folder: Path, before: EffectState, rows: Rows, through: int) -> EffectState:
    folder.mkdir()
    file = RowFile(folder / "rows", SHAPE)
    if len(rows):
        file.append(rows)
    return updated(before, file, EFFECTS, LAYOUT, through, ["2026-03-02"])


def _with_beam(
    folder: Path, before: EffectState, blocks: Sequence[Block], through: int, args: Sequence[str] = ARGS, parts: int = 7
) -> list[EffectTable]:
    folder.mkdir()
    fit = BeamFit(before, EFFECTS, LAYOUT, SHAPE, str(folder), parts)
    with beam.Pipeline(options=PipelineOptions(list(args))) as pipeline:
        until = pipeline | "Through" >> beam.Create([through])
        fit.add_steps(pipeline | beam.Create(blocks), beam.pvalue.AsSingleton(until))
    return fit.tables(through)


def _blocks(rows: Rows, size: int) -> list[Block]:
    """The rows in blocks, these and the rows in them in random order, and numbered with gaps."""
    mixed = np.random.default_rng(1).permutation(len(rows))
    return [block_of(mixed[i : i + size] * 3, rows[mixed[i : i + size]]) for i in range(0, len(rows), size)]


def _assert_equal(found: Sequence[EffectTable], expected: Sequence[EffectTable]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in ("ids", "mean", "variance", "rows"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, err_msg=name)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> EffectState:
    """The effects of an earlier fit, half of whose entities have no new rows."""
    nothing = no_effects(EFFECTS, LAYOUT, OBJECTIVES, Basis({}, {}))
    rows = _rows(1, 3000)
    rows["ids"][::2] += rows["ids"][::2] != ABSENT  # other entities
    return _one_process(tmp_path_factory.mktemp("before") / "one", nothing, rows, 20_000 * DAY)


@pytest.mark.slow
@pytest.mark.parametrize(("args", "parts"), [(ARGS, 31), (THREADS, 7)])
def test_the_tables_are_those_of_one_process(
    before: EffectState, tmp_path: Path, args: Sequence[str], parts: int
) -> None:
    rows, through = _rows(2, 5000), 20_002 * DAY
    expected = _one_process(tmp_path / "one", before, rows, through).tables
    found = _with_beam(tmp_path / "beam", before, _blocks(rows, 333), through, args, parts)
    _assert_equal(found, expected)
    # Entities without new rows are in the result, and closer to the prior than before.
    unseen = ~np.isin(before.tables[0].ids, rows["ids"][:, 0])
    assert unseen.sum() >= 20
    at = found[0].find(before.tables[0].ids[unseen])
    assert (at >= 0).all()
    assert (found[0].rows[at] < before.tables[0].rows[unseen]).all()
    # Each level is fitted on the log-odds with those before it.
    alone = rows.copy()
    alone["ids"][:, :2] = ABSENT
    assert not np.allclose(_one_process(tmp_path / "alone", before, alone, through).tables[2].mean, found[2].mean)


def test_there_are_about_as_many_parts_as_files() -> None:
    assert [parts_of(files) for files in (0, 1, 6, 7, 250, 10_000)] == [1, 1, 7, 7, 251, MOST_PARTS]


def test_a_worker_restores_the_order_of_the_rows(tmp_path: Path) -> None:
    """Sums depend on it in their last bits."""
    rows = _rows(5, 2000)
    file, order = _in_order(_blocks(rows, 333), tmp_path, SHAPE)
    assert order.tolist() == list(range(0, 6000, 3))
    np.testing.assert_array_equal(file.mapped(), rows)


@pytest.mark.slow
def test_an_entity_with_more_rows_than_a_batch(tmp_path: Path) -> None:
    rows = _rows(3, BATCH_ROWS + 4000)
    rows["ids"][:, 1] = 17
    nothing = no_effects(EFFECTS, LAYOUT, OBJECTIVES, Basis({}, {}))
    expected = _one_process(tmp_path / "one", nothing, rows, DAY).tables
    assert expected[1].rows.max() > BATCH_ROWS
    _assert_equal(_with_beam(tmp_path / "beam", nothing, _blocks(rows, 4096), DAY), expected)


def test_without_rows_everything_reverts_to_the_prior(before: EffectState, tmp_path: Path) -> None:
    through = 20_002 * DAY
    expected = _one_process(tmp_path / "one", before, _rows(4, 0), through).tables
    _assert_equal(_with_beam(tmp_path / "beam", before, [], through), expected)
    assert not np.array_equal(expected[0].mean, before.tables[0].mean)
