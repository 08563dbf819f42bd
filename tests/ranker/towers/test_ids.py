"""Vectors of ids: rows of two tables, dropout, products, and what only they can learn."""

from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import HashedId
from ranker.config.objectives import Objective
from ranker.config.towers import Towers
from ranker.config.training import IdTables, Training
from ranker.features.fingerprints import table_rows
from ranker.towers.data import LabelCounts
from ranker.towers.ids import IdEmbedding, multiplied_pairs
from ranker.towers.inputs import TowerInputs
from ranker.towers.network import TwoTowerNetwork
from ranker.towers.optimizer import make_optimizer
from ranker.towers.train import train_towers

VIEWERS, AUTHORS = 60, 40
IDS = (HashedId("viewer", buckets=100, dimension=4), HashedId("author", buckets=60, dimension=4))
CLICK = (Objective("click", tower="passive"),)
TOWERS = Towers(leaf_embedding_size=1, hidden=(16,), cross_rank=0, members=1, leaf_dropout=0.0)
ROWS = 12_000


def _embedding(**settings: Any) -> IdEmbedding:
    layer = IdEmbedding(HashedId("viewer", buckets=3, dimension=2, **settings), 0, seed=1)
    layer(tf.zeros([1, 2], tf.int64))
    layer.table.assign(np.arange(12, dtype=np.float32).reshape(6, 2))
    return layer


def test_a_vector_is_the_sum_of_a_row_of_each_table_and_0_where_there_is_no_id() -> None:
    found = _embedding()(tf.constant([[0, 0], [2, 1], [3, 3]], tf.int64))
    np.testing.assert_array_equal(found, [[0 + 6, 1 + 7], [4 + 8, 5 + 9], [0, 0]])


def test_dropout_takes_complete_vectors_in_training_alone_and_scales_none() -> None:
    codes = tf.constant([[2, 1]] * 4000, tf.int64)
    layer = _embedding(dropout=0.3)
    np.testing.assert_array_equal(layer(codes), [[12, 14]] * 4000)
    dropped = layer(codes, training=True).numpy()
    assert set(map(tuple, dropped.tolist())) == {(0.0, 0.0), (12.0, 14.0)}
    assert (dropped[:, 0] == 0).mean() == pytest.approx(0.3, abs=0.03)
    again = layer(codes, training=True).numpy()
    assert (dropped != again).any()
    np.testing.assert_array_equal(_embedding(dropout=0.0)(codes, training=True), [[12, 14]] * 4000)


def test_vectors_of_equal_size_are_multiplied_with_each_other() -> None:
    assert multiplied_pairs([4, 4, 2, 4, 2]) == [(0, 1), (0, 3), (1, 3), (2, 4)]
    inputs = TowerInputs(1, 2, 0, {}, ids=(*IDS, HashedId("item", buckets=5, dimension=3)))
    network = TwoTowerNetwork(inputs, TOWERS, CLICK, np.array([0.5]), seed=1)
    codes = tf.constant([[1, 2, 3, 4, 0, 1], [1, 2, 60, 60, 0, 1]], tf.int64)
    batch = {keys.LEAVES: tf.zeros([2, 1], tf.int32), keys.HASHED_IDS: codes}
    _, found = network.common_input(batch)
    viewer, author, item = (network.id_embeddings[i](codes[:, 2 * i : 2 * i + 2]) for i in range(3))
    np.testing.assert_array_equal(found, tf.concat([viewer, author, item, viewer * author], axis=1))
    assert not found[1, 4:8].numpy().any()
    assert not found[1, 11:].numpy().any()


def test_tables_have_a_rate_and_a_decay_of_their_own() -> None:
    training = Training(optimizer="adam", learning_rate=0.02, id_tables=IdTables(learning_rate_factor=3.0, decay=0.3))
    table, other = (keras.Variable(np.ones((2, 1), np.float32), name=name) for name in ("id_table", "kernel"))
    optimizer = make_optimizer(training, 0.01)
    optimizer.apply([tf.constant([[1.0], [0.0]])] * 2, [table, other])
    # Adam's first step is the rate, whatever the gradient; at half of the rate, half of the decay is taken away. The
    # second row is of no impression of the batch.
    np.testing.assert_allclose(table.numpy(), [[0.85 - 0.03], [1.0]], rtol=1e-4)
    np.testing.assert_allclose(other.numpy(), [[0.99], [1.0]], rtol=1e-4)


class _Log:
    """Impressions whose outcome only the pair of viewer and author tells, and a base rate of about a third."""

    def __init__(self, rows: int, seed: int) -> None:
        tastes = np.random.default_rng(0)
        viewers, authors = tastes.normal(size=(VIEWERS, 2)), tastes.normal(size=(AUTHORS, 2))
        rng = np.random.default_rng(seed)
        self.viewer, self.author = rng.integers(0, VIEWERS, rows), rng.integers(0, AUTHORS, rows)
        logit = -0.7 + 2.0 * (viewers[self.viewer] * authors[self.author]).sum(axis=1)
        self.click = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float32)[:, None]

    def tensors(self, viewers: str = "v{}") -> dict[str, Any]:
        ids = [[viewers.format(v), f"a{a}"] for v, a in zip(self.viewer, self.author, strict=True)]
        codes = table_rows(tf.constant(ids), [column.buckets for column in IDS])
        return {keys.LEAVES: np.zeros((len(ids), 1), np.int32), keys.HASHED_IDS: codes, keys.LABELS: self.click}


def _normalized_entropy(network: TwoTowerNetwork, tensors: dict[str, Any]) -> float:
    loss = tf.nn.sigmoid_cross_entropy_with_logits(tensors[keys.LABELS], network(tensors))
    rate = float(tensors[keys.LABELS].mean())
    return float(tf.reduce_mean(loss)) / -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))


@cache
def _trained(with_ids: bool, dropout: float = 0.2) -> TwoTowerNetwork:
    log = _Log(ROWS, 1)
    ids = tuple(replace(column, dropout=dropout) for column in IDS) if with_ids else ()
    inputs = TowerInputs(1, 1, 0, {}, ids=ids)
    tensors = log.tensors()
    read = {name: tensors[name] for name in (*inputs.tensor_specs(), keys.LABELS)}
    training = Training(epochs=6, batch_size=100, learning_rate=1e-2, id_tables=IdTables(decay=0.0))
    batches = tf.data.Dataset.from_tensor_slices(read).batch(100).repeat(6)
    counts = LabelCounts(ROWS, log.click.sum(axis=0))
    return train_towers(batches, counts, inputs, CLICK, TOWERS, training).network


@pytest.mark.slow
def test_ids_learn_what_only_the_pair_of_viewer_and_author_tells() -> None:
    held_out = _Log(5000, 2).tensors()
    assert _normalized_entropy(_trained(False), held_out) > 0.999
    assert _normalized_entropy(_trained(True), held_out) < 0.75


@pytest.mark.slow
def test_an_id_that_nobody_has_seen_is_nearly_as_good_as_none() -> None:
    log = _Log(5000, 2)
    network = _trained(True)
    absent = _normalized_entropy(network, log.tensors(""))
    assert absent < 1.02  # what is known of the author alone; nothing of a dropped viewer would be far off
    few = {name: values[:1] for name, values in log.tensors("").items()}
    codes = few[keys.HASHED_IDS].numpy()
    # The rows of a viewer whom no training impression had: those that no known viewer has.
    used = table_rows(tf.constant([[f"v{v}", ""] for v in range(VIEWERS)]), [100, 60]).numpy()[:, :2]
    unused = [sorted(set(range(100)) - set(used[:, table]))[0] for table in range(2)]
    new = {**few, keys.HASHED_IDS: np.concatenate([[unused], codes[:, 2:]], axis=1)}
    np.testing.assert_allclose(network(new), network(few), atol=0.15)


@pytest.mark.slow
def test_dropout_trains_the_unknown_viewer() -> None:
    """Without it, the towers have never seen an author without a viewer."""
    log = _Log(5000, 2)
    with_dropout, without = (_normalized_entropy(_trained(True, dropout), log.tensors("")) for dropout in (0.2, 0.0))
    assert with_dropout < without
