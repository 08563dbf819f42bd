"""Where the Beam components run: in their own process, in several processes, or on another cluster.

A config's `beam_pipeline_args` go to every Beam component behind the arguments below, and a later one wins.
"""

from collections.abc import Sequence

# The in-process runner by its own name, as Beam's default first tries to download another one. It takes no image, but
# where none is named, TFX packs its own sources for remote workers, anew for every component.
NO_IMAGE = "--sdk_container_image=none-in-process"
IN_PROCESS_ARGS = ("--runner=FnApiRunner", NO_IMAGE)

_IN_PROCESS = {"fnapirunner", "directrunner"}
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
    if runner is None or runner.lower() in _IN_PROCESS:
        return (*IN_PROCESS_ARGS, *extra)
    needed = _CLUSTERS.get(runner.lower())
    if needed is None:
        known = "FnApiRunner, DataflowRunner, FlinkRunner, SparkRunner, PortableRunner"
        raise ValueError(f"beam_pipeline_args: --runner={runner} is none of {known}")
    for alternatives in needed:
        if not any(_value(extra, name) for name in alternatives):
            raise ValueError(f"beam_pipeline_args: --runner={runner} needs {' or '.join(alternatives)}")
    # Workers that somebody else starts bring their own image.
    return tuple(extra) if _value(extra, "--sdk_container_image") else (NO_IMAGE, *extra)


def runs_on_cluster(args: Sequence[str]) -> bool:
    """Whether these arguments send the work to other machines, which see no local files of this one."""
    runner = _value(args, "--runner")
    return runner is not None and runner.lower() not in _IN_PROCESS


def _value(args: Sequence[str], name: str) -> str | None:
    """The last value of an argument written as --name=value."""
    values = [argument.removeprefix(f"{name}=") for argument in args if argument.startswith(f"{name}=")]
    return values[-1] if values else None
