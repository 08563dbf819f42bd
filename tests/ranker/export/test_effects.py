"""Random effects in the served model."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import fingerprinting_utils

from ranker import keys
from ranker.config.effects import EffectLevel, Effects
from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable
from ranker.export.effects import replace_effects
from ranker.export.saved_model import export_saved_model
from ranker.features.fingerprints import fingerprints_of
from ranker.features.vocabularies import read_vocabulary
from ranker.registry.manifest import Manifest
from ranker.registry.same_model import content_digest
from tests.ranker.export.feed import FEATURES, OBJECTIVES, TinyFeed, dense_tensors, serialized

pytestmark = pytest.mark.slow

EFFECTS = Effects(
    levels=(EffectLevel("viewer_id", ("picture", "device"), min_rows=5), EffectLevel("author-id", min_rows=1)),
    components=2,
    categories=3,
)
NAMES = [o.name for o in OBJECTIVES]
VIEWERS = [b"v3", b"v50", b"v7"]
AUTHORS = [b"jo", b"kim", b"lee"]


def _table(ids: list[bytes], inputs: int, rows: list[float], seed: int) -> EffectTable:
    found = fingerprints_of(ids)
    order = np.argsort(found)
    mean = np.random.default_rng(seed).normal(size=(len(ids), len(OBJECTIVES), inputs)).astype(np.float32)
    return EffectTable(found[order], mean[order], np.ones_like(mean), np.array(rows, np.float32)[order])


@pytest.fixture(scope="module")
def state(feed: TinyFeed) -> EffectState:
    """Effects of three viewers, one of whom has too few rows, and of three authors."""
    random = np.random.default_rng(1)
    # The order of the graph's vocabulary is another one.
    values = tuple(sorted(read_vocabulary(str(feed.graph), "device")))
    basis = Basis(
        {"picture": (random.normal(size=3).astype("f4"), random.normal(size=(3, 2)).astype("f4"))},
        {"device": values},
    )
    tables = (_table(VIEWERS, 1 + 2 + 3, [9, 9, 4], 2), _table(AUTHORS, 1, [9, 9, 9], 3))
    return EffectState("settings", 0, (), basis, tables)


@pytest.fixture(scope="module")
def without_entities(feed: TinyFeed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as TowerTrainer exports it: no effect is fitted yet."""
    folder = tmp_path_factory.mktemp("effects") / "without"
    export_saved_model(feed.module(effects=EFFECTS), Manifest(objectives=NAMES), str(folder))
    return folder


@pytest.fixture(scope="module")
def folder(feed: TinyFeed, state: EffectState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("effects") / "with"
    export_saved_model(feed.module(effects=EFFECTS), Manifest(objectives=NAMES), str(folder))
    replace_effects(folder, EFFECTS, FEATURES, state, str(feed.graph))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def plain(saved_model: Path) -> Any:
    """The same model, exported without effects."""
    return tf.saved_model.load(str(saved_model))


def _ids(feed: TinyFeed) -> dict[str, tf.Tensor]:
    viewers = [row["viewer_id"][0] for row in feed.rows]
    authors = [(b"", *AUTHORS, b"unknown")[i % 5] for i in range(len(feed.rows))]
    return {"viewer_id": tf.constant(viewers), "author_id": tf.constant(authors)}


def _with_authors(feed: TinyFeed) -> list[dict[str, list[Any]]]:
    authors = _ids(feed)["author_id"].numpy()
    return [{**row, "author-id": [author] if author else []} for row, author in zip(feed.rows, authors, strict=True)]


def _unknown(feed: TinyFeed) -> dict[str, tf.Tensor]:
    return {name: tf.constant([f"unknown-{i}" for i in range(len(feed.rows))]) for name in ("viewer_id", "author_id")}


def _absent(feed: TinyFeed) -> dict[str, tf.Tensor]:
    # A server fills in the default of one row.
    return {"viewer_id": tf.constant([""]), "author_id": tf.constant([""])}


def _stacked(scores: Mapping[str, tf.Tensor]) -> np.ndarray:
    return np.stack([scores[name] for name in NAMES], axis=1)


@pytest.fixture(scope="module")
def expected(feed: TinyFeed, state: EffectState) -> np.ndarray:
    """[rows, objectives], from the plain model's probabilities and the coefficients, without TensorFlow."""
    mean, components = state.basis.projections["picture"]
    pictures = np.array([row["picture"] for row in feed.rows], np.float32)
    devices = [(row["device"] or [b""])[0] for row in feed.rows]
    indicators = np.array([[device == value for value in state.basis.categories["device"]] for device in devices])
    x = np.concatenate([np.ones((len(feed.rows), 1)), (pictures - mean) @ components, indicators], axis=1)
    ids = _ids(feed)
    viewers, authors = state.tables
    effect = viewers.with_at_least(5).effect(fingerprints_of(ids["viewer_id"].numpy()), x)
    effect += authors.effect(fingerprints_of(ids["author_id"].numpy()), x[:, :1])
    base = feed.probabilities().astype(np.float64)
    log_odds = np.log(base) - np.log1p(-base) + effect
    return 1 / (1 + np.exp(-log_odds))


def test_every_kind_of_id_is_among_the_rows(feed: TinyFeed, expected: np.ndarray) -> None:
    changed = np.abs(expected - feed.probabilities()).max(axis=1) > 1e-3
    assert changed[[3, 50]].all()
    # Its author is unknown and its viewer has too few rows.
    assert _ids(feed)["author_id"].numpy()[9] == b"unknown"
    assert 0.5 < changed.mean() < 0.7


def test_serving_default_reads_the_ids_of_the_examples(feed: TinyFeed, model: Any, expected: np.ndarray) -> None:
    examples = tf.constant(serialized(_with_authors(feed)))
    np.testing.assert_allclose(_stacked(model.signatures["serving_default"](examples=examples)), expected, atol=1e-5)


@pytest.mark.parametrize("signature", ["score_features", "score_features_xla"])
def test_score_features_agrees(feed: TinyFeed, model: Any, expected: np.ndarray, signature: str) -> None:
    scores = model.signatures[signature](**dense_tensors(feed.rows), **_ids(feed))
    np.testing.assert_allclose(_stacked(scores), expected, atol=1e-5)


@pytest.mark.parametrize("signature", ["score_leaves", "score_local_leaves"])
def test_signatures_of_leaves_agree(feed: TinyFeed, model: Any, expected: np.ndarray, signature: str) -> None:
    leaves = feed.leaves
    if signature == "score_local_leaves":
        leaves = (leaves - feed.forest.first_leaf[:-1]).astype(np.uint8)
    batch = {name: tf.constant(values) for name, values in {**feed.batch(), keys.LEAVES: leaves}.items()}
    scores = model.signatures[signature](**batch, **_ids(feed))
    np.testing.assert_allclose(_stacked(scores), expected, atol=1e-5)


def test_rank_orders_by_probabilities_with_effects(feed: TinyFeed, model: Any, expected: np.ndarray) -> None:
    utility = dict(alpha=tf.constant(0.5), lambda_=tf.constant(0.1))
    ranked = model.signatures["rank"](**dense_tensors(feed.rows), **_ids(feed), **utility)
    score = 0.5 * expected[:, 1] + 0.5 * 3 * expected[:, 0] + 0.1 * 2 * expected[:, 2]
    np.testing.assert_allclose(ranked["score"], score, atol=1e-5)
    weights = {f"weight_{name}": tf.constant(float(name == "like")) for name in NAMES}
    ranked = model.signatures["rank_weighted"](**dense_tensors(feed.rows), **_ids(feed), **utility, **weights)
    np.testing.assert_allclose(ranked["score"], 0.5 * expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("ids", [_unknown, _absent])
@pytest.mark.parametrize(
    "signature", ["score_features", "score_features_xla", "score_leaves", "score_local_leaves", "rank", "rank_weighted"]
)
def test_unknown_and_absent_ids_change_no_bit(feed: TinyFeed, model: Any, plain: Any, signature: str, ids: Any) -> None:
    tensors: dict[str, Any] = dense_tensors(feed.rows)
    if signature.endswith("leaves"):
        local = signature == "score_local_leaves"
        leaves = (feed.leaves - feed.forest.first_leaf[:-1]).astype(np.uint8) if local else feed.leaves
        tensors = {name: tf.constant(values) for name, values in {**feed.batch(), keys.LEAVES: leaves}.items()}
    if signature.startswith("rank"):
        tensors |= dict(alpha=tf.constant(0.5), lambda_=tf.constant(0.1))
    if signature == "rank_weighted":
        tensors |= {f"weight_{name}": tf.constant(1.0) for name in NAMES}
    found = model.signatures[signature](**tensors, **ids(feed))
    for name, values in plain.signatures[signature](**tensors).items():
        np.testing.assert_array_equal(found[name], values)


def test_examples_without_ids_and_score_without_effects_change_no_bit(feed: TinyFeed, model: Any, plain: Any) -> None:
    without = tf.constant(serialized(feed.rows, FEATURES.names))
    expected = _stacked(plain.signatures["serving_default"](examples=without))
    np.testing.assert_array_equal(_stacked(model.signatures["serving_default"](examples=without)), expected)
    with_ids = tf.constant(serialized(_with_authors(feed)))
    found = model.signatures["score_without_effects"](examples=with_ids)
    np.testing.assert_array_equal(_stacked(found), expected)


def test_a_model_whose_effects_are_not_fitted_yet_has_none(feed: TinyFeed, without_entities: Path, plain: Any) -> None:
    loaded = tf.saved_model.load(str(without_entities))
    found = loaded.signatures["score_features"](**dense_tensors(feed.rows), **_ids(feed))
    expected = plain.signatures["score_features"](**dense_tensors(feed.rows))
    np.testing.assert_array_equal(_stacked(found), _stacked(expected))


def test_only_the_effects_are_replaced(folder: Path, without_entities: Path) -> None:
    def variables(at: Path) -> dict[str, Any]:
        reader = tf.train.load_checkpoint(str(at / "variables" / "variables"))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_dtype_map()}

    before, after = variables(without_entities), variables(folder)
    assert before.keys() == after.keys()
    for name in before:
        if name.startswith("_effects/") and not name.startswith("_effects/inputs/origins/1"):
            assert not np.array_equal(before[name], after[name]), name
        else:
            np.testing.assert_array_equal(before[name], after[name])
    assert after["_effects/ids/0/.ATTRIBUTES/VARIABLE_VALUE"].shape == (3,)  # two viewers, and the end
    assert content_digest(str(folder)) != content_digest(str(without_entities))
    assert not list(folder.glob("variables/*replaced*"))


def test_replacing_leaves_the_graph_byte_for_byte(
    feed: TinyFeed, folder: Path, state: EffectState, tmp_path: Path
) -> None:
    def digest() -> str:
        return hashlib.sha256((folder / "saved_model.pb").read_bytes()).hexdigest()

    before = digest(), content_digest(str(folder))
    replace_effects(folder, EFFECTS, FEATURES, state, str(feed.graph))
    assert (digest(), content_digest(str(folder))) == before


def test_the_fingerprint_is_that_of_the_files(
    folder: Path, without_entities: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = {at: tf.saved_model.experimental.read_fingerprint(str(at)) for at in (folder, without_entities)}
    for at, fingerprint in found.items():
        # Computed from saved_model.pb and the checkpoint.
        assert fingerprint.singleprint() == fingerprinting_utils.singleprint_from_saved_model_proto(str(at))
    assert found[folder].checkpoint_hash != found[without_entities].checkpoint_hash
    assert found[folder].graph_def_program_hash == found[without_entities].graph_def_program_hash
    with caplog.at_level(logging.INFO, logger="absl"):
        tf.saved_model.load(str(folder))
    assert "ingerprint" not in caplog.text


def test_a_model_without_effects_has_none_to_replace(
    feed: TinyFeed, saved_model: Path, without_entities: Path, state: EffectState
) -> None:
    with pytest.raises(ValueError, match="found no such variable"):
        replace_effects(saved_model, EFFECTS, FEATURES, state, str(feed.graph))
    other = Effects((EffectLevel("viewer_id"), EffectLevel("author-id")))
    tables = (EffectTable.empty(3, 1), EffectTable.empty(3, 1))
    with pytest.raises(ValueError, match="should have the shape"):
        replace_effects(
            without_entities, other, FEATURES, EffectState("", 0, (), Basis({}, {}), tables), str(feed.graph)
        )
