"""Where the Beam components run: in their own process, in several processes, or on another cluster.

A config's `beam_pipeline_args` go to every Beam component behind the arguments below, and a later one wins.
"""

from collections.abc import Sequence

# The in-process runner by its own name, as Beam's default first tries to download another one. It takes no image, but
# where none is named, TFX packs its own sources for remote workers, anew for every component.
NO_IMAGE = "--sdk_container_image=none-in-process"
IN_PROCESS_ARGS = ("--runner=FnApiRunner", NO_IMAGE)
WORKER_PROCESSES = "pipeline.beam_workers.WorkerProcesses"

# Without TFX loaded first, TFDV 1.16 cannot be imported beside tfx-bsl 1.21. It can go once TFDV 1.21 is on PyPI.
_ON_WORKERS = "--beam_plugin=tfx"
_HERE = {"fnapirunner", "directrunner", WORKER_PROCESSES.lower()}
_CLUSTERS = {
    # runner → arguments of which it needs one of each line
    "dataflowrunner": (("--project",), ("--region",), ("--temp_location",), ("--sdk_container_image",)),
    "flinkrunner": (("--flink_master", "--job_endpoint"), ("--environment_type",)),
    "sparkrunner": (("--spark_master_url", "--job_endpoint"), ("--environment_type",)),
    "portablerunner": (("--job_endpoint",), ("--environment_type",)),
}


def beam_args(extra: Sequence[str]) -> tuple[str, ...]:
    """All arguments of the Beam components.

    Args:
        extra: the config's own; a runner among them replaces the in-process one.

    Raises:
        ValueError: a runner that is not known here, or one that lacks an argument without which it cannot start.
    """
    runner = _value(extra, "--runner")
    if _value(extra, "--direct_running_mode"):
        raise ValueError(
            "beam_pipeline_args: leave out --direct_running_mode; --direct_num_workers=N starts N processes"
        )
    if runner is None or runner.lower() in _HERE:
        if _value(extra, "--direct_num_workers") in (None, "1"):
            return (*IN_PROCESS_ARGS, *extra)
        others = [argument for argument in extra if not argument.startswith("--runner=")]
        return (f"--runner={WORKER_PROCESSES}", NO_IMAGE, *others)
    needed = _CLUSTERS.get(runner.lower())
    if needed is None:
        known = "FnApiRunner, DataflowRunner, FlinkRunner, SparkRunner, PortableRunner"
        raise ValueError(f"beam_pipeline_args: --runner={runner} is none of {known}")
    for alternatives in needed:
        if not any(_value(extra, name) for name in alternatives):
            raise ValueError(f"beam_pipeline_args: --runner={runner} needs {' or '.join(alternatives)}")
    # Workers that somebody else starts bring their own image.
    image = () if _value(extra, "--sdk_container_image") else (NO_IMAGE,)
    return (*image, _ON_WORKERS, *extra)


def runs_on_cluster(args: Sequence[str]) -> bool:
    """Whether these arguments send the work to other machines, which see no local files of this one."""
    runner = _value(args, "--runner")
    return runner is not None and runner.lower() not in _HERE


def _value(args: Sequence[str], name: str) -> str | None:
    """The last value of an argument written as --name=value."""
    values = [argument.removeprefix(f"{name}=") for argument in args if argument.startswith(f"{name}=")]
    return values[-1] if values else None
