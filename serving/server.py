"""Serves the newest pushed model over gRPC, where TensorFlow Serving's image cannot be run.

    uv run python -m serving.server --models workdir/feed/serving_model [--port 8500]

It implements TensorFlow Serving's protocol and validates requests with `serving.validation`. Every request runs Python
code, so production should use the image (`deploy/serving/compose.yaml`).
"""

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from ranker.command_line import UsageError, local_path, port, print_error
from ranker.plain_text import one_line, sentence
from serving.servicer import FeedRankerServicer
from serving.versions import load_newest

_MOST_BYTES = 256 << 20  # per message
_USAGE = 2


class PortError(OSError):
    """A port on which the server cannot listen."""


def serve(
    folder: Path, model_name: str, port: int = 0, workers: int = 4, max_rows: int | None = None
) -> AbstractContextManager[str]:
    """Serves one SavedModel for the duration of the context.

    Args:
        folder: the SavedModel's folder.
        model_name: the model's name in requests.
        port: port on the loopback address; 0 uses any free port.
        workers: number of requests that are answered concurrently.
        max_rows: maximum number of candidates per request, if that is lower than the model's.

    Returns:
        A context with the address that clients connect to.

    Raises:
        PortError: on entering the context; the port is taken, or is no port.
    """
    return _listen(FeedRankerServicer(folder, model_name, max_rows), port, workers)


@contextmanager
def _listen(servicer: FeedRankerServicer, port: int, workers: int = 4) -> Iterator[str]:
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
    options = parser.parse_args(arguments)
    try:
        load = partial(FeedRankerServicer, model_name=options.name)
        folder, servicer = load_newest(options.models, load, _warn)
        with _listen(servicer, options.port) as address:
            print(f"{options.name}, version {folder.name}, at {address}; Ctrl-C ends it", flush=True)
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


def _warn(text: str) -> None:
    print(f"warning: {sentence(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
