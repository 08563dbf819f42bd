"""A client of a served feed ranker, over gRPC.

    with FeedRankerClient("localhost:8500", "feed") as client:
        ranking = client.rank(features, alpha=0.4, lambda_=0.1)

It asks the server once for the model's signatures and holds every request against them, so that a wrong one fails here,
by the name of the feature, before it costs a round trip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Self

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from ranker.export.module import MAX_ROWS
from ranker.export.names import ALPHA, EXAMPLES, LAMBDA, weight_name
from serving.protos import Arrays, as_array, predict_request
from serving.validation import (
    InvalidRequestError,
    Signatures,
    check_forms,
    check_values,
    find_signature,
    form_of,
    inputs_of,
)

_MOST_BYTES = 256 << 20  # of a message
_REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE)

Scores = dict[str, NDArray[np.float32]]


class ServingError(RuntimeError):
    """The server did not answer, or not in time."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """A session's candidates, ranked.

    Attributes:
        score: float32 [candidates], the utility score of each, in the order of the request.
        order: int32 [candidates], the candidates from the highest score down.
    """

    score: NDArray[np.float32]
    order: NDArray[np.int32]


class FeedRankerClient:
    """Scores and ranks candidates.

    Args:
        target: the server's address, host:port.
        model: what the server calls the model.
        timeout_s: seconds after which a call is given up.
        version: a version of the model; None takes the newest.
        max_rows: candidates of a request at most; a server may allow fewer.
        mini_batch: candidates that are scored together; a larger session is cut up, and its parts are scored at the
            same time. None sends every session whole.
    """

    def __init__(
        self,
        target: str,
        model: str,
        timeout_s: float = 1.0,
        version: int | None = None,
        max_rows: int = MAX_ROWS,
        mini_batch: int | None = None,
    ) -> None:
        self._target, self._model, self._version = target, model, version
        self._timeout_s, self._max_rows, self._mini_batch = timeout_s, max_rows, mini_batch
        limits = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)]
        self._channel = grpc.insecure_channel(target, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._known: Signatures | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def score_examples(self, examples: Sequence[bytes]) -> Scores:
        """Objective → probability [candidates], of serialised tf.Examples of raw features."""
        return self.predict("serving_default", {EXAMPLES: examples})

    def score_features(self, features: Mapping[str, Any]) -> Scores:
        """Objective → probability [candidates], of raw features: one array each, NaN and "" where missing."""
        return self.predict("score_features", features)

    def score_leaves(self, inputs: Mapping[str, Any]) -> Scores:
        """Objective → probability [candidates], of `leaves` [candidates, trees] and the dense inputs of the towers."""
        return self.predict("score_leaves", inputs)

    def rank(
        self,
        features: Mapping[str, Any],
        alpha: float,
        lambda_: float,
        weights: Mapping[str, float] = MappingProxyType({}),
    ) -> Ranking:
        """Ranks a session's candidates by `alpha * f_p + (1 - alpha) * f_a + lambda * f_o`.

        Args:
            features: as `score_features` takes them, of all of the session's candidates.
            alpha: passive against active consumption, from 0 to 1.
            lambda_: weight of the other objectives.
            weights: objective → its weight in this request; the others keep those of the config.

        Raises:
            InvalidRequestError: an input that is missing, or not what the model takes.
            ServingError: no answer in time.
        """
        trade_off = {ALPHA: alpha, LAMBDA: lambda_}
        if not weights:
            ranked = self._call("rank", {**features, **trade_off})
        else:
            own = {weight_name(objective): weight for objective, weight in weights.items()}
            ranked = self._call("rank_weighted", {**features, **trade_off, **own})
        return Ranking(ranked["score"], ranked["order"])

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> Scores:
        """Outputs of a signature that scores each candidate by itself, in mini-batches where the client cuts them.

        Raises:
            InvalidRequestError: an input that is missing, or not what the signature takes.
            ServingError: no answer in time.
        """
        arrays = self._checked(signature, inputs)
        rows = len(next(iter(arrays.values())))
        step = self._mini_batch or rows
        calls = [
            self._start(signature, {name: array[begin : begin + step] for name, array in arrays.items()})
            for begin in range(0, rows, step)
        ]
        parts = [self._finish(call) for call in calls]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def signatures(self) -> Signatures:
        """What the model takes and gives; asked for once.

        Raises:
            ServingError: no answer in time.
        """
        if self._known is None:
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            request.model_spec.name = self._model
            if self._version is not None:
                request.model_spec.version.value = self._version
            try:
                response = self._stub.GetModelMetadata(request, timeout=self._timeout_s)
            except grpc.RpcError as error:
                raise self._explained(error) from error
            found = get_model_metadata_pb2.SignatureDefMap()
            response.metadata["signature_def"].Unpack(found)
            self._known = {name: s for name, s in found.signature_def.items() if not name.startswith("__")}
        return self._known

    def _checked(self, signature: str, inputs: Mapping[str, Any]) -> Arrays:
        definition = find_signature(self.signatures(), signature)
        forms = inputs_of(definition)
        arrays = {
            name: as_array(name, values, forms[name]) if name in forms else np.asarray(values)
            for name, values in inputs.items()
        }
        check_forms(definition, {name: form_of(array) for name, array in arrays.items()}, self._max_rows)
        check_values(arrays)
        return arrays

    def _call(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        return self._finish(self._start(signature, self._checked(signature, inputs)))

    def _start(self, signature: str, arrays: Arrays) -> Any:
        request = predict_request(self._model, signature, arrays, self._version)
        return self._stub.Predict.future(request, timeout=self._timeout_s)

    def _finish(self, call: Any) -> dict[str, NDArray[Any]]:
        try:
            response: predict_pb2.PredictResponse = call.result()
        except grpc.RpcError as error:
            raise self._explained(error) from error
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

    def _explained(self, error: Any) -> Exception:
        code, details = error.code(), error.details()
        if code in _REFUSED:
            return InvalidRequestError(details)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ServingError(f"{self._target}: no answer within {self._timeout_s:g} s")
        if code is grpc.StatusCode.UNAVAILABLE:
            return ServingError(f"{self._target}: no server answers there: {details}")
        return ServingError(f"{self._target}: {code.name}: {details}")
