"""One process of several that train the planted towers together: `python -m tests.ranker.towers.worker KIND OUT`.

KIND is `multi_worker`, with TF_CONFIG in the environment, or `mirrored` for two devices of this process. The weights
are written to OUT, and 1 or 0 for whether this process is the one that would write a model. With a third argument
`fixed`, the leaf embeddings stay as they are, and the loss has a pull towards zero.
"""

import sys

import numpy as np
import tensorflow as tf

from ranker.config.towers import Isotonic, Towers
from ranker.config.training import Training
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.pull import Pull
from ranker.towers.train import train_towers
from ranker.towers.workers import is_chief, make_strategy
from tests.ranker.towers.planted import KEYED_INPUTS, OBJECTIVES, impressions

TOWERS = Towers(
    leaf_embedding_size=4, hidden=(32, 16), dense_projection_size=4, leaf_dropout=0.0, isotonic=Isotonic(by="device")
)
# Every step is clipped at this norm; the last batch has one row, so that one of two replicas gets none.
TRAINING = Training(batch_size=256, learning_rate=1e-2, gradient_clip_norm=0.5, epochs=2)
ROWS = 6 * 256 + 1


def train(strategy: tf.distribute.Strategy | None, leaf_embeddings: bool = True) -> list[np.ndarray]:
    """The weights after two epochs."""
    rows = impressions(ROWS, seed=1)
    length = TRAINING.length(ROWS)
    batches = rows.batches(length.batch_size, length.epochs)
    trained = train_towers(
        *(batches, rows.counts(), KEYED_INPUTS, OBJECTIVES, TOWERS, TRAINING),
        strategy=strategy,
        leaf_embeddings=leaf_embeddings,
        pull=None if leaf_embeddings else _pull(),
    )
    assert trained.history.impressions[-1] == length.epochs * ROWS
    return [np.array(variable.numpy()) for variable in trained.network.variables]


def _pull() -> Pull:
    """Of all weights towards zero."""
    network = TwoTowerNetwork(KEYED_INPUTS, TOWERS, OBJECTIVES, np.full(len(OBJECTIVES), 0.5), seed=1)
    shapes = [weight.shape for weight in network.trainable_weights]
    return Pull(tuple(tf.fill(shape, 0.1) for shape in shapes), tuple(tf.zeros(shape) for shape in shapes))


def main(kind: str, out: str, leaf_embeddings: str = "trained") -> None:
    if kind == "mirrored":
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = make_strategy("multi_worker")
    assert strategy is not None
    assert strategy.num_replicas_in_sync == 2
    np.savez(out, *train(strategy, leaf_embeddings != "fixed"), chief=np.array(int(is_chief(strategy))))


if __name__ == "__main__":
    main(*sys.argv[1:])
