"""What the protocol costs: the parts of a request of 500 candidates by `score_features` that are not the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_serving.apis import predict_pb2

from benchmarks.harness import Figure, alternate
from benchmarks.serving.sessions import CANDIDATES, Session
from feed_ranker_client.messages import PredictResponse
from feed_ranker_client.tensors import array_of, fill_tensor
from serving.client import FeedRankerClient
from serving.server import serve

MOST_FOR_A_REQUEST = 0.002

_ROUNDS, _QUICK_ROUNDS = 61, 5
_MODEL, _SIGNATURE = "feed", "score_features"


@dataclass(frozen=True)
class ProtocolCost:
    """A part of a request, in median seconds.

    Attributes:
        part: what it does.
        seconds: it takes.
    """

    part: str
    seconds: float


def protocol_costs(model: Path, session: Session, quick: bool) -> list[ProtocolCost]:
    """Measures the parts and the complete call, in turns; the client and a server in Python share this machine."""
    arrays = {name: tensor.numpy() for name, tensor in session.features.items()}
    score = tf.saved_model.load(str(model)).signatures[_SIGNATURE]
    with serve(model, _MODEL) as address, FeedRankerClient(address, _MODEL, 60.0) as client:
        request = client.request(_SIGNATURE, arrays)
        content = request.SerializeToString()
        answer = predict_pb2.PredictResponse()
        for name, tensor in score(**session.features).items():
            fill_tensor(answer.outputs[name], tensor.numpy())
        answered = answer.SerializeToString()
        runs: dict[str, Callable[[], object]] = {
            "the client builds the request": lambda: client.request(_SIGNATURE, arrays),
            "the client serialises it": request.SerializeToString,
            "the server reads it": lambda: _read(content),
            "the model scores": lambda: [tensor.numpy() for tensor in score(**session.features).values()],
            "the client reads the answer": lambda: _answer(answered),
            "the complete call over gRPC": lambda: client.score_features(arrays),
        }
        for run in runs.values():
            run()
        seconds = alternate(runs, _QUICK_ROUNDS if quick else _ROUNDS)
    parts = dict(seconds)
    complete = parts.pop("the complete call over gRPC")
    rest = "gRPC, checks and threads"
    return [
        *(ProtocolCost(part, taken) for part, taken in parts.items()),
        ProtocolCost(rest, max(complete - sum(parts.values()), 0.0)),
        ProtocolCost("the complete call over gRPC", complete),
    ]


def figures(costs: list[ProtocolCost]) -> list[Figure]:
    """Building a request, compared with the longest that it may take; and the call with the protocol and without."""
    seconds = {cost.part: cost.seconds for cost in costs}
    return [
        Figure(
            "client_request",
            ours=1000 * seconds["the client builds the request"],
            rival=1000 * MOST_FOR_A_REQUEST,
            unit="ms",
            target=1.0,
            target_is_least=False,
            note=f"the client checks and builds a request of {CANDIDATES} candidates from arrays, compared with the "
            "longest that it may take",
        ),
        Figure(
            "protocol",
            ours=1000 * seconds["the complete call over gRPC"],
            rival=1000 * seconds["the model scores"],
            unit="ms",
            note=f"{CANDIDATES} candidates by score_features over gRPC to the server in Python on the same machine, "
            "compared with a call of the model",
        ),
    ]


def _read(content: bytes) -> Mapping[str, NDArray[np.generic]]:
    request = predict_pb2.PredictRequest.FromString(content)
    return {name: array_of(proto) for name, proto in request.inputs.items()}


def _answer(content: bytes) -> Mapping[str, Any]:
    response = PredictResponse.FromString(content)
    return {name: array_of(proto) for name, proto in response.outputs.items()}
