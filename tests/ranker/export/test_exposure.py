"""Exposure columns in a request: accepted, optional, and without effect on any score."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from feed_ranker_client import InvalidRequestError
from ranker.config.columns import Exposure
from ranker.export.saved_model import export_saved_model
from ranker.registry.manifest import Manifest
from serving.client import FeedRankerClient
from serving.server import serve
from serving.servicer import read_signatures
from tests.ranker.export.feed import (
    CURATED,
    FEATURES,
    MAX_ROWS,
    OBJECTIVES,
    TinyFeed,
    dense_tensors,
    imported,
    read_back,
    serialized,
    transform_graph,
)

EXPOSED = replace(FEATURES, exposure=(Exposure("shown-at", default=1.0), Exposure("slot", default="main")))
NAMES = [o.name for o in OBJECTIVES]


@pytest.fixture(scope="module")
def folder(feed: TinyFeed, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model with two exposure columns."""
    folder = tmp_path_factory.mktemp("exposed") / "1"
    export_saved_model(feed.module(EXPOSED), manifest, str(folder))
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[FeedRankerClient]:
    """A client of a server of that model."""
    with (
        serve(folder, "tiny", max_rows=MAX_ROWS) as address,
        FeedRankerClient(address, "tiny", timeout_s=60.0, max_rows=MAX_ROWS) as client,
    ):
        yield client


def _stacked(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([scores[name] for name in NAMES], axis=1)


def _features(feed: TinyFeed) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in dense_tensors(feed.rows).items()}


def _exposure(rows: int) -> dict[str, Any]:
    return {"shown_at": np.arange(rows, dtype=np.float32), "slot": ["rail"] * rows}


@pytest.mark.slow
def test_every_signature_of_tensors_has_optional_exposure(folder: Path) -> None:
    signatures = read_signatures(folder)
    assert set(signatures["serving_default"].inputs) == {"examples"}
    for name, signature in signatures.items():
        if name == "serving_default":
            continue
        assert {"shown_at", "slot"} <= set(signature.inputs), name
        assert tf.make_ndarray(signature.defaults["shown_at"]).tolist() == [1.0], name
        assert tf.make_ndarray(signature.defaults["slot"]).tolist() == [b"main"], name


@pytest.mark.slow
def test_a_request_may_hold_exposure_or_not_and_scores_alike(feed: TinyFeed, client: FeedRankerClient) -> None:
    features, exposure, expected = _features(feed), _exposure(len(feed.rows)), feed.probabilities()
    for signature, inputs in (
        ("score_features", features),
        ("score_features_xla", features),
        ("score_leaves", feed.batch()),
    ):
        for extra in ({}, exposure, {"slot": exposure["slot"]}):
            scores = client.predict(signature, {**inputs, **extra})
            np.testing.assert_allclose(_stacked(scores), expected, atol=1e-6)


@pytest.mark.slow
def test_an_example_may_hold_exposure(feed: TinyFeed, client: FeedRankerClient) -> None:
    rows = [{**row, "shown-at": [float(i)], "slot": [b"rail"]} for i, row in enumerate(feed.rows)]
    np.testing.assert_allclose(_stacked(client.score_examples(serialized(rows))), feed.probabilities(), atol=1e-6)


@pytest.mark.slow
def test_a_ranking_does_not_depend_on_exposure(feed: TinyFeed, client: FeedRankerClient) -> None:
    features, exposure = _features(feed), _exposure(len(feed.rows))
    for weights in ({}, {"click": 2.0}):
        plain = client.rank(features, weights=weights)
        exposed = client.rank({**features, **exposure}, weights=weights)
        np.testing.assert_array_equal(exposed.score, plain.score)
        np.testing.assert_array_equal(exposed.order, plain.order)


@pytest.mark.slow
def test_exposure_of_another_type_or_length_is_refused(feed: TinyFeed, client: FeedRankerClient) -> None:
    features = _features(feed)
    with pytest.raises(InvalidRequestError, match=r"^shown_at: must be float32 \[any\]"):
        client.score_features({**features, "shown_at": ["first"] * len(feed.rows)})
    with pytest.raises(InvalidRequestError, match=r"^shown_at \(7\): fewer candidates"):
        client.score_features({**features, "shown_at": np.ones(7, np.float32)})


@pytest.mark.slow
def test_the_graph_refuses_exposure_of_another_length(feed: TinyFeed, folder: Path) -> None:
    model = tf.saved_model.load(str(folder))
    exposure = {"shown_at": tf.ones([7]), "slot": tf.constant(["main"])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="shown_at"):
        model.signatures["score_features"](**dense_tensors(feed.rows), **exposure)


def test_names_of_exposure_may_not_clash(feed: TinyFeed) -> None:
    with pytest.raises(ValueError, match="hours_old"):
        replace(FEATURES, exposure=(Exposure("hours_old", default=0.0),))
    with pytest.raises(ValueError, match="weight_like"):
        feed.module(replace(FEATURES, exposure=(Exposure("weight_like", default=0.0),)))


@pytest.mark.slow
def test_transform_passes_no_exposure_on(feed: TinyFeed, tmp_path: Path) -> None:
    rows = [
        {**row, "shown-at": [float(i)] if i % 3 else [float("nan")], "slot": [b"rail"]}
        for i, row in enumerate(feed.rows)
    ]
    schema = schema_pb2.Schema()
    schema.CopyFrom(CURATED)
    schema.feature.add(name="shown-at", type=schema_pb2.FLOAT).value_count.max = 1
    schema.feature.add(name="slot", type=schema_pb2.BYTES).value_count.max = 1

    graph = transform_graph(tmp_path, rows, EXPOSED, imported(schema, EXPOSED))

    assert set(tft.TFTransformOutput(str(graph)).transformed_feature_spec()) == set(feed.transformed)
    transformed = read_back(tmp_path / "transformed", rows)
    for name, expected in feed.transformed.items():
        np.testing.assert_array_equal(transformed[name], expected, err_msg=name)
