"""Whether the job service and the worker pool of a cluster answer, before anything is started."""

import socket
from collections.abc import Sequence

from pipeline.beam import value_of

_SECONDS = 5.0
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class EndpointError(ConnectionError):
    """Nothing answers at an address of `beam_pipeline_args`; the message is for the user."""


def check_endpoints(args: Sequence[str]) -> None:
    """Makes sure that what this machine can see of a cluster answers; a few milliseconds.

    The address of a worker pool is meant for the cluster's machines, so it is tried only where the job service runs on
    this machine too. Beam itself waits for a minute and names no address.

    Args:
        args: as `pipeline.beam.beam_args` returns them.

    Raises:
        EndpointError: an address is none, or nothing answers there.
    """
    endpoint = value_of(args, "--job_endpoint")
    if endpoint is None or endpoint == "embed":
        return
    host = _check("--job_endpoint", endpoint, "start the job service")
    pool = value_of(args, "--environment_config")
    external = (value_of(args, "--environment_type") or "").upper() == "EXTERNAL"
    if external and pool is not None and {host, pool.rpartition(":")[0]} <= _THIS_MACHINE:
        _check("--environment_config", pool, "start the worker pool (python -m pipeline.beam_workers pool --port PORT)")


def _check(name: str, address: str, remedy: str) -> str:
    """Connects to an address once; returns its host."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise EndpointError(f"beam_pipeline_args: {name}={address}: expected HOST:PORT")
    try:
        with socket.create_connection((host, int(port)), timeout=_SECONDS):
            return host
    except OSError as error:
        reason = error.strerror or str(error)
        raise EndpointError(
            f"beam_pipeline_args: nothing answers at {name}={address} ({reason[:1].lower()}{reason[1:]}); {remedy}, or "
            "correct the address"
        ) from None
