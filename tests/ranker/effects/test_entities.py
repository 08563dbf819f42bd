"""The regressions of single entities, compared with other solvers."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ranker.effects.entities import BATCH_ROWS, LevelSettings, fit_level, padded_sizes
from ranker.effects.newton import NotConvergedError
from ranker.effects.rows import UNOBSERVED, RowFile, RowShape, partitions
from ranker.effects.table import EffectTable
from ranker.features.fingerprints import ABSENT
from tests.ranker.effects.simulated import most_probable, row_file

SETTINGS = LevelSettings(0, (0, 1, 2), (0.5, 0.2, 0.2, 0.2))
NOTHING = EffectTable.empty(2, 4)


def _simulated(seed: int, entities: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of entities with 1 to 80 impressions, in random order, and two objectives."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, 80, entities)
    ids = np.repeat(random.integers(0, 2**62, entities), counts)
    ids = ids[random.permutation(len(ids))][:, None]
    x = random.normal(size=(len(ids), 3)).astype(np.float32)
    offset = random.normal(-1.5, 1.5, (len(ids), 2)).astype(np.float32)
    y = (random.random((len(ids), 2)) < 1 / (1 + np.exp(-offset - x[:, :1]))).astype(np.int8)
    return ids, x, y, offset


def _with_intercept(x: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)


def test_every_entity_agrees_with_scipy(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(1)
    table = fit_level(row_file(tmp_path, ids, x, y, offset), SETTINGS, NOTHING)
    assert table.ids.tolist() == sorted(set(ids[:, 0].tolist()))
    for number, entity in enumerate(table.ids):
        own = ids[:, 0] == entity
        assert table.rows[number] == own.sum()
        for objective in range(2):
            expected = most_probable(
                _with_intercept(x[own]), y[own, objective], offset[own, objective], np.zeros(4), SETTINGS.variance
            )
            np.testing.assert_allclose(table.mean[number, objective], expected, atol=1e-6)


def test_without_an_offset_an_entity_agrees_with_scikit_learn(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(2, entities=5)
    settings = LevelSettings(0, (0, 1, 2), (0.3, 0.3, 0.3, 0.3))
    table = fit_level(row_file(tmp_path, ids, x, y, np.zeros_like(offset)), settings, NOTHING)
    compared = 0
    for number, entity in enumerate(table.ids):
        own = ids[:, 0] == entity
        for objective in range(2):
            if len(set(y[own, objective].tolist())) == 2:  # scikit-learn refuses one class
                model = LogisticRegression(C=0.3, fit_intercept=False, tol=1e-12, max_iter=10_000)
                model.fit(_with_intercept(x[own]), y[own, objective])
                np.testing.assert_allclose(table.mean[number, objective], model.coef_[0], atol=1e-6)
                compared += 1
    assert compared >= 6


def test_the_variance_is_that_of_laplaces_approximation(tmp_path: Path) -> None:
    x = np.zeros((40, 0), np.float32)
    y = np.repeat([[1], [0]], [10, 30], axis=0)
    settings = LevelSettings(0, (), (1e3,))
    table = fit_level(
        row_file(tmp_path, np.full((40, 1), 5), x, y, np.zeros((40, 1))), settings, EffectTable.empty(1, 1)
    )
    # With a flat prior: the log-odds of 10 of 40, with the variance 1 / (n p (1 - p)).
    assert table.mean.item() == pytest.approx(np.log(10 / 30), abs=1e-3)
    assert table.variance.item() == pytest.approx(1 / (40 * 0.25 * 0.75), rel=1e-2)


@pytest.mark.parametrize("batch_rows", [8, 64, 100_000])
def test_the_result_does_not_depend_on_how_rows_are_batched(tmp_path: Path, batch_rows: int) -> None:
    ids, x, y, offset = _simulated(3)
    rows = row_file(tmp_path, ids, x, y, offset)
    expected, found = fit_level(rows, SETTINGS, NOTHING), fit_level(rows, SETTINGS, NOTHING, batch_rows)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(found.variance, expected.variance, atol=1e-6)


def test_an_entity_is_fitted_bit_for_bit_alike_whoever_else_is_there(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(4)
    everybody = fit_level(row_file(tmp_path, ids, x, y, offset), SETTINGS, NOTHING)
    one = everybody.ids[17]
    own = ids[:, 0] == one
    (tmp_path / "alone").mkdir()
    alone = fit_level(row_file(tmp_path / "alone", ids[own], x[own], y[own], offset[own]), SETTINGS, NOTHING)
    assert alone.ids.tolist() == [one]
    np.testing.assert_array_equal(alone.mean[0], everybody.mean[17])


@pytest.mark.parametrize("rows", [1, 5, 5000])
def test_an_entity_with_only_negatives_has_a_finite_effect(tmp_path: Path, rows: int) -> None:
    file = row_file(tmp_path, np.full((rows, 1), 9), np.zeros((rows, 0)), np.zeros((rows, 1)), np.full((rows, 1), -2.0))
    table = fit_level(file, LevelSettings(0, (), (0.5,)), EffectTable.empty(1, 1))
    expected = most_probable(np.ones((rows, 1)), np.zeros(rows), np.full(rows, -2.0), [0.0], [0.5])
    assert -10 < table.mean.item() < 0
    np.testing.assert_allclose(table.mean[0, 0], expected, atol=1e-6)


def test_offsets_far_from_the_labels_converge(tmp_path: Path) -> None:
    y = np.repeat([[1], [0]], [30, 2], axis=0)
    for offset in (-40.0, 40.0, -500.0):
        folder = tmp_path / str(offset)
        folder.mkdir()
        file = row_file(folder, np.full((32, 1), 9), np.zeros((32, 0)), y, np.full((32, 1), offset))
        table = fit_level(file, LevelSettings(0, (), (100.0,)), EffectTable.empty(1, 1))
        expected = most_probable(np.ones((32, 1)), y[:, 0], np.full(32, offset), [0.0], [100.0])
        np.testing.assert_allclose(table.mean[0, 0], expected, rtol=1e-6)


def test_a_label_that_was_not_observed_does_not_count(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(5, entities=3)
    hidden = y.copy()
    hidden[::3, 0] = UNOBSERVED
    (tmp_path / "kept").mkdir()
    seen = hidden[:, 0] != UNOBSERVED
    found = fit_level(row_file(tmp_path, ids, x, hidden, offset), SETTINGS, NOTHING)
    kept = fit_level(row_file(tmp_path / "kept", ids[seen], x[seen], y[seen], offset[seen]), SETTINGS, NOTHING)
    np.testing.assert_allclose(found.mean[:, 0], kept.mean[:, 0], atol=1e-6)
    assert not np.allclose(found.mean[:, 1], kept.mean[:, 1], atol=1e-3)


def test_rows_without_an_id_belong_to_nobody(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(6, entities=4)
    without = np.where(np.arange(len(ids))[:, None] % 2, ids, ABSENT)
    table = fit_level(row_file(tmp_path, without, x, y, offset), SETTINGS, NOTHING)
    assert ABSENT not in table.ids
    assert table.rows.sum() == (without != ABSENT).sum()


def test_no_rows_leave_everything_as_it_was(tmp_path: Path) -> None:
    before = EffectTable(np.array([3]), np.ones((1, 2, 4), "f4"), np.ones((1, 2, 4), "f4"), np.array([2.0], "f4"))
    empty = RowFile(tmp_path / "rows", RowShape(1, 3, 2))
    assert fit_level(empty, SETTINGS, before) is before


def test_what_was_known_before_is_the_prior_of_the_entities_that_are_seen_again(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(7, entities=3)
    again, other = np.unique(ids)[0], 2**62 + 1
    random = np.random.default_rng(8)
    mean, variance = random.normal(size=(2, 2, 4)).astype("f4"), random.uniform(0.05, 0.4, (2, 2, 4)).astype("f4")
    before = EffectTable(np.array([again, other]), mean, variance, np.array([10.0, 4.0], "f4"))
    table = fit_level(row_file(tmp_path, ids, x, y, offset), SETTINGS, before)
    own = ids[:, 0] == again
    expected = most_probable(_with_intercept(x[own]), y[own, 1], offset[own, 1], mean[0, 1], variance[0, 1])
    at, unseen = table.find(np.array([again, other]))
    np.testing.assert_allclose(table.mean[at, 1], expected, atol=1e-6)
    assert table.rows[at] == 10 + own.sum()
    np.testing.assert_array_equal(table.mean[unseen], mean[1])
    assert table.rows[unseen] == 4.0


def test_two_halves_one_after_the_other_are_about_as_good_as_all_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    x, offset = np.zeros((4000, 0)), np.full((4000, 1), -1.0)
    y = (random.random((4000, 1)) < 1 / (1 + np.exp(1.0 - 0.8))).astype(np.int8)
    settings, nothing = LevelSettings(0, (), (1.0,)), EffectTable.empty(1, 1)
    for name in ("all", "first", "second"):
        (tmp_path / name).mkdir()
    ids = np.full((4000, 1), 4)
    together = fit_level(row_file(tmp_path / "all", ids, x, y, offset), settings, nothing)
    first = fit_level(row_file(tmp_path / "first", ids[:2000], x[:2000], y[:2000], offset[:2000]), settings, nothing)
    second = fit_level(row_file(tmp_path / "second", ids[2000:], x[2000:], y[2000:], offset[2000:]), settings, first)
    assert second.mean.item() == pytest.approx(together.mean.item(), abs=0.005)
    assert second.variance.item() == pytest.approx(together.variance.item(), rel=0.02)
    assert second.rows.item() == 4000


def test_partitions_hold_each_entity_once_and_are_divided_until_they_fit(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(10)
    rows = row_file(tmp_path, ids, x, y, offset)
    folder = tmp_path / "parts"
    folder.mkdir()
    seen: list[int] = []
    total = 0
    for part in partitions(rows, 0, folder, parts=3, max_rows=90):
        owners = set(part.mapped()["ids"][:, 0].tolist())
        assert len(part) <= 90 or len(owners) == 1
        total += len(part)
        seen += owners
    assert sorted(seen) == sorted(set(ids[:, 0].tolist()))
    assert total == len(ids)
    assert not list(folder.iterdir())


def test_padding_is_at_most_a_fifth_of_large_entities() -> None:
    sizes = padded_sizes(BATCH_ROWS)
    assert sizes[-1] >= BATCH_ROWS
    large = sizes[sizes > 20]
    assert (large[1:] / large[:-1]).max() <= 1.25


def test_numbers_that_are_not_finite_are_refused() -> None:
    shape = RowShape(1, 1, 1)
    with pytest.raises(ValueError, match="x: a row holds NaN"):
        shape.rows([[1]], [[np.nan]], [[0]], [[0.0]])
    with pytest.raises(ValueError, match="offset: a row holds NaN"):
        shape.rows([[1]], [[0.0]], [[0]], [[np.inf]])
    with pytest.raises(ValueError, match="a label is 0 or 1"):
        shape.rows([[1]], [[0.0]], [[2]], [[0.0]])


def test_inputs_that_are_far_too_large_are_named(tmp_path: Path) -> None:
    ids, x, y, offset = _simulated(6, entities=3)
    with pytest.raises(NotConvergedError, match="as the inputs are too large; look for embeddings"):
        fit_level(row_file(tmp_path, ids, np.full_like(x, 1e15), y, offset), SETTINGS, NOTHING)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Of the same entities; tracemalloc counts what numpy allocates, but not files that are mapped."""
    peaks = []
    for count in (160_000, 640_000):
        (tmp_path / str(count)).mkdir()
        random = np.random.default_rng(1)
        shape = RowShape(1, 7, 1)
        file = RowFile(tmp_path / str(count) / "rows", shape)
        for _ in range(count // 40_000):
            ids = random.integers(0, 500, (40_000, 1)) * 7919
            y = random.integers(0, 2, (40_000, 1))
            file.append(shape.rows(ids, random.normal(size=(40_000, 7)), y, np.zeros((40_000, 1))))
        tracemalloc.start()
        fit_level(file, LevelSettings(0, tuple(range(7)), (0.5,) * 8), EffectTable.empty(1, 8))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
