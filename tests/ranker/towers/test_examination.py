"""The examination model, compared with the truth of simulated sessions in random order."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import Exposure
from ranker.config.examination import Examination
from ranker.features.exposure import exposure_values
from ranker.towers.examination import ExaminationModel, RandomImpressions, fit_examination

PATIENCE = np.array([22.0, 12.0, 6.0])
POSITION, SLOT = Exposure("position", default=1.0), Exposure("slot", default="feed")
CODES = 5  # of the device, two of which never occur


def truth(position: np.ndarray, device: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + (position - 1) / PATIENCE[device]))


def random_sessions(sessions: int, seed: int) -> RandomImpressions:
    """Sessions of 10 to 30 items in random order; longer ones, and those on some devices, are of keener viewers."""
    rng = np.random.default_rng(seed)
    sizes, devices = rng.integers(10, 31, sessions), rng.integers(0, 3, sessions)
    session = np.repeat(np.arange(sessions), sizes)
    position = np.concatenate([rng.permutation(size) + 1 for size in sizes]).astype(np.float64)
    device = devices[session]
    keenness = 0.1 * (0.6 + sizes[session] / 30 + 0.4 * device)
    relevance = np.clip(keenness * rng.lognormal(0, 0.7, len(session)), 0, 0.9)
    chance = relevance * truth(position, device)
    outcomes = (rng.random((len(session), 2)) < np.stack([chance, 0.1 * chance], axis=1)).sum(axis=1)
    values = exposure_values([POSITION], [tf.constant(position, tf.float32)]).numpy()
    return RandomImpressions(values, device[:, np.newaxis], session, outcomes.astype(np.float64))


def examination(model: ExaminationModel, position: np.ndarray, device: int) -> np.ndarray:
    values = exposure_values([POSITION], [tf.constant(position, tf.float32)])
    by = tf.fill([len(position), 1], tf.constant(device, tf.int64))
    return np.exp(model(values, by).numpy()[:, 0])


@pytest.fixture(scope="module")
def model() -> ExaminationModel:
    return fit_examination(random_sessions(3000, seed=1), [POSITION], [CODES], Examination(by=("device",)))


@pytest.mark.slow
def test_examination_comes_back_from_sessions_in_random_order(model: ExaminationModel) -> None:
    position = np.arange(1, 31)
    for device in range(3):
        ratio = examination(model, position, device) / truth(position, np.full(30, device))
        assert ratio[0] == 1.0
        assert np.all((ratio > 0.7) & (ratio < 1.3)), (device, ratio)
        assert np.abs(np.log(ratio)).mean() < 0.12


@pytest.mark.slow
def test_the_effect_differs_by_device_and_is_common_for_an_unknown_one(model: ExaminationModel) -> None:
    at_20 = [float(examination(model, np.array([20.0]), device)[0]) for device in range(CODES)]
    assert at_20[0] > at_20[1] > at_20[2]
    assert at_20[2] < at_20[3] == at_20[4] < at_20[0]


def test_a_model_without_features_has_one_curve() -> None:
    data = random_sessions(1500, seed=2)
    data = replace(data, by=data.by[:, :0])
    model = fit_examination(data, [POSITION], [], Examination())
    assert model.by_codes == ()
    found = np.exp(model(exposure_values([POSITION], [tf.constant([1.0, 5.0, 30.0])]), None).numpy()[:, 0])
    assert found[0] == 1.0 > found[1] > found[2]


@pytest.mark.slow
def test_the_default_has_examination_1_and_stands_for_a_missing_value(model: ExaminationModel) -> None:
    found = examination(model, np.array([1.0, np.nan, 1e9, -50.0]), 0)
    assert found[0] == found[1] == found[3] == 1.0
    assert 0 < found[2] == examination(model, np.array([30.0]), 0)[0]


def test_a_category_has_a_value_of_its_own() -> None:
    rng = np.random.default_rng(3)
    session = np.repeat(np.arange(4000), 6)
    slot = np.array(["feed", "rail", "footer"])[rng.integers(0, 3, len(session))]
    chance = 0.3 * np.select([slot == "feed", slot == "rail"], [1.0, 0.5], 0.2)
    outcomes = (rng.random(len(session)) < chance).astype(np.float64)
    values = exposure_values([POSITION, SLOT], [tf.ones(len(session)), tf.constant(slot)]).numpy()
    model = fit_examination(
        RandomImpressions(values, np.zeros((len(session), 0), np.int64), session, outcomes),
        [POSITION, SLOT],
        [],
        Examination(),
    )
    slots = tf.constant(["feed", "rail", "footer", "", "never seen"])
    found = np.exp(model(exposure_values([POSITION, SLOT], [tf.ones(5), slots]), None).numpy()[:, 0])
    np.testing.assert_allclose(found[1:3], [0.5, 0.2], rtol=0.1)
    assert found[0] == found[3] == found[4] == 1.0


@pytest.mark.slow
def test_what_is_saved_can_be_loaded(model: ExaminationModel, tmp_path: Path) -> None:
    model.save(str(tmp_path))
    loaded = ExaminationModel.load(str(tmp_path))
    assert (loaded.exposure, loaded.by_codes) == (1, (CODES,))
    position = np.array([1.0, 3.0, 12.0, 29.0, np.nan])
    np.testing.assert_array_equal(examination(loaded, position, 2), examination(model, position, 2))
    with pytest.raises(ValueError, match=r"none/examination\.npz is missing or corrupt"):
        ExaminationModel.load(str(tmp_path / "none"))


def test_too_few_outcomes_and_exposure_that_never_varies_are_refused() -> None:
    few = random_sessions(10, seed=4)
    with pytest.raises(ValueError, match=r"examination: the training days have \d+ outcomes on \d+ impressions"):
        fit_examination(few, [POSITION], [CODES], Examination(by=("device",)))
    many = random_sessions(500, seed=4)
    constant = RandomImpressions(np.ones_like(many.values), many.by, many.session, many.outcomes)
    with pytest.raises(ValueError, match="examination: position has the same value"):
        fit_examination(constant, [POSITION], [CODES], Examination(by=("device",)))


def test_only_impressions_at_random_positions_are_used() -> None:
    batch: Mapping[str, np.ndarray] = {
        keys.EXPOSURE_VALUES: np.array([[1.0], [2.0], [3.0]], np.float32),
        keys.EXAMINED_BY: np.array([[0], [1], [2]]),
        keys.RANDOM_SESSION: np.array([[7], [-1], [9]]),
        keys.LABELS: np.array([[1, 1], [1, 0], [0, 0]], np.float32),
    }
    found = RandomImpressions.of([batch, batch])
    assert found.values[:, 0].tolist() == [1, 3, 1, 3]
    assert found.by[:, 0].tolist() == [0, 2, 0, 2]
    assert found.session.tolist() == [7, 9, 7, 9]
    assert found.outcomes.tolist() == [2, 0, 2, 0]
