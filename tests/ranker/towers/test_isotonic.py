"""The calibration layer: its values, monotonicity and gradients, and what it corrects."""

from collections.abc import Callable

import hypothesis.extra.numpy as npst
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ranker.config.towers import Isotonic
from ranker.towers.isotonic import IsotonicCalibration

GRID = Isotonic(buckets=6, low=-4.0, high=2.0)
LOG_ODDS = np.array([-1.0, -2.6, -6.5])  # on the border of two buckets, inside of one, below the grid
OBJECTIVES, KEYS = len(LOG_ODDS), 4


def _layer(
    key_values: int = KEYS, seed: int | None = 0, log_odds: NDArray[np.float64] = LOG_ODDS
) -> IsotonicCalibration:
    """A layer with random weights, or with its initial weights if the seed is None."""
    layer = IsotonicCalibration(log_odds, GRID, key_values)
    if seed is not None:
        rng = np.random.default_rng(seed)
        for weight in layer.trainable_weights:
            weight.assign(rng.normal(scale=1.5, size=weight.shape))
    return layer


def _logits(rows: int, seed: int = 1) -> NDArray[np.float32]:
    """Logits inside the grid and far outside of it, and one row on the borders of buckets."""
    logits = np.random.default_rng(seed).uniform(-9.0, 6.0, (rows, OBJECTIVES)).astype(np.float32)
    logits[0] = [-4.0, 0.0, 2.0]
    return logits


def _keys(rows: int) -> NDArray[np.int64]:
    return np.arange(rows, dtype=np.int64)[:, np.newaxis] % KEYS


def _in_numpy(layer: IsotonicCalibration, logits: NDArray[np.float32], keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Interpolates between the values at the borders, whose differences are given by the slopes."""
    weights = {weight.name: weight.numpy().astype(np.float64) for weight in layer.trainable_weights}
    borders = np.linspace(GRID.low, GRID.high, GRID.buckets + 1)
    knots = np.concatenate([[-50.0], borders[1:-1], [50.0]])
    calibrated = np.empty(logits.shape)
    for row, key in enumerate(keys[:, 0]):
        for o in range(OBJECTIVES):
            slopes = np.log2(1 + np.exp(weights["slopes"][o] + weights["key_slopes"][key, o]))
            heights = np.concatenate([[0.0], np.cumsum(slopes * np.diff(knots))])
            at_base_rate = np.interp(LOG_ODDS[o], knots, heights)
            bias = weights["bias"][o] + weights["key_bias"][key, o]
            calibrated[row, o] = np.interp(logits[row, o], knots, heights) - at_base_rate + LOG_ODDS[o] + bias
    return calibrated


@pytest.mark.parametrize("key_values", [0, KEYS])
def test_it_starts_as_the_identity(key_values: int) -> None:
    logits = _logits(200)
    calibrated = _layer(key_values, seed=None)(logits, _keys(200) if key_values else None)
    np.testing.assert_allclose(calibrated, logits, atol=3e-6)


def test_values_are_those_of_an_interpolation() -> None:
    layer, logits, keys = _layer(), _logits(300), _keys(300)
    expected = _in_numpy(layer, logits, keys)
    assert np.abs(expected - logits).max() > 1
    np.testing.assert_allclose(layer(logits, keys), expected, atol=2e-4)


def test_zero_key_weights_have_no_effect() -> None:
    layer, plain, logits = _layer(), _layer(0), _logits(50)
    for weight in (layer.key_slopes, layer.key_bias):
        weight.assign(np.zeros(weight.shape))
    plain.slopes.assign(layer.slopes)
    plain.bias.assign(layer.bias)
    np.testing.assert_allclose(layer(logits, _keys(50)), plain(logits), atol=1e-5)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.1, 1.0, 10.0, 100.0]),
    logits=npst.arrays(np.float32, 20, elements=st.floats(-60, 60, width=32)),
)
def test_order_is_kept_whatever_the_weights_and_the_key(seed: int, scale: float, logits: NDArray[np.float32]) -> None:
    layer, rng = _layer(seed=None), np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=scale, size=weight.shape))
    ascending = np.tile(np.sort(logits)[:, np.newaxis], (KEYS, OBJECTIVES))
    keys = np.repeat(np.arange(KEYS), len(logits))[:, np.newaxis]
    calibrated = layer(ascending, keys).numpy().reshape(KEYS, len(logits), OBJECTIVES)
    assert np.all(np.isfinite(calibrated))
    assert np.all(np.diff(calibrated, axis=1) >= 0)


def _gradients(
    layer: IsotonicCalibration, logits: NDArray[np.float32], keys: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    x = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x, keys))
    sources = [x, layer.slopes.value, layer.bias.value, layer.key_slopes.value, layer.key_bias.value]
    return [tf.convert_to_tensor(gradient).numpy() for gradient in tape.gradient(total, sources)]


def test_gradient_reaches_the_buckets_between_base_rate_and_logit_and_no_others() -> None:
    logits = np.array([[1.5, -3.5, -8.0]], np.float32)
    _, slopes, bias, key_slopes, key_bias = _gradients(_layer(), logits, np.array([[2]]))

    # Buckets begin at -4, -3, …, 1; the base rates' log-odds are -1, -2.6 and -6.5.
    reached = [[0, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(slopes != 0, np.array(reached, bool))
    np.testing.assert_array_equal(key_slopes[2], slopes)
    np.testing.assert_array_equal(key_slopes[[0, 1, 3]], 0)
    np.testing.assert_array_equal(bias, [1, 1, 1])
    np.testing.assert_array_equal(key_bias, np.eye(KEYS)[2][:, np.newaxis] * np.ones(OBJECTIVES))


def test_gradient_by_the_logit_is_the_slope_on_borders_as_well() -> None:
    layer = _layer(seed=None)
    layer.slopes.assign(np.tile(np.linspace(-2, 3, GRID.buckets), (OBJECTIVES, 1)))
    logits = np.repeat(np.array([[-9.0], [-4.0], [-1.0], [-0.5], [2.0], [7.0]], np.float32), OBJECTIVES, axis=1)
    by_logit = _gradients(layer, logits, np.zeros((len(logits), 1), np.int64))[0]

    slopes = np.log2(1 + np.exp(np.linspace(-2, 3, GRID.buckets)))
    np.testing.assert_allclose(by_logit, np.repeat(slopes[[0, 0, 2, 3, 5, 5]][:, np.newaxis], OBJECTIVES, 1), rtol=1e-5)


def test_the_derivative_with_respect_to_weights_is_that_of_autodiff() -> None:
    layer, logits, keys = _layer(), _logits(1, seed=5), np.array([[1]])
    slopes = _gradients(layer, logits, keys)[1]
    np.testing.assert_allclose(layer.by_slope_weights(logits, keys)[0], slopes, rtol=1e-5, atol=1e-6)


def test_it_is_the_same_when_compiled() -> None:
    layer, logits, keys = _layer(), tf.constant(_logits(64)), tf.constant(_keys(64))
    compiled = tf.function(layer, jit_compile=True)
    np.testing.assert_allclose(compiled(logits, keys), layer(logits, keys), atol=1e-5)


def _fitted(
    logits: NDArray[np.float32], keys: NDArray[np.int64], true: NDArray[np.float64]
) -> Callable[[NDArray[np.float32], int], NDArray[np.float32]]:
    """The layer alone, fitted to the probabilities of the true log-odds, as a function of logits and one key."""
    chance = 1 / (1 + np.exp(-true))
    rates = chance.mean(axis=0)
    layer = _layer(seed=None, log_odds=np.log(rates) - np.log1p(-rates))
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(layer.trainable_variables)
    labels = tf.constant(chance, tf.float32)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, layer(logits, keys))
            loss = tf.reduce_sum(tf.reduce_mean(losses, axis=0))
        gradients = tape.gradient(loss, [weight.value for weight in layer.trainable_variables])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], layer.trainable_variables)

    for _ in range(300):
        step()
    return lambda x, key: layer(x, np.full((len(x), 1), key)).numpy()


@pytest.mark.slow
def test_a_key_with_logits_twice_too_steep_is_corrected_and_others_are_not() -> None:
    logits = np.random.default_rng(3).normal(-1.5, 1.2, (4000, OBJECTIVES)).astype(np.float32)
    keys = _keys(4000)
    true = np.where(keys == 1, -1.5 + (logits + 1.5) / 2, logits)

    calibrated = _fitted(logits, keys, true)

    x = np.repeat(np.linspace(-4, 1, 26, dtype=np.float32)[:, np.newaxis], OBJECTIVES, axis=1)
    np.testing.assert_allclose(calibrated(x, 1), -1.5 + (x + 1.5) / 2, atol=0.15)
    np.testing.assert_allclose(calibrated(x, 2), x, atol=0.15)


@pytest.mark.slow
def test_logits_distorted_by_a_monotone_function_are_calibrated() -> None:
    true = np.random.default_rng(4).normal(-1.5, 1.2, (4000, OBJECTIVES))
    bent = np.where(true > -1, 3 * true + 2, true).astype(np.float32)  # too steep above -1

    calibrated = _fitted(bent, np.zeros((4000, 1), np.int64), true)

    x = np.repeat(np.array([[-3.0], [-2.0], [-1.0], [0.0], [2.0], [4.0]], np.float32), OBJECTIVES, axis=1)
    np.testing.assert_allclose(calibrated(x, 0), np.where(x > -1, (x - 2) / 3, x), atol=0.15)
