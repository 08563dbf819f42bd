"""Serves the newest pushed model over gRPC, where TensorFlow Serving's image cannot be run.

    uv run python -m serving.server --models workdir/feed/serving_model [--port 8500]

It implements TensorFlow Serving's protocol and validates requests with `serving.validation`. Every request runs Python
code, so production should use the image (`deploy/serving/compose.yaml`).
"""

import argparse
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from ranker.export.module import MAX_ROWS
from serving.servicer import FeedRankerServicer

_MOST_BYTES = 256 << 20  # per message


@contextmanager
def serve(folder: Path, model_name: str, port: int = 0, workers: int = 4, max_rows: int = MAX_ROWS) -> Iterator[str]:
    """Serves one SavedModel for the duration of the context.

    Args:
        folder: the SavedModel's folder.
        model_name: the model's name in requests.
        port: port on the loopback address; 0 uses any free port.
        workers: number of requests that are answered concurrently.
        max_rows: maximum number of candidates per request.

    Yields:
        The address that clients connect to.
    """
    limits = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)]
    server = grpc.server(ThreadPoolExecutor(workers), options=limits)
    servicer = FeedRankerServicer(folder, model_name, max_rows)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(grace=None).wait()


def newest_version(models: Path) -> Path:
    """The folder with the highest number, which TensorFlow Serving would serve.

    Raises:
        FileNotFoundError: there is no numbered folder.
    """
    versions = [folder for folder in models.iterdir() if folder.name.isdigit()] if models.is_dir() else []
    if not versions:
        raise FileNotFoundError(f"{models}: holds no numbered model version; is it the push destination of a run?")
    return max(versions, key=lambda folder: int(folder.name))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description="Serves the newest pushed model.")
    parser.add_argument("--models", type=Path, required=True, help="the push destination, a folder of versions")
    parser.add_argument("--name", default="feed", help="the model's name in requests (default: feed)")
    parser.add_argument("--port", type=int, default=8500, help="on the loopback address (default: 8500)")
    options = parser.parse_args(arguments)
    try:
        folder = newest_version(options.models)
    except FileNotFoundError as error:
        parser.error(str(error))
    with serve(folder, options.name, options.port) as address:
        print(f"{options.name}, version {folder.name}, at {address}; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
