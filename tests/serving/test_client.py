"""Client and server over a real connection: the same scores as training, and errors that say what was wrong."""

import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from feed_ranker_client import InvalidRequestError, validation
from feed_ranker_client import client as client_module
from feed_ranker_client.validation import max_rows_of
from ranker import keys
from ranker.config.serving import Serving
from ranker.export.names import ALPHA, EXAMPLES, LAMBDA, weight_name
from ranker.export.row_limit import row_limit
from serving.client import FeedRankerClient, ServingError
from serving.servicer import read_signatures
from tests.ranker.export.feed import FEATURES, MAX_ROWS, OBJECTIVES, TinyFeed, dense_tensors, serialized
from tests.serving.conftest import MODEL

pytestmark = pytest.mark.slow


def features_of(feed: TinyFeed, rows: int | None = None) -> dict[str, Any]:
    """The feed's first rows as arrays."""
    return {name: tensor.numpy() for name, tensor in dense_tensors(feed.rows[:rows]).items()}


def _assert_scores(scores: Mapping[str, np.ndarray], expected: np.ndarray) -> None:
    assert set(scores) == {o.name for o in OBJECTIVES}
    for i, objective in enumerate(OBJECTIVES):
        np.testing.assert_allclose(scores[objective.name], expected[:, i], atol=1e-6)


def test_every_signature_scores_as_in_training(feed: TinyFeed, client: FeedRankerClient) -> None:
    expected = feed.probabilities()
    local = (feed.leaves - feed.forest.first_leaf[:-1]).astype(np.uint8)

    _assert_scores(client.score_examples(serialized(feed.rows, FEATURES.names)), expected)
    _assert_scores(client.score_features(features_of(feed)), expected)
    _assert_scores(client.score_leaves(feed.batch()), expected)
    _assert_scores(client.predict("score_local_leaves", {**feed.batch(), keys.LEAVES: local}), expected)


def test_a_session_in_mini_batches_scores_as_a_single_batch(feed: TinyFeed, address: str) -> None:
    with FeedRankerClient(address, MODEL, timeout_s=60.0, mini_batch=50) as client:
        _assert_scores(client.score_features(features_of(feed)), feed.probabilities())


def test_sessions_at_the_same_time_do_not_mix(feed: TinyFeed, client: FeedRankerClient) -> None:
    features, expected = features_of(feed), feed.probabilities()

    def score(begin: int) -> Mapping[str, np.ndarray]:
        return client.score_features({name: array[begin : begin + 20] for name, array in features.items()})

    with ThreadPoolExecutor(6) as pool:
        for begin, scores in zip(range(0, 100, 20), pool.map(score, range(0, 100, 20)), strict=True):
            _assert_scores(scores, expected[begin : begin + 20])


def test_rank_follows_the_trade_off_of_the_request(feed: TinyFeed, client: FeedRankerClient) -> None:
    like, click, answer = feed.probabilities().T

    ranking = client.rank(features_of(feed), alpha=0.3, lambda_=0.5)
    np.testing.assert_allclose(ranking.score, 0.3 * click + 0.7 * 3.0 * like + 0.5 * 2.0 * answer, atol=5e-6)
    assert np.all(np.diff(ranking.score[ranking.order]) <= 0)
    assert sorted(ranking.order) == list(range(len(feed.rows)))


def test_a_request_without_a_trade_off_has_the_configs(feed: TinyFeed, client: FeedRankerClient) -> None:
    like, click, answer = feed.probabilities().T

    ranking = client.rank(features_of(feed))
    np.testing.assert_allclose(ranking.score, 0.5 * click + 0.5 * 3.0 * like + 0.1 * 2.0 * answer, atol=5e-6)
    ranking = client.rank(features_of(feed), lambda_=2.0, weights={"click": 4.0})
    np.testing.assert_allclose(ranking.score, 0.5 * 4.0 * click + 0.5 * 3.0 * like + 2.0 * 2.0 * answer, atol=5e-6)


def test_weights_missing_from_a_request_are_those_of_the_config(feed: TinyFeed, client: FeedRankerClient) -> None:
    like, click, answer = feed.probabilities().T

    ranking = client.rank(features_of(feed), alpha=0.3, lambda_=0.5, weights={"click": 4.0})

    np.testing.assert_allclose(ranking.score, 0.3 * 4.0 * click + 0.7 * 3.0 * like + 0.5 * 2.0 * answer, atol=5e-6)


def test_python_values_are_accepted(feed: TinyFeed, client: FeedRankerClient) -> None:
    rows = feed.rows[:6]
    features = {
        "hours_old": [(row["hours-old"] or [float("nan")])[0] for row in rows],
        "votes": [(row["votes"] or [float("nan")])[0] for row in rows],
        "device": [(row["device"] or [b""])[0].decode() for row in rows],
        "topics": [[topic.decode() for topic in row["topics"]] for row in rows],
        "picture": [row["picture"] for row in rows],
    }

    _assert_scores(client.score_features(features), feed.probabilities()[:6])


def test_the_columns_of_a_table_become_inputs(feed: TinyFeed, client: FeedRankerClient) -> None:
    rows = feed.rows[:6]
    columns: dict[str, Any] = {
        "hours_old": [(row["hours-old"] or [None])[0] for row in rows],
        "votes": [(row["votes"] or [None])[0] for row in rows],
        "device": [row["device"][0].decode() if row["device"] else None for row in rows],
        "topics": [[topic.decode() for topic in row["topics"]] or None for row in rows],
        "picture": [row["picture"] for row in rows],
        "session": list("abcdef"),
        "click": [0, 1, None, 0, 1, 0],
    }
    assert any(None in columns[name] for name in ("hours_old", "votes", "device", "topics"))

    features = client.features(columns)

    assert set(features) == {"hours_old", "votes", "device", "topics", "picture"}
    _assert_scores(client.score_features(features), feed.probabilities()[:6])
    with pytest.raises(InvalidRequestError, match=r"^picture: must be float32"):
        client.rank({**features, **client.features({"picture": [None] * 6})})
    with pytest.raises(InvalidRequestError, match=r"^score_pixels: the model has no such signature"):
        client.features(columns, "score_pixels")


def test_the_client_knows_what_the_models_signatures_say(models: Path) -> None:
    """The wire's two ends: the names and the limit that the exporter writes are those that the client reads."""
    assert (client_module.EXAMPLES, client_module.ALPHA, client_module.LAMBDA) == (EXAMPLES, ALPHA, LAMBDA)
    assert f"{client_module.WEIGHT}like" == weight_name("like")
    assert Serving().max_rows == validation.MAX_ROWS
    signatures = read_signatures(models / "7")
    limits = {max_rows_of(signature) for signature in signatures.values()}
    assert limits == {row_limit(signature) for signature in signatures.values()} == {MAX_ROWS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"votes": None}, "votes: missing"),
        ({"colour": np.zeros(5, np.float32)}, "colour: no input of this signature"),
        ({"votes": np.array(["many"] * 5)}, r"votes: must be float32 \[any\]"),
        ({"device": np.zeros(5, np.float32)}, r"device: must be string \[any\]"),
        ({"votes": np.zeros((5, 1), np.float32)}, r"votes: must be float32 \[any\], got float32 \[5, 1\]"),
        ({"picture": np.zeros((5, 4), np.float32)}, r"picture: must be float32 \[any, 3\], got float32 \[5, 4\]"),
        ({"votes": np.zeros(4, np.float32)}, r"votes \(4\): fewer candidates than the other inputs, which have 5"),
        ({"picture": np.full((5, 3), np.nan, np.float32)}, "picture: candidate 0 holds NaN"),
    ],
)
def test_the_client_names_what_is_wrong(
    feed: TinyFeed, client: FeedRankerClient, change: dict[str, Any], message: str
) -> None:
    features = {**features_of(feed, 5), **change}

    with pytest.raises(InvalidRequestError, match=f"^{message}"):
        client.score_features({name: values for name, values in features.items() if values is not None})


def test_the_client_refuses_no_candidates_too_many_and_unknown_signatures(
    feed: TinyFeed, client: FeedRankerClient
) -> None:
    with pytest.raises(InvalidRequestError, match=r"^examples: the request holds no candidates"):
        client.score_examples([])
    with pytest.raises(InvalidRequestError, match=f"^examples: 100000 candidates, but .* at most {MAX_ROWS}"):
        client.score_examples(serialized(feed.rows[:1]) * 100_000)
    with pytest.raises(InvalidRequestError, match=r"^score_pixels: the model has no such signature; it has rank"):
        client.predict("score_pixels", {})
    with pytest.raises(InvalidRequestError, match=r"^weight_share: no input of this signature"):
        client.rank(features_of(feed, 5), alpha=0.5, lambda_=0.1, weights={"share": 1.0})


def test_errors_found_only_by_the_graph_are_invalid_requests(feed: TinyFeed, client: FeedRankerClient) -> None:
    with pytest.raises(InvalidRequestError, match=r"^leaves: every leaf id must lie in \[0, limit\), with limit: 48$"):
        client.score_leaves({**feed.batch(), keys.LEAVES: feed.leaves + feed.forest.leaves})
    with pytest.raises(InvalidRequestError, match=r"^alpha: must lie between 0 and 1, got: 1\.5$"):
        client.rank(features_of(feed, 5), alpha=1.5, lambda_=0.1)
    with pytest.raises(InvalidRequestError, match=r"^leaves: must be int32 .* does not fit"):
        client.score_leaves({**feed.batch(), keys.LEAVES: feed.leaves.astype(np.int64) + (1 << 32)})


def test_another_model_is_not_found(address: str, feed: TinyFeed) -> None:
    with (
        FeedRankerClient(address, "other", timeout_s=60.0) as client,
        pytest.raises(ServingError, match="NOT_FOUND: other: this server has the model tiny"),
    ):
        client.score_examples(serialized(feed.rows[:1]))


def test_a_missing_server_and_a_slow_one_have_different_errors(feed: TinyFeed) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{unused.getsockname()[1]}"
    with (
        FeedRankerClient(target, MODEL, timeout_s=20.0) as client,
        pytest.raises(ServingError, match=f"{target}: no server answers there"),
    ):
        client.score_examples(serialized(feed.rows[:1]))


@pytest.fixture
def slow_address() -> Iterator[str]:
    """The address of a slow server."""

    class Slow(prediction_service_pb2_grpc.PredictionServiceServicer):
        def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802, gRPC's name
            time.sleep(1.0)
            return predict_pb2.PredictResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Slow(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(grace=None).wait()


def test_a_deadline_is_enforced(feed: TinyFeed, slow_address: str) -> None:
    with (
        FeedRankerClient(slow_address, MODEL, timeout_s=0.05) as client,
        pytest.raises(ServingError, match=r"no answer within 0\.05 s"),
    ):
        client.score_examples(serialized(feed.rows[:1]))
