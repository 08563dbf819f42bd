"""TensorFlow Serving's PredictionService over a SavedModel in this process.

It uses the same protos as TensorFlow Serving. For an invalid request it always returns INVALID_ARGUMENT, where
TensorFlow Serving may return another status.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from feed_ranker_client.tensors import array_of, fill_tensor
from feed_ranker_client.validation import (
    InvalidRequestError,
    check_forms,
    check_values,
    find_signature,
    form_of_proto,
    max_rows_of,
)
from ranker.export.checks import in_short
from ranker.registry.layout import WARMUP

Request = TypeVar("Request")
Response = TypeVar("Response")

_DEFAULT_SIGNATURE = "serving_default"
_SIGNATURE_DEF = "signature_def"
_STATUS = {status.value[0]: status for status in grpc.StatusCode}


class ServedVersion:
    """One version of a model, loaded.

    Args:
        folder: the SavedModel's folder; its name is the version number.

    Raises:
        ValueError: the SavedModel has no default signature.

    Attributes:
        folder: the SavedModel's folder.
        number: of the version.
        model: the loaded SavedModel.
        signatures: by name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = int(folder.name) if folder.name.isdecimal() else 0
        self.model = tf.saved_model.load(str(folder))
        self.signatures = read_signatures(folder)
        if _DEFAULT_SIGNATURE not in self.signatures:
            raise ValueError(f"it has no signature {_DEFAULT_SIGNATURE}")


class FeedRankerServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers Predict and GetModelMetadata for one model.

    Args:
        version: answers a request without version and label.
        model_name: the model's name in requests.
        max_rows: maximum number of candidates per request, if that is lower than the model's.
        labels: version label → the version that it stands for.
    """

    def __init__(
        self,
        version: ServedVersion,
        model_name: str,
        max_rows: int | None = None,
        labels: Mapping[str, ServedVersion] = MappingProxyType({}),
    ) -> None:
        self._name, self._max_rows = model_name, max_rows
        self._default, self._labels = version, labels
        self._versions = {found.number: found for found in (version, *labels.values())}

    def Predict(  # noqa: N802, gRPC's name
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs one signature."""
        return _answer(self._predict, request, context)

    def GetModelMetadata(  # noqa: N802, gRPC's name
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures."""
        return _answer(self._metadata, request, context)

    def warm_up(self) -> int:
        """Replays the versions' warm-up requests, as TensorFlow Serving does, so that no first request is slow.

        Returns:
            The number of requests; 0 for models that were exported without any.

        Raises:
            ValueError: a request is not one of the model's signatures.
            tf.errors.OpError: the file of a version's requests is damaged.
        """
        requests = 0
        for number, version in self._versions.items():
            if not (file := version.folder / WARMUP).is_file():
                continue
            for record in tf.data.TFRecordDataset([str(file)]).as_numpy_iterator():
                request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
                request.model_spec.name, request.model_spec.version.value = self._name, number
                self._predict(request)
                requests += 1
        return requests

    def _predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        version = self._version_of(request.model_spec)
        name = request.model_spec.signature_name or _DEFAULT_SIGNATURE
        signature = find_signature(version.signatures, name)
        wanted = list(request.output_filter) or sorted(signature.outputs)
        if unknown := sorted(set(wanted) - set(signature.outputs)):
            outputs = ", ".join(sorted(signature.outputs))
            raise InvalidRequestError(f"{', '.join(unknown)}: no output of {name}; it gives {outputs}")
        forms = {key: form_of_proto(key, proto) for key, proto in request.inputs.items()}
        check_forms(signature, forms, max_rows_of(signature, self._max_rows))
        protos = {**dict(signature.defaults.items()), **dict(request.inputs.items())}
        arrays = {key: _array(key, proto) for key, proto in protos.items()}
        check_values(arrays)
        try:
            scores = version.model.signatures[name](**{key: tf.constant(array) for key, array in arrays.items()})
        except UnicodeDecodeError as error:
            # TensorFlow's message quotes the bytes that it cannot parse, and may not be valid text.
            raise InvalidRequestError(f"{', '.join(arrays)}: a value is not a serialised tf.Example") from error
        except tf.errors.InvalidArgumentError as error:
            raise InvalidRequestError(_of_inputs(error, arrays)) from error

        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = self._name, name
        response.model_spec.version.value = version.number
        for key in wanted:
            fill_tensor(response.outputs[key], scores[key].numpy())
        return response

    def _metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        version = self._version_of(request.model_spec)
        if unknown := sorted(set(request.metadata_field) - {_SIGNATURE_DEF}):
            raise InvalidRequestError(f"{', '.join(unknown)}: no metadata of this model; it has {_SIGNATURE_DEF}")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name, response.model_spec.version.value = self._name, version.number
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in version.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.metadata[_SIGNATURE_DEF].Pack(signatures)
        return response

    def _version_of(self, spec: model_pb2.ModelSpec) -> ServedVersion:
        """The version that a request asks for.

        A wrong name or number is NOT_FOUND and an unknown label INVALID_ARGUMENT, as in TensorFlow Serving.
        """
        if spec.name != self._name:
            raise tf.errors.NotFoundError(None, None, f"{spec.name}: this server has the model {self._name}")
        if spec.HasField("version"):
            if spec.version.value not in self._versions:
                there = " and ".join(map(str, sorted(self._versions)))
                raise tf.errors.NotFoundError(
                    None, None, f"{spec.name}: version {spec.version.value}: this server has version {there}"
                )
            return self._versions[spec.version.value]
        if spec.version_label:
            if spec.version_label not in self._labels:
                there = ", ".join(sorted(self._labels)) or "none"
                raise InvalidRequestError(f"version label {spec.version_label}: unknown; this server's labels: {there}")
            return self._labels[spec.version_label]
        return self._default


def read_signatures(folder: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Name → signature, read from a SavedModel's folder."""
    saved = saved_model_pb2.SavedModel.FromString((folder / tf.saved_model.SAVED_MODEL_FILENAME_PB).read_bytes())
    return {name: s for name, s in saved.meta_graphs[0].signature_def.items() if not name.startswith("__")}


def _array(name: str, proto: tensor_pb2.TensorProto) -> NDArray[Any]:
    """The array in a TensorProto whose type and shape have been checked."""
    try:
        return array_of(proto)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{name}: its values do not fill its shape: {error}") from error


def _answer(answer: Callable[[Request], Response], request: Request, context: grpc.ServicerContext) -> Response:
    """The answer; an error aborts the call with its status and message."""
    try:
        return answer(request)
    except InvalidRequestError as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except tf.errors.OpError as error:
        context.abort(_STATUS[error.error_code], error.message)
    raise AssertionError("an aborted call does not continue")


def _of_inputs(error: Any, inputs: Iterable[str]) -> str:
    """The message of a graph's error in short, and with the name of an input."""
    text = in_short(error)
    return text if any(name in text for name in inputs) else f"{', '.join(inputs)}: {text}"
