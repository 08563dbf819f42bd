"""What a client does when the model's signatures change while it is connected: a new version was pushed."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from feed_ranker_client import FeedRankerClient, InvalidRequestError, ServingError
from feed_ranker_client.connection import RefusedError
from feed_ranker_client.messages import SignatureDef
from feed_ranker_client.tensor_types import type_of_array

FLOAT = type_of_array(np.dtype(np.float32)).number


def signature(*inputs: str, optional: tuple[str, ...] = ()) -> Any:
    made = SignatureDef()
    for name in optional:
        made.defaults[name].float_val.append(0.0)
    for name in inputs:
        made.inputs[name].dtype = FLOAT
        made.inputs[name].tensor_shape.dim.add(size=-1)
        made.defaults["nothing"].float_val.append(float("nan"))
    return made


class Server:
    """Takes the place of the connection to a server whose model takes some features."""

    def __init__(self) -> None:
        self.inputs: tuple[str, ...] = ("age",)
        self.optional: tuple[str, ...] = ()
        self.version = 7
        self.seconds = 0.0  # for the signatures
        self.asked = 0
        self.answered = 0
        self.down = False

    def signatures(self) -> tuple[Mapping[str, Any], int]:
        self.asked += 1
        time.sleep(self.seconds)
        if self.down:
            raise ServingError("no server answers there")
        made = signature(*self.inputs, optional=self.optional)
        return {"rank": made, "score_features": made}, self.version

    def start(self, name: str, arrays: Mapping[str, Any]) -> Mapping[str, Any]:
        return arrays

    def finish(self, call: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        if not set(self.inputs) - set(self.optional) <= set(call) <= set(self.inputs):
            raise RefusedError(f"the model takes {self.inputs}")
        self.answered += 1
        rows = len(next(iter(call.values())))
        return {"click": np.zeros(rows), "score": np.zeros(rows), "order": np.arange(rows)}, self.version


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, as its only element."""
    now = [0.0]
    monkeypatch.setattr("feed_ranker_client.renewal.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def client(server: Server, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> FeedRankerClient:
    monkeypatch.setattr("feed_ranker_client.client.Connection", lambda *_: server)
    made = FeedRankerClient("localhost:1", "feed")
    made.rank({"age": [1.0, 2.0]})
    return made


def test_a_feature_that_a_new_version_takes_is_sent(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.inputs = ("age", "length")
    clock[0] = 60.0
    # The client knew no such feature.
    assert client.rank({"age": [1.0, 2.0], "length": [3.0, 4.0]}).version == 7
    assert client.score_features({"age": [1.0], "length": [3.0]})["click"].shape == (1,)
    assert (server.asked, server.answered) == (2, 3)


@pytest.mark.parametrize("now", [("length",), ("age", "length")])
def test_a_feature_that_is_missing_since_a_new_version_is_named(
    now: tuple[str, ...], client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.inputs = now
    clock[0] = 60.0
    # The client found nothing wrong, and the server refused.
    with pytest.raises(InvalidRequestError, match=r"^length: missing from the request$"):
        client.score_features({"age": [1.0]})
    assert server.asked == 2


def test_invalid_requests_do_not_ask_a_server_each_time(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    for seconds in range(25):
        clock[0] = float(seconds)
        with pytest.raises(InvalidRequestError, match=r"^size: no input of this signature; it takes age$"):
            client.rank({"age": [1.0], "size": [1.0]})
    assert (server.asked, server.answered) == (3, 1)


def test_a_server_that_does_not_answer_hides_no_invalid_request(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.down = True
    clock[0] = 60.0
    with pytest.raises(InvalidRequestError, match=r"^age: missing from the request$"):
        client.rank({})


ROWS: dict[str, list[Any]] = {"age": [1.0, 2.0], "length": [3.0, 4.0], "shown": [True, False]}


def test_after_a_push_one_request_is_refused_whatever_was_refused_before(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    for clock[0] in (60.0, 60.5, 61.0):
        with pytest.raises(InvalidRequestError, match=r"^size: no input"):
            client.rank({"age": [1.0], "size": [1.0]})
    assert server.asked == 2
    server.inputs = ("age", "length")
    with pytest.raises(InvalidRequestError, match=r"^length: missing from the request$"):
        client.rank(client.features(ROWS))
    assert client.rank(client.features(ROWS)).version == 7
    assert server.asked == 3


def test_the_version_of_an_answer_says_that_there_are_new_signatures(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.inputs, server.optional, server.version = ("age", "length"), ("length",), 8
    assert list(client.features(ROWS)) == ["age"]
    assert client.rank(client.features(ROWS)).version == 8
    assert sorted(client.features(ROWS)) == ["age", "length"]
    # So do the parts of a split session.
    server.optional, server.version = (), 9
    clock[0] = 60.0
    client._mini_batch = 1
    assert client.score_features(client.features(ROWS))["click"].shape == (2,)
    assert "length" not in client.signatures()["rank"].defaults
    assert server.asked == 3


def test_an_answer_of_another_version_is_not_lost_with_the_signatures(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.version, server.down = 8, True
    assert client.rank({"age": [1.0]}).version == 8
    server.down = False
    clock[0] = 1.0
    client.rank({"age": [1.0]})
    assert client.rank({"age": [1.0]}).version == 8
    assert server.asked == 3


def test_neither_servers_of_two_versions_nor_refusals_of_a_server_ask_it_each_time(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    for tenth in range(25):
        clock[0] = 60.0 + tenth / 10
        server.version = 20 + tenth
        client.rank({"age": [1.0]})
    assert server.asked == 1 + 3
    server.inputs = ()
    server.down = True
    for tenth in range(25):
        clock[0] = 70.0 + tenth / 10
        with pytest.raises(InvalidRequestError, match=r"^the model takes \(\)$"):
            client.rank({"age": [1.0]})
    assert server.asked == 1 + 3 + 3


def test_threads_that_share_a_client_wait_for_the_signatures(
    client: FeedRankerClient, server: Server, clock: list[float]
) -> None:
    server.inputs, server.seconds = ("age", "length"), 0.2
    clock[0] = 60.0
    request = {"age": [1.0], "length": [3.0]}
    with ThreadPoolExecutor(4) as threads:
        versions = [ranking.version for ranking in threads.map(lambda _: client.rank(request), range(8))]
    assert versions == [7] * 8
    assert server.asked == 2
