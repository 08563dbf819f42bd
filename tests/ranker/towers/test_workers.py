"""Several workers or devices take the same steps as one."""

import json
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker.towers.workers import StrategyError, is_chief, make_strategy
from tests.processes import run_python
from tests.ranker.towers.worker import train

ROOT = Path(__file__).resolve().parents[3]


def trained(
    kind: str, out: Path, tf_config: Mapping[str, object] | None = None, leaf_embeddings: str = "trained"
) -> tuple[list[np.ndarray], bool]:
    """The weights that a process of its own trains, and whether it was the chief."""
    environment = dict(os.environ)
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    done = run_python(["-m", "tests.ranker.towers.worker", kind, str(out), leaf_embeddings], ROOT, environment)
    assert done.status == 0, done.output[-3_000:]
    with np.load(out) as arrays:
        return [arrays[name] for name in arrays.files if name != "chief"], bool(arrays["chief"])


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@pytest.fixture(scope="module")
def alone() -> list[np.ndarray]:
    return train(None)


@pytest.mark.slow
def test_two_workers_end_with_the_weights_of_one(alone: list[np.ndarray], tmp_path: Path) -> None:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    outs = [tmp_path / f"{index}.npz" for index in range(2)]
    configs = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    with ThreadPoolExecutor() as pool:
        weights, chiefs = zip(*pool.map(trained, ["multi_worker"] * 2, outs, configs), strict=True)
    assert chiefs == (True, False)
    for one, first, second in zip(alone, *weights, strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, one, rtol=1e-3, atol=2e-4)


@pytest.mark.slow
def test_two_devices_of_one_process_do_too(alone: list[np.ndarray], tmp_path: Path) -> None:
    out = tmp_path / "mirrored.npz"
    weights, chief = trained("mirrored", out)
    assert chief
    for one, both in zip(alone, weights, strict=True):
        np.testing.assert_allclose(both, one, rtol=1e-3, atol=2e-4)


@pytest.mark.slow
def test_devices_that_leave_out_the_leaf_embeddings_step_as_one_does(tmp_path: Path) -> None:
    weights, _ = trained("mirrored", tmp_path / "mirrored.npz", leaf_embeddings="fixed")
    for one, both in zip(train(None, leaf_embeddings=False), weights, strict=True):
        np.testing.assert_allclose(both, one, rtol=1e-3, atol=2e-4)


def test_one_device_needs_no_strategy() -> None:
    assert make_strategy("one_device") is None
    assert is_chief(None)


def test_with_one_machine_this_process_is_the_chief() -> None:
    assert is_chief(tf.distribute.MirroredStrategy(["CPU:0"]))


def test_all_gpus_of_a_machine_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"] if kind == "GPU" else [])
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: "all GPUs")
    assert make_strategy("mirrored") == "all GPUs"


def test_mirrored_without_a_gpu_is_refused() -> None:
    """TensorFlow would train on one CPU and not say so."""
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(StrategyError, match=r"training\.strategy: mirrored .* TensorFlow finds none; use one_device"):
        make_strategy("mirrored")


def test_missing_tf_config_is_an_error_that_explains_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(StrategyError, match=r"training\.strategy: multi_worker needs TF_CONFIG to name the workers"):
        make_strategy("multi_worker")
