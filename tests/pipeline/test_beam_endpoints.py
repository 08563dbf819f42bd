"""An address at which nothing answers is named before anything is started."""

import socket
from collections.abc import Iterator

import pytest

from pipeline.beam import beam_args
from pipeline.beam_endpoints import EndpointError, check_endpoints


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def args(endpoint: str, pool: str = "localhost:50000", kind: str = "EXTERNAL") -> tuple[str, ...]:
    return beam_args(
        (
            "--runner=PortableRunner",
            f"--job_endpoint={endpoint}",
            f"--environment_type={kind}",
            f"--environment_config={pool}",
        )
    )


def test_nothing_is_asked_of_runs_on_this_machine() -> None:
    check_endpoints(beam_args(()))
    check_endpoints(beam_args(("--direct_num_workers=2",)))


def test_both_answer(open_port: int) -> None:
    check_endpoints(args(f"localhost:{open_port}", f"localhost:{open_port}"))


def test_a_job_service_that_is_down_is_named(closed_port: int) -> None:
    with pytest.raises(
        EndpointError, match=rf"at --job_endpoint=localhost:{closed_port} \(connection refused\); start"
    ):
        check_endpoints(args(f"localhost:{closed_port}"))


def test_a_pool_that_is_down_is_named(open_port: int, closed_port: int) -> None:
    with pytest.raises(EndpointError, match=f"at --environment_config=localhost:{closed_port} .*beam_workers pool"):
        check_endpoints(args(f"127.0.0.1:{open_port}", f"localhost:{closed_port}"))


def test_a_pool_of_the_clusters_machines_is_not_asked(open_port: int, closed_port: int) -> None:
    check_endpoints(args(f"localhost:{open_port}", "worker-pool.invalid:50000"))
    check_endpoints(args(f"localhost:{open_port}", f"localhost:{closed_port}", kind="DOCKER"))


@pytest.mark.parametrize("address", ["jobs", "jobs:", ":8099", "jobs:http", "jobs:70000"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(EndpointError, match="expected HOST:PORT"):
        check_endpoints(args(address))


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(EndpointError, match=r"nothing answers at --job_endpoint=jobs\.invalid:8099"):
        check_endpoints(args("jobs.invalid:8099"))
