"""Where the Beam components run: in one process, in several processes, or on a cluster.

A config's `beam_pipeline_args` are appended to the arguments below for every Beam component; the last value wins.
"""

from collections.abc import Sequence

# The in-process runner is named explicitly, as Beam's default first tries to download another one. It uses no image,
# but without an image argument TFX packages its own sources for remote workers, again for every component.
NO_IMAGE = "--sdk_container_image=none-in-process"
IN_PROCESS_ARGS = ("--runner=FnApiRunner", NO_IMAGE)
WORKER_PROCESSES = "pipeline.beam_workers.WorkerProcesses"

# TFDV 1.16 cannot be imported with tfx-bsl 1.21 unless TFX is imported first. Remove this once TFDV 1.21 is on PyPI.
_ON_WORKERS = "--beam_plugin=tfx"
_HERE = {"fnapirunner", "directrunner", WORKER_PROCESSES.lower()}
_CLUSTERS = {
    # runner → groups of arguments; it needs one argument of each group
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
        ValueError: the runner is unknown, or lacks a required argument.
    """
    runner = _value(extra, "--runner")
    if _value(extra, "--direct_running_mode"):
        raise ValueError("beam_pipeline_args: remove --direct_running_mode; --direct_num_workers=N starts N processes")
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
    # Externally started workers have their own image.
    image = () if _value(extra, "--sdk_container_image") else (NO_IMAGE,)
    return (*image, _ON_WORKERS, *extra)


def runs_on_cluster(args: Sequence[str]) -> bool:
    """Whether these arguments run the work on other machines, which cannot read this machine's local files."""
    runner = _value(args, "--runner")
    return runner is not None and runner.lower() not in _HERE


def _value(args: Sequence[str], name: str) -> str | None:
    """The last value of an argument in the form --name=value."""
    values = [argument.removeprefix(f"{name}=") for argument in args if argument.startswith(f"{name}=")]
    return values[-1] if values else None
