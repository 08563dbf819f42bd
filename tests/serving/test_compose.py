"""The compose file has the settings that the image reads."""

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/serving/compose.yaml").read_text())["services"]


def test_every_server_has_the_model_read_only_and_a_pinned_image(services: dict[str, Any]) -> None:
    assert set(services) == {"sessions", "candidates"}
    for service in services.values():
        image, tag = service["image"].split(":")
        assert image == "tensorflow/serving"
        assert tag.count(".") == 2
        assert f"/models/{service['environment']['MODEL_NAME']}:ro" in service["volumes"][0]


def test_ports_are_open_to_this_machine_alone_unless_told_otherwise(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service["ports"]]
    assert len(ports) == 4
    for port in ports:
        address, host, container = re.fullmatch(r"\$\{BIND:-(.*)\}:(\d+):(\d+)", port).groups()  # type: ignore[union-attr]
        assert ipaddress.ip_address(address).is_loopback
        assert (int(host), int(container)) in {(8500, 8500), (8501, 8501), (8510, 8500), (8511, 8501)}


def test_only_single_candidates_are_merged(services: dict[str, Any]) -> None:
    assert not [flag for flag in services["sessions"]["command"] if "batching" in flag]
    assert services["candidates"]["profiles"] == ["batching"]
    assert "--enable_batching=true" in services["candidates"]["command"]


def test_the_batching_parameters_are_mounted_where_the_server_reads_them(services: dict[str, Any]) -> None:
    (flag,) = [f for f in services["candidates"]["command"] if f.startswith("--batching_parameters_file=")]
    mounts = dict(volume.removesuffix(":ro").rsplit(":", 1) for volume in services["candidates"]["volumes"])

    (source,) = [source for source, target in mounts.items() if target == flag.split("=")[1]]
    assert (ROOT / source).is_file()
