"""Commands of this project in processes of their own, forked from one that has imported TFX already.

Importing TFX takes ten seconds, and the end-to-end tests start some forty processes. A fork server (the start method of
`multiprocessing`) imports the third-party libraries once; each command then runs in a fresh fork with its own working
folder, arguments and environment. None of our own modules are preloaded, so a command sees the code of its folder.
"""

import ctypes
import multiprocessing
import os
import runpy
import struct
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRELOADED = [
    "tfx.orchestration.local.local_dag_runner",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.components",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tensorflow_transform.beam",
    "matplotlib.figure",
    "rich.progress",
    "scipy.special",
    "xgboost",
]
_OURS = (
    "benchmarks",
    "components",
    "datasets",
    "feed_ranker_client",
    "pipeline",
    "pipeline_config",
    "ranker",
    "research",
    "serving",
)


@dataclass(frozen=True)
class Done:
    """What became of a command: its exit status (negative for a signal), and what it printed on both streams."""

    status: int
    output: str


def run_python(
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    *,
    capabilities: bool = True,
) -> Done:
    """Runs `python ARGUMENTS` and waits for it.

    Args:
        arguments: `-m MODULE …` or `SCRIPT …`, as behind `python`.
        cwd: the folder that it runs in, and imports from.
        environment: replaces the environment; None passes this process's on.
        capabilities: whether the command keeps the capabilities of this process, which root has.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        output.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        environment = dict(os.environ if environment is None else environment)
        process = context.Process(
            target=_command, args=(list(arguments), str(cwd), environment, str(output), capabilities)
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return Done(process.exitcode, output.read_text(errors="replace"))


def drop_capabilities() -> None:
    """Takes the capabilities of root from this process, as a container runtime does; permissions then count for it."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    set_securebits, no_root_and_locked = 28, 0b11
    # Without this bit, root gets its capabilities back with the next program that it starts.
    if os.geteuid() == 0 and libc.prctl(set_securebits, no_root_and_locked, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    version, this_process, none = 0x20080522, 0, bytes(24)
    if libc.capset(struct.pack("=Ii", version, this_process), none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _command(arguments: list[str], cwd: str, environment: dict[str, str], output: str, capabilities: bool) -> None:
    """What the fork does: becomes the command."""
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # the environment may name another one than the fork server's
    os.chdir(cwd)
    if not capabilities:
        drop_capabilities()
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    sys.path[:] = [cwd, *(entry for entry in sys.path if entry and not _is_a_checkout(entry))]
    _become(arguments)


def _is_a_checkout(entry: str) -> bool:
    return Path(entry, "pipeline_config.py").exists()


def _become(arguments: list[str]) -> Any:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        return runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    sys.argv = arguments
    return runpy.run_path(arguments[0], run_name="__main__")
