"""The calls of a served model over gRPC, and what their errors mean."""

from typing import Any

import grpc
from numpy.typing import NDArray

from feed_ranker_client import messages
from feed_ranker_client.tensors import Arrays, array_of, predict_request, set_model
from feed_ranker_client.validation import InvalidRequestError, Signatures

_SIGNATURE_DEF = "signature_def"
_MOST_BYTES = 256 << 20  # per message
_REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE)

Answer = tuple[dict[str, NDArray[Any]], int | None]
"""The outputs, and the version of the model that answered; None if the server did not say."""


class ServingError(RuntimeError):
    """The server did not answer, or not in time."""


class RefusedError(InvalidRequestError):
    """The server refused a request that matched the signatures which the client knew."""


class Connection:
    """A channel to one model of a server.

    Args:
        target: the server's address, host:port.
        model: what the server calls the model.
        timeout_s: timeout of a call in seconds.
        version: a version of the model; None uses the newest, or the one with the label.
        label: the label of a version.
    """

    def __init__(self, target: str, model: str, timeout_s: float, version: int | None, label: str | None) -> None:
        self._target, self._model, self._timeout_s = target, model, timeout_s
        self._version, self._label = version, label
        limits = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)]
        self._channel = grpc.insecure_channel(target, options=limits)
        self._predict = self._channel.unary_unary(
            messages.PREDICT,
            request_serializer=messages.PredictRequest.SerializeToString,
            response_deserializer=messages.PredictResponse.FromString,
        )
        self._get_metadata = self._channel.unary_unary(
            messages.GET_MODEL_METADATA,
            request_serializer=messages.GetModelMetadataRequest.SerializeToString,
            response_deserializer=messages.GetModelMetadataResponse.FromString,
        )

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def signatures(self) -> tuple[Signatures, int | None]:
        """The model's signatures, requested from the server, and the version that has them; None if it did not say.

        Raises:
            RefusedError: the server refused the request.
            ServingError: the server did not answer in time, or answered with an error.
        """
        request = messages.GetModelMetadataRequest(metadata_field=[_SIGNATURE_DEF])
        set_model(request.model_spec, self._model, self._version, self._label)
        try:
            response = self._get_metadata(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise self._explained(error) from error
        found = messages.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(found)
        signatures = {name: s for name, s in found.signature_def.items() if not name.startswith("__")}
        return signatures, _version_in(response)

    def request(self, signature: str, arrays: Arrays) -> Any:
        """The PredictRequest of checked inputs."""
        return predict_request(self._model, signature, arrays, self._version, self._label)

    def start(self, signature: str, arrays: Arrays) -> Any:
        """Sends the request of checked inputs; `finish` waits for the answer."""
        return self._predict.future(self.request(signature, arrays), timeout=self._timeout_s)

    def finish(self, call: Any) -> Answer:
        """The answer of a call.

        Raises:
            RefusedError: the model refused the request.
            ServingError: the server did not answer in time, or answered with an error.
        """
        try:
            response = call.result()
        except grpc.RpcError as error:
            raise self._explained(error) from error
        return {name: array_of(proto) for name, proto in response.outputs.items()}, _version_in(response)

    def _explained(self, error: Any) -> Exception:
        code, details = error.code(), error.details()
        if code in _REFUSED:
            return RefusedError(details)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ServingError(f"{self._target}: no answer within {self._timeout_s:g} s")
        if code is grpc.StatusCode.UNAVAILABLE:
            return ServingError(f"{self._target}: no server answers there: {details}")
        return ServingError(f"{self._target}: {code.name}: {details}")


def _version_in(response: Any) -> int | None:
    """The version of the model that a response comes from."""
    spec = response.model_spec
    return spec.version.value if spec.HasField("version") else None
