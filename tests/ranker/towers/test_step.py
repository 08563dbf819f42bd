"""One training step, and chunks of them."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.config.towers import Isotonic, Towers
from ranker.config.training import Training
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.optimizer import make_optimizer
from ranker.towers.schedule import make_schedule
from ranker.towers.step import ChunkReport, float_inputs, make_chunk, make_step, through_xla
from tests.ranker.towers.planted import INPUTS, KEYED_INPUTS, OBJECTIVES, impressions

pytestmark = pytest.mark.slow

STEPS = 12


def _run(
    compiled: bool,
    dropout: float = 0.0,
    clip: float | None = 10.0,
    isotonic: Isotonic | None = None,
    leaf_embeddings: bool = True,
    leaf_dropout: float = 0.0,
    steps: int = STEPS,
) -> tuple[ChunkReport, list[np.ndarray]]:
    """The report of the steps, and the weights after them."""
    rows = impressions(STEPS * 256, seed=1)
    towers = Towers(
        leaf_embedding_size=4,
        hidden=(16, 8),
        dense_projection_size=4,
        cross_rank=32,
        leaf_dropout=leaf_dropout,
        dropout=dropout,
        isotonic=isotonic,
    )
    network = TwoTowerNetwork(KEYED_INPUTS, towers, OBJECTIVES, rows.counts().base_rates, seed=1)
    training = Training(
        learning_rate=1e-2, warmup_fraction=0.25, final_learning_rate_fraction=0.1, gradient_clip_norm=clip
    )
    optimizer = make_optimizer(training, make_schedule(training, STEPS))
    step = make_step(network, optimizer, leaf_embeddings=leaf_embeddings)
    chunk = make_chunk(through_xla(step) if compiled else step)
    batches = iter(rows.batches(256))
    reports = chunk(batches, steps // 2) + chunk(batches, steps - steps // 2)
    return reports, [variable.numpy() for variable in network.trainable_weights]


@pytest.fixture(scope="module")
def uncompiled() -> tuple[ChunkReport, list[np.ndarray]]:
    return _run(compiled=False)


@pytest.mark.parametrize("isotonic", [None, Isotonic(by="device")])
def test_compiled_and_uncompiled_steps_agree(
    uncompiled: tuple[ChunkReport, list[np.ndarray]], isotonic: Isotonic | None
) -> None:
    compiled = _run(compiled=True, isotonic=isotonic)
    op_by_op = _run(compiled=False, isotonic=isotonic) if isotonic else uncompiled

    np.testing.assert_allclose(compiled[0].losses, op_by_op[0].losses, rtol=1e-4)
    for a, b in zip(compiled[1], op_by_op[1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


@pytest.mark.slow
def test_compiled_steps_repeat_bit_for_bit() -> None:
    first, again = (_run(compiled=True, dropout=0.1) for _ in range(2))

    np.testing.assert_array_equal(first[0].losses, again[0].losses)
    assert all(np.array_equal(a, b) for a, b in zip(first[1], again[1], strict=True))


def test_a_chunk_reports_every_step_in_order(uncompiled: tuple[ChunkReport, list[np.ndarray]]) -> None:
    report, _ = uncompiled
    first = impressions(STEPS * 256, seed=1).labels
    base_rates = first.mean(axis=0)

    assert report.losses.shape == (STEPS, len(OBJECTIVES))
    np.testing.assert_array_equal(report.rows, np.full(STEPS, 256))
    assert report.finite.all()
    positives = first[:256].mean(axis=0)
    # The first step predicts the base rates of all rows for its batch.
    entropy = -positives * np.log(base_rates) - (1 - positives) * np.log1p(-base_rates)
    np.testing.assert_allclose(report.losses[0], entropy, rtol=1e-4)


@pytest.mark.parametrize("leaf_dropout", [0.0, 0.5])
def test_a_step_that_leaves_out_the_leaf_embeddings_changes_the_others_as_any_step(leaf_dropout: float) -> None:
    """Without clipping, each weight's step is its own. Outputs start at zero: embeddings change in the second."""

    def weights(steps: int, leaf_embeddings: bool) -> list[np.ndarray]:
        run = _run(False, clip=None, leaf_embeddings=leaf_embeddings, leaf_dropout=leaf_dropout, steps=steps)
        return run[1]

    before, (every_table, *every), (table, *others) = weights(0, True), weights(2, True), weights(2, False)

    assert table.shape == (INPUTS.leaves, 4)
    np.testing.assert_array_equal(table, before[0])
    assert np.abs(every_table - table).max() > 1e-4
    assert sum(np.any(found != old) for found, old in zip(others, before[1:], strict=True)) > len(others) / 2
    for found, expected in zip(others, every, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_small_clip_norm_slows_the_steps_down() -> None:
    rows = impressions(256, seed=1)
    moved = []
    # Adagrad's first step has the length of its rate, unless a gradient is as small as epsilon.
    for clip in (1e-6, None):
        network = TwoTowerNetwork(INPUTS, Towers(hidden=(8,)), OBJECTIVES, rows.counts().base_rates, seed=1)
        optimizer = make_optimizer(Training(optimizer="adagrad", gradient_clip_norm=clip), 1e-2)
        before = network.towers[0].layers[-1].kernel.numpy()
        make_step(network, optimizer)({n: tf.constant(v) for n, v in rows.tensors().items()})
        moved.append(np.abs(network.towers[0].layers[-1].kernel.numpy() - before).max())

    assert 0 < moved[0] < 0.1 * moved[1]


def test_adagrad_adapts_to_the_small_gradients_of_a_rare_objective() -> None:
    weights = tf.Variable([0.0, 0.0])
    optimizer = make_optimizer(Training(optimizer="adagrad", gradient_clip_norm=None), 1e-2)
    optimizer.apply([tf.constant([1.0, 1e-2])], [weights])

    np.testing.assert_allclose(weights.numpy(), [-1e-2, -1e-2], rtol=1e-2)


@pytest.mark.parametrize("drop", [(), ("content",), ("content", "numeric")])
def test_float_inputs_are_the_batch_without_leaves_and_labels(drop: tuple[str, ...]) -> None:
    batch = {name: tf.constant(v) for name, v in impressions(2, seed=1).tensors().items() if name not in drop}

    assert float_inputs(batch) == [name for name in ("content", "numeric") if name not in drop]
