"""Beam's workers of this project: in processes of this machine, and in a pool that a cluster starts workers in.

Beam's own programs lack one thing that is required here: TFX has to be imported before TFDV (see `pipeline.beam`).

- `--direct_running_mode=multi_processing` does not pass the pipeline's options to its workers; the runner in
  `pipeline.worker_processes` does.
- The worker pool of Beam's image drops `--beam_plugin`, and starts a process for every worker, each of which imports
  TFX for ten seconds.
"""

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from ranker.command_line import UsageError, port, print_error
from ranker.startup_lines import without_startup_lines

_STATE_CACHE = 100 << 20  # bytes, as much as Beam's own worker program uses
_USAGE = 2


def serve_pool(port: int) -> None:
    """Serves workers on a port until the process is stopped (SIGTERM or Ctrl-C).

    A cluster (`--environment_type=EXTERNAL --environment_config=HOST:PORT`) asks the pool for workers. Each is a thread
    of this process, so TFX is imported once. The code that they run is what this process has imported: restart the pool
    after a change of the code.

    Args:
        port: a free TCP port; 0 takes any, which is printed.

    Raises:
        UsageError: the port is taken, or not permitted.
    """
    _check_free(port)
    print("worker pool: loading TensorFlow and TFX", flush=True)
    with without_startup_lines():
        import tfx.components  # noqa: F401 - for the side effects, and so that the first worker starts at once
        from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    address, server = BeamFnExternalWorkerPoolServicer.start(port=port, state_cache_size=_STATE_CACHE)
    print(f"worker pool: serving workers at {address}", flush=True)
    stopped.wait()
    server.stop(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a pool, or works for the runner that started this process until the runner is done."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.beam_workers",
        description="Beam's workers with this project's code, for runners on a cluster.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{pool}")
    pool = commands.add_parser(
        "pool",
        help="serve workers for --environment_type=EXTERNAL",
        description="Serves workers as threads of this process, until it is stopped. The runner is given "
        "--environment_type=EXTERNAL --environment_config=HOST:PORT. Restart the pool after a change of the code.",
    )
    pool.add_argument("--port", type=port, default=50_000, help="TCP port (50000)")
    commands.add_parser("worker")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s")
    if options.command == "worker":
        _work()
        return 0
    try:
        serve_pool(options.port)
    except UsageError as error:
        print_error(error)
        return _USAGE
    return 0


def _work() -> None:
    import tfx  # noqa: F401 - for the side effects of the import
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _check_free(port: int) -> None:
    """Two gRPC servers would share a port, and each would get some of the requests."""
    for family, host in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
                continue
            raise UsageError(f"--port {port}: {error.strerror or error}; choose another one") from None


if __name__ == "__main__":
    sys.exit(main())
