"""Levels one after another, and the fewest rows of an entity."""

from pathlib import Path

import numpy as np

from ranker.config.effects import EffectLevel
from ranker.effects.levels import fit_levels
from ranker.effects.table import EffectTable
from tests.ranker.effects.simulated import most_probable, row_file

NOTHING = [EffectTable.empty(1, 1), EffectTable.empty(1, 2)]


def _rows() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(1)
    ids = np.stack([random.integers(0, 40, 3000), random.integers(0, 25, 3000)], axis=1)
    ids[0] = (77, 88)  # entities with one row
    x = random.normal(size=(3000, 1)).astype(np.float32)
    offset = random.normal(-1, 0.5, (3000, 1)).astype(np.float32)
    viewer, item = random.normal(0, 1, 100), random.normal(0, 1, 100)
    log_odds = offset[:, 0] + viewer[ids[:, 0]] + item[ids[:, 1]] * x[:, 0]
    y = (random.random(3000) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)[:, None]
    return ids, x, y, offset


def test_the_second_level_is_fitted_on_what_the_first_has_led_to(tmp_path: Path) -> None:
    ids, x, y, offset = _rows()
    levels = (
        EffectLevel("viewer_id", intercept_variance=0.1, min_rows=10),
        EffectLevel("item_id", ("age",), intercept_variance=0.1, input_variance=0.05, min_rows=10),
    )
    rows = row_file(tmp_path, ids, x, y, offset)
    viewers, items = fit_levels(rows, levels, ((), (0,)), NOTHING)

    of_viewer = np.where(ids[:, 0] == 77, 0.0, viewers.mean[viewers.find(ids[:, 0]), 0, 0])
    own = ids[:, 1] == 3
    design = np.stack([np.ones(own.sum()), x[own, 0]], axis=1)
    expected = most_probable(design, y[own, 0], offset[own, 0] + of_viewer[own], np.zeros(2), [0.1, 0.05])
    np.testing.assert_allclose(items.mean[items.find(np.array([3]))[0], 0], expected, atol=1e-5)

    found = np.concatenate([block["offset"] for block in rows.blocks(1000)])
    of_item = np.einsum("ri,ri->r", items.mean[items.find(ids[:, 1]), 0], np.stack([np.ones(3000), x[:, 0]], axis=1))
    of_item[0] = 0.0
    np.testing.assert_allclose(found[:, 0], offset[:, 0] + of_viewer + of_item, atol=1e-5)


def test_an_entity_with_few_rows_is_remembered_and_has_no_effect_yet(tmp_path: Path) -> None:
    ids, x, y, offset = _rows()
    levels = (EffectLevel("viewer_id", (), 0.1, min_rows=2), EffectLevel("item_id", (), 0.1, min_rows=2))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = row_file(tmp_path / "first", ids[:1], x[:1], y[:1], offset[:1])
    tables = fit_levels(first, levels, ((), ()), [EffectTable.empty(1, 1)] * 2)
    assert [table.rows.tolist() for table in tables] == [[1.0], [1.0]]
    assert next(first.blocks())["offset"] == offset[:1]
    second = row_file(tmp_path / "second", ids[:1], x[:1], y[:1], offset[:1])
    tables = fit_levels(second, levels, ((), ()), tables)
    assert [table.rows.tolist() for table in tables] == [[2.0], [2.0]]
    assert next(second.blocks())["offset"] != offset[:1]


def test_offsets_of_a_model_that_has_seen_the_rows_shrink_the_effects(tmp_path: Path) -> None:
    """Why a day's rows need the log-odds of a model pushed before that day.

    A model that was trained on the rows has learnt part of what each entity did there. What is left to its effect is
    too small, while tomorrow the model knows less than it seemed to.
    """
    random = np.random.default_rng(2)
    entities, per_entity = 200, 40
    true = random.normal(0, 1.0, entities)
    ids = np.repeat(np.arange(entities), per_entity)[:, None]
    fixed = random.normal(-1, 0.5, (len(ids), 1)).astype(np.float32)
    y = (random.random((len(ids), 1)) < 1 / (1 + np.exp(-fixed - true[ids]))).astype(np.int8)
    # The in-sample model: it has memorised half of the way from its fixed log-odds to each row's label.
    memorised = (fixed + 0.5 * (4.0 * y - 2.0 - fixed)).astype(np.float32)
    levels = (EffectLevel("viewer_id", intercept_variance=1.0),)
    fitted = []
    for name, offset in (("out", fixed), ("in", memorised)):
        (tmp_path / name).mkdir()
        rows = row_file(tmp_path / name, ids, np.zeros((len(ids), 0)), y, offset)
        [table] = fit_levels(rows, levels, ((),), [EffectTable.empty(1, 1)])
        fitted.append(table.mean[:, 0, 0])
    out_of_sample, in_sample = fitted
    slope = [np.polyfit(true, found, 1)[0] for found in fitted]
    assert 0.8 < slope[0] < 1.1
    assert slope[1] < 0.7 * slope[0]
    new = random.random((entities, 200)) < 1 / (1 + np.exp(1 - true))[:, None]
    loss = [
        np.mean(np.logaddexp(0, found - 1)[:, None] - new * (found - 1)[:, None])
        for found in (out_of_sample, in_sample)
    ]
    assert loss[0] < loss[1]
