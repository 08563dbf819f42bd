"""A model with histories: requests of every form give the numbers that Transform gave the training rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_serving.apis import prediction_log_pb2

from feed_ranker_client.tensors import as_array
from feed_ranker_client.validation import InvalidRequestError, check_forms, form_of, inputs_of
from ranker import keys
from ranker.config.columns import EmbeddingHistory, History
from ranker.config.effects import EffectLevel, Effects
from ranker.export.effects import ServedEffects
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import GraphFeatures, request_features
from ranker.export.saved_model import export_saved_model
from ranker.features.history_items import ACTION_BITS, value_hashes
from ranker.forest.graph import ForestLeaves
from ranker.registry.layout import WARMUP
from ranker.registry.manifest import Manifest
from serving.samples import sample_inputs
from serving.servicer import read_signatures
from tests.ranker.export.feed import (
    CURATED,
    FEATURES,
    OBJECTIVES,
    TOWERS,
    Row,
    dense_tensors,
    feed_rows,
    grow,
    imported,
    make_towers,
    serialized,
    transform_graph,
)

pytestmark = pytest.mark.slow

WITH_HISTORY = replace(
    FEATURES,
    history=(
        History("authors", of="author", actions=("like", "click")),
        EmbeddingHistory("pictures", of="picture", actions=("like",), size=3),
    ),
)
_FURTHER = """
feature { name: "authors" type: INT value_count { min: 1 } }
feature { name: "pictures" type: FLOAT value_count { min: 8 max: 8 } }
feature { name: "author" type: BYTES value_count { min: 1 max: 1 } }
"""
NUMBERS = tuple(name for name in WITH_HISTORY.forest_names if name.startswith(("authors.", "pictures.")))


def rows_with_histories(count: int, seed: int) -> list[Row]:
    """Impressions, of which one in three has no history, and one in four no author."""
    rng = np.random.default_rng(seed)
    hashes = value_hashes(tf.constant([f"a{i}" for i in range(4)])).numpy()
    rows = []
    for i, row in enumerate(feed_rows(count, seed)):
        items = (hashes[rng.integers(0, 4, 6)] << ACTION_BITS) | rng.integers(0, 4, 6)
        numbers = (rng.uniform(0, 1, 8) + np.array([6, 0, 0, 0, 2, 0, 0, 0])).astype(np.float32)
        rows.append(
            row
            | {
                "author": [] if i % 4 == 0 else [f"a{rng.integers(0, 5)}".encode()],
                "authors": [] if i % 3 == 0 else items[: 1 + i % 6].tolist(),
                "pictures": [] if i % 3 == 0 else [float(number) for number in numbers],
            }
        )
    return rows


def tensors_of(rows: list[Row]) -> dict[str, tf.Tensor]:
    """The same rows as inputs of `score_features`."""
    width = max(1, *(len(row["authors"]) for row in rows))
    return dense_tensors(rows) | {
        "authors": tf.constant([row["authors"] + [0] * (width - len(row["authors"])) for row in rows], tf.int64),
        "pictures": tf.constant([row["pictures"] or [0.0] * 8 for row in rows], tf.float32),
        "author": tf.constant([(row["author"] or [b""])[0] for row in rows]),
    }


@dataclass(frozen=True)
class Served:
    """A model with histories in a SavedModel's folder."""

    rows: list[Row]
    transformed: np.ndarray
    schema: schema_pb2.Schema
    graph: Path
    folder: Path
    model: Any
    definitions: Mapping[str, meta_graph_pb2.SignatureDef]

    def score(self, signature: str, tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The outputs of a signature."""
        outputs = self.model.signatures[signature](**{name: tf.constant(value) for name, value in tensors.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("histories")
    schema = imported(text_format.Merge(_FURTHER, _copy(CURATED)), WITH_HISTORY)
    rows = rows_with_histories(200, seed=3)
    graph = transform_graph(folder, rows, WITH_HISTORY, schema)
    spec = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([len(WITH_HISTORY.forest_names)], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([len(OBJECTIVES)], tf.float32),
        "authors": tf.io.FixedLenFeature([6], tf.float32),
        "pictures": tf.io.FixedLenFeature([3], tf.float32),
    }
    [file] = folder.glob("transformed-*")
    written = tf.io.parse_example(list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator()), spec)
    found = {name: tensor.numpy() for name, tensor in written.items()}
    # What the towers read is what the forest reads.
    at = [WITH_HISTORY.forest_names.index(name) for name in NUMBERS]
    towers = np.concatenate([found["authors"], found["pictures"]], axis=1)
    np.testing.assert_array_equal(found[keys.FOREST_FEATURES][:, at], towers)
    forest = grow(found[keys.FOREST_FEATURES], found[keys.LABELS], WITH_HISTORY.forest_names)
    inputs, network = make_towers(graph, forest, TOWERS, found[keys.LABELS], WITH_HISTORY)
    assert inputs.dense == {"picture": 3, "authors": 6, "pictures": 3}
    # Effects of authors, who are also what a history compares the candidate by.
    effects = Effects(levels=(EffectLevel("author"),))
    module = FeedRanker(
        request_features(RawFeatures(WITH_HISTORY, schema, effects.columns), str(graph), "device", ("device",)),
        ForestLeaves(forest),
        network,
        inputs,
        OBJECTIVES,
        effects=ServedEffects(effects, WITH_HISTORY, len(OBJECTIVES)),
    )
    export_saved_model(module, Manifest(), str(folder / "model"))
    model = folder / "model"
    loaded = tf.saved_model.load(str(model))
    return Served(rows, found[keys.FOREST_FEATURES], schema, graph, model, loaded, read_signatures(model))


def _copy(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    copied = schema_pb2.Schema()
    copied.CopyFrom(schema)
    return copied


def test_requests_give_the_numbers_of_the_training_rows(served: Served) -> None:
    raw = RawFeatures(WITH_HISTORY, served.schema)
    joined = request_features(raw, str(served.graph), "device", ("device",))
    graph = GraphFeatures(raw, tft.TFTransformOutput(str(served.graph)).transform_features_layer())
    examples = tf.constant(serialized(served.rows))
    for form in (joined, graph):
        np.testing.assert_array_equal(
            form(form.of_examples(examples).columns)[keys.FOREST_FEATURES], served.transformed
        )
        np.testing.assert_array_equal(
            form(form.of_tensors(tensors_of(served.rows)))[keys.FOREST_FEATURES], served.transformed
        )
    assert (served.transformed[:, WITH_HISTORY.forest_names.index("authors.same")] > 0).any()


def test_one_history_of_the_viewer_is_enough_for_all_candidates(served: Served) -> None:
    viewer = served.rows[5]
    rows = [row | {name: viewer[name] for name in ("authors", "pictures")} for row in served.rows[:20]]
    tensors = tensors_of(rows)
    once = tensors | {name: tensors[name][:1] for name in ("authors", "pictures")}
    for name in ("score_features", "rank", "rank_weighted"):
        expected = served.score(name, _with_trade_off(name, tensors))
        found = served.score(name, _with_trade_off(name, once))
        for output in expected:
            np.testing.assert_array_equal(found[output], expected[output])
    examples, scores = (
        served.score("serving_default", {"examples": serialized(rows)}),
        served.score("score_features", once),
    )
    for objective in OBJECTIVES:
        np.testing.assert_allclose(scores[objective.name], examples[objective.name], rtol=1e-6)


def _with_trade_off(signature: str, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    if signature == "score_features":
        return dict(tensors)
    weights = {f"weight_{o.name}": tf.constant(o.utility_weight) for o in OBJECTIVES} if "weighted" in signature else {}
    return {**tensors, "alpha": tf.constant(0.5), "lambda_": tf.constant(0.1), **weights}


def test_without_a_history_a_request_has_an_empty_one(served: Served) -> None:
    signature = served.definitions["score_features"]
    assert {"authors", "pictures", "author"} <= set(signature.defaults)
    left_out = {"authors", "pictures", "author"}
    rows = [row | {name: [] for name in left_out} for row in served.rows[:20]]
    tensors = tensors_of(rows)
    defaults = {name: tf.make_ndarray(signature.defaults[name]) for name in left_out}
    assert {name: value.shape for name, value in defaults.items()} == {
        "authors": (1, 1),
        "pictures": (1, 8),
        "author": (1,),
    }
    found = served.score("score_features", tensors | defaults)
    columns = tuple(name for name in rows[0] if name not in left_out)
    expected = served.score("serving_default", {"examples": serialized(rows, columns)})
    with_history = served.score("score_features", tensors_of(served.rows[:20]))
    for objective in OBJECTIVES:
        np.testing.assert_allclose(found[objective.name], expected[objective.name], rtol=1e-6)
        assert not np.allclose(found[objective.name], with_history[objective.name], rtol=1e-3)


def test_signatures_of_leaves_take_the_numbers(served: Served) -> None:
    forms = inputs_of(served.definitions["score_leaves"])
    assert forms["authors"].shape == (None, 6)
    assert forms["authors"].dtype == tf.float32
    assert "authors" not in served.definitions["score_leaves"].defaults
    # The author's effect is looked up by the same input that the history is compared by.
    assert {"author"} <= set(forms) & set(inputs_of(served.definitions["rank"]))


def test_the_client_accepts_lists_and_one_row(served: Served) -> None:
    signature = served.definitions["score_features"]
    forms = inputs_of(signature)
    assert as_array("authors", [[3], [], [4, 5]], forms["authors"]).tolist() == [[3, 0], [0, 0], [4, 5]]
    assert as_array("authors", [[], []], forms["authors"]).tolist() == [[0], [0]]
    inputs = sample_inputs(signature, rows=7)
    once = inputs | {"authors": inputs["authors"][:1]}
    check_forms(signature, {name: form_of(array) for name, array in once.items()})
    two = inputs | {"authors": inputs["authors"][:2]}
    with pytest.raises(InvalidRequestError, match=r"authors \(2\): fewer candidates"):
        check_forms(signature, {name: form_of(array) for name, array in two.items()})
    assert served.score("score_features", once)["click"].shape == (7,)


def test_warm_up_requests_can_be_answered(served: Served) -> None:
    for record in tf.data.TFRecordDataset(str(served.folder / WARMUP)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        name = request.model_spec.signature_name
        given = {**dict(served.definitions[name].defaults), **dict(request.inputs)}
        served.score(name, {key: tf.make_ndarray(proto) for key, proto in given.items()})
