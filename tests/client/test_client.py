"""What a client does when the model's signatures change while it is connected: a new version was pushed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from feed_ranker_client import FeedRankerClient, InvalidRequestError, ServingError
from feed_ranker_client.messages import SignatureDef
from feed_ranker_client.tensor_types import type_of_array

FLOAT = type_of_array(np.dtype(np.float32)).number


def signature(*inputs: str) -> Any:
    made = SignatureDef()
    for name in inputs:
        made.inputs[name].dtype = FLOAT
        made.inputs[name].tensor_shape.dim.add(size=-1)
        made.defaults["nothing"].float_val.append(float("nan"))
    return made


class Server:
    """Takes the place of the connection to a server whose model takes some features."""

    def __init__(self) -> None:
        self.inputs: tuple[str, ...] = ("age",)
        self.asked = 0
        self.answered = 0
        self.down = False

    def signatures(self) -> Mapping[str, Any]:
        self.asked += 1
        if self.down:
            raise ServingError("no server answers there")
        return {"rank": signature(*self.inputs), "score_features": signature(*self.inputs)}

    def start(self, name: str, arrays: Mapping[str, Any]) -> Mapping[str, Any]:
        return arrays

    def finish(self, call: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        if set(call) != set(self.inputs):
            raise InvalidRequestError(f"the model takes {self.inputs}")
        self.answered += 1
        rows = len(next(iter(call.values())))
        return {"click": np.zeros(rows), "score": np.zeros(rows), "order": np.arange(rows)}, 7


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in its only element."""
    now = [0.0]
    monkeypatch.setattr("feed_ranker_client.client.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def client(server: Server, clock: list[float]) -> FeedRankerClient:
    made = FeedRankerClient("localhost:1", "feed")
    made._connection = server  # type: ignore[assignment]
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
