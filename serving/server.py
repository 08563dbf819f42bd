"""Serves the newest pushed model over gRPC, where TensorFlow Serving's image cannot be run.

    uv run python -m serving.server --models workdir/feed/serving_model [--port 8500] [--label candidate=1795992807]

It implements TensorFlow Serving's protocol and validates requests with `feed_ranker_client.validation`. Every request
runs Python code, so production should use the image (`deploy/serving/compose.yaml`).
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ranker.command_line import UsageError, local_path, port, print_error
from ranker.plain_text import one_line, sentence
from ranker.startup_lines import without_startup_lines

if TYPE_CHECKING:
    from serving.servicer import FeedRankerServicer, ServedVersion

_MOST_BYTES = 256 << 20  # per message
_USAGE = 2


class PortError(OSError):
    """A port on which the server cannot listen."""


def serve(
    folder: Path,
    model_name: str,
    port: int = 0,
    workers: int = 4,
    max_rows: int | None = None,
    labels: Mapping[str, Path] = MappingProxyType({}),
) -> AbstractContextManager[str]:
    """Serves a SavedModel, and those with a label, for the duration of the context.

    Args:
        folder: the SavedModel's folder, for requests without version and label.
        model_name: the model's name in requests.
        port: port on the loopback address; 0 uses any free port.
        workers: number of requests that are answered concurrently.
        max_rows: maximum number of candidates per request, if that is lower than the model's.
        labels: version label → the SavedModel's folder.

    Returns:
        A context with the address that clients connect to.

    Raises:
        PortError: on entering the context; the port is taken, or is no port.

    Example:
        >>> with serve(Path("workdir/feed/serving_model/1795906407"), "feed") as address:  # doctest: +SKIP
        ...     FeedRankerClient(address, "feed").rank(features)
    """
    from serving.servicer import FeedRankerServicer, ServedVersion

    loaded = {path: ServedVersion(path) for path in dict.fromkeys((folder, *labels.values()))}
    labelled = {label: loaded[path] for label, path in labels.items()}
    return _listen(FeedRankerServicer(loaded[folder], model_name, max_rows, labelled), port, workers)


@contextmanager
def _listen(servicer: "FeedRankerServicer", port: int, workers: int = 4) -> Iterator[str]:
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    if not 0 <= port <= 65_535:
        # gRPC would listen on its lower 16 bits.
        raise PortError(f"port {port}: ports are 1 to 65535")
    options = [
        ("grpc.max_receive_message_length", _MOST_BYTES),
        ("grpc.max_send_message_length", _MOST_BYTES),
        # Two servers could otherwise share a port, and requests would reach either model.
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(workers), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        server.stop(grace=None)
        raise PortError(f"port {port}: another program listens there, or it may not be used; choose another --port")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(grace=None).wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; ends with exit status 2 if the model or the port cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description="Serves the newest pushed model.")
    parser.add_argument("--models", type=local_path, required=True, help="the push destination, a folder of versions")
    parser.add_argument("--name", type=_name, default="feed", help="the model's name in requests (default: feed)")
    parser.add_argument("--port", type=port, default=8500, help="on the loopback address (default: 8500)")
    parser.add_argument(
        "--label",
        type=_label,
        action="append",
        default=[],
        metavar="LABEL=VERSION",
        help="serve this version as well, to requests with the label; may be repeated",
    )
    options = parser.parse_args(arguments)
    try:
        # TensorFlow takes seconds to import; a wrong command is refused before.
        with without_startup_lines():
            from serving.servicer import FeedRankerServicer, ServedVersion
            from serving.versions import load_newest
        _, newest = load_newest(options.models, ServedVersion, _warn)
        labels = _labelled(newest, options.label)
        servicer = FeedRankerServicer(newest, options.name, labels=labels)
        _warm_up(servicer)
        with _listen(servicer, options.port) as address:
            others = "".join(f", {label}: version {version.number}" for label, version in sorted(labels.items()))
            print(f"{options.name}, version {newest.number}{others}, at {address}; Ctrl-C ends it", flush=True)
            _wait()
    except KeyboardInterrupt:
        return
    except (UsageError, OSError) as error:
        print_error(error)
        raise SystemExit(_USAGE) from None


def _wait() -> None:
    """Waits for Ctrl-C."""
    threading.Event().wait()


def _name(text: str) -> str:
    if not text.strip() or one_line(text) != text:
        raise argparse.ArgumentTypeError("a model needs a name of one line")
    return text


def _label(text: str) -> tuple[str, int]:
    label, _, version = text.partition("=")
    if not label.strip() or one_line(label) != label or not (version.isascii() and version.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=VERSION, such as candidate=1795992807")
    return label, int(version)


def _labelled(newest: "ServedVersion", named: Sequence[tuple[str, int]]) -> "dict[str, ServedVersion]":
    """Label → its version, loaded.

    Args:
        newest: the version that is loaded already.
        named: labels with the numbers of their versions.

    Raises:
        UsageError: a label occurs twice, or its version is not there or cannot be loaded.
    """
    from ranker.export.loading import LOAD_ERRORS, load_problem
    from serving.servicer import ServedVersion
    from serving.versions import list_versions

    models = newest.folder.parent
    folders = {int(folder.name): folder for folder in list_versions(models)}
    loaded = {newest.number: newest}
    labels: dict[str, ServedVersion] = {}
    for label, number in named:
        what = f"--label {label}={number}"
        if label in labels:
            raise UsageError(f"{what}: the label is given twice")
        if number not in folders:
            raise UsageError(f"{what}: {models} has no such version")
        if number not in loaded:
            try:
                loaded[number] = ServedVersion(folders[number])
            except LOAD_ERRORS as error:
                raise UsageError(f"{what}: incomplete or damaged: {load_problem(error)}") from error
        labels[label] = loaded[number]
    return labels


def _warm_up(servicer: "FeedRankerServicer") -> None:
    """Warms up; a model whose requests cannot be replayed is served all the same, as its scores are not concerned."""
    from ranker.export.loading import LOAD_ERRORS, load_problem

    try:
        servicer.warm_up()
    except LOAD_ERRORS as error:
        _warn(f"the warm-up requests cannot be replayed, so the first requests are slow: {load_problem(error)}")


def _warn(text: str) -> None:
    print(f"warning: {sentence(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
