"""Where the Beam components run: in one process, in several processes, or on a cluster.

A config's `beam_pipeline_args` are appended to the arguments below for every Beam component; the last value wins.
"""

from collections.abc import Iterator, Sequence

IN_PROCESS = "ranker.in_process_runner.InProcessRunner"

# The in-process runner is named explicitly, as Beam's default first tries to download another one. It uses no image,
# but without an image argument TFX packages its own sources for remote workers, again for every component.
NO_IMAGE = "--sdk_container_image=none-in-process"
IN_PROCESS_ARGS = (f"--runner={IN_PROCESS}", NO_IMAGE)
WORKER_PROCESSES = "pipeline.worker_processes.WorkerProcesses"

# TFDV 1.16 cannot be imported with tfx-bsl 1.21 unless TFX is imported first. Remove this once TFDV 1.21 is on PyPI.
_ON_WORKERS = "--beam_plugin=tfx"
_HERE = {"fnapirunner", "directrunner", IN_PROCESS.lower(), WORKER_PROCESSES.lower()}
_WORKERS = ("--environment_type",)
_CLUSTERS = {
    # runner → groups of arguments; it needs one argument of each group
    "dataflowrunner": (("--project",), ("--region",), ("--temp_location",), ("--sdk_container_image",)),
    "flinkrunner": (("--flink_master", "--job_endpoint"), _WORKERS),
    "sparkrunner": (("--spark_master_url", "--job_endpoint"), _WORKERS),
    "portablerunner": (("--job_endpoint",), _WORKERS),
}
# Beam's runners with what they lack; see `pipeline.beam_jobs`.
_OURS = {
    "flinkrunner": "pipeline.beam_jobs.FlinkJobs",
    "sparkrunner": "pipeline.beam_jobs.SparkJobs",
    "portablerunner": "pipeline.beam_jobs.PortableJobs",
}
_JOB_DEFAULTS = (
    # Otherwise a worker is started, and TFX imported, for every stage.
    "--environment_cache_millis=300000",
    # Seconds for an answer of the job service; jobs may take as long as they want.
    "--job_server_timeout=60",
)
_ENVIRONMENTS = {
    "EXTERNAL": "the address of a worker pool, such as localhost:50000",
    "PROCESS": 'JSON such as {"command": "/opt/feed/worker"}',
    "DOCKER": "an image that contains this project, as Beam's own does not",
}
# What decides where the work is done, and not what is written.
_PLACES = frozenset(
    f"--{name}"
    for name in (
        *("job_endpoint", "artifact_endpoint", "job_server_timeout", "job_name", "job_port", "artifact_port"),
        *("flink_master", "flink_job_server_jar", "spark_master_url", "spark_job_server_jar"),
        *("environment_cache_millis", "temp_location", "staging_location", "project", "region", "worker_zone"),
        *("network", "subnetwork", "service_account_email", "labels"),
    )
)


def beam_args(extra: Sequence[str]) -> tuple[str, ...]:
    """All arguments of the Beam components.

    Args:
        extra: the config's own, each `--name=value`, or `--name` and the value after it; a runner among them replaces
            the in-process one.

    Returns:
        The arguments, each `--name=value` or a flag.

    Raises:
        ValueError: the runner is unknown, lacks a required argument, or an argument has no name.

    Example:
        >>> beam_args(("--direct_num_workers", "2"))[-1]
        '--direct_num_workers=2'
    """
    given = tuple(_joined(extra))
    runner = value_of(given, "--runner")
    if value_of(given, "--direct_running_mode"):
        raise ValueError("beam_pipeline_args: remove --direct_running_mode; --direct_num_workers=N starts N processes")
    if runner is None or runner.lower() in _HERE:
        if value_of(given, "--direct_num_workers") in (None, "1"):
            # FnApiRunner is the same, but slower.
            ours = runner is None or runner.lower() == "fnapirunner"
            return (*IN_PROCESS_ARGS, *(_without(given, "--runner") if ours else given))
        return (f"--runner={WORKER_PROCESSES}", NO_IMAGE, *_without(given, "--runner"))
    cluster = next((name for name, ours in _OURS.items() if ours == runner), runner.lower())
    needed = _CLUSTERS.get(cluster)
    if needed is None:
        known = "FnApiRunner, DataflowRunner, FlinkRunner, SparkRunner, PortableRunner"
        raise ValueError(f"beam_pipeline_args: --runner={runner} is none of {known}")
    for alternatives in needed:
        if not any(value_of(given, name) for name in alternatives):
            raise ValueError(f"beam_pipeline_args: --runner={runner} needs {' or '.join(alternatives)}")
    if cluster == "flinkrunner" and not any(
        value_of(given, name) for name in ("--job_endpoint", "--flink_version", "--flink_job_server_jar")
    ):
        raise ValueError(
            f"beam_pipeline_args: --runner={runner} needs --flink_version or --flink_job_server_jar, as Beam otherwise "
            "downloads the job server of its newest Flink"
        )
    # Externally started workers have their own image.
    image = () if value_of(given, "--sdk_container_image") else (NO_IMAGE,)
    if cluster not in _OURS:
        return (*image, _ON_WORKERS, *given)
    _check_environment(given)
    return (f"--runner={_OURS[cluster]}", *image, _ON_WORKERS, *_JOB_DEFAULTS, *_without(given, "--runner"))


def runs_on_cluster(args: Sequence[str]) -> bool:
    """Whether these arguments run the work on other machines, which cannot read this machine's local files."""
    runner = value_of(args, "--runner")
    return runner is not None and runner.lower() not in _HERE


def runs_in_this_process(args: Sequence[str]) -> bool:
    """Whether these arguments, which name a runner, keep the work in this process."""
    runner = value_of(args, "--runner")
    return runner is not None and runner.lower() in _HERE - {WORKER_PROCESSES.lower()}


def shapes_output(argument: str) -> bool:
    """Whether an argument may change what a component writes, if only the number of files or the last bits.

    Addresses, credentials, names and time limits do not, so a cached output stays valid when they change. An image
    does, as it contains the code.
    """
    return argument.partition("=")[0] not in _PLACES


def value_of(args: Sequence[str], name: str) -> str | None:
    """The last value of an argument in the form --name=value."""
    values = [argument.removeprefix(f"{name}=") for argument in args if argument.startswith(f"{name}=")]
    return values[-1] if values else None


def _joined(arguments: Sequence[str]) -> Iterator[str]:
    """Each argument as --name=value, or as --name if it has no value."""
    waiting: str | None = None
    for argument in arguments:
        stripped = argument.strip()
        if not stripped.startswith("-"):
            if waiting is None:
                raise ValueError(f"beam_pipeline_args: {argument!r} has no name; write --name=value")
            yield f"{waiting}={stripped}"
            waiting = None
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        name, *value = stripped.split(maxsplit=1)
        if value and "=" not in name:
            yield f"{name}={value[0]}"
        elif "=" in stripped:
            yield stripped
        else:
            waiting = stripped
    if waiting is not None:
        yield waiting


def _without(args: Sequence[str], name: str) -> list[str]:
    return [argument for argument in args if not argument.startswith(f"{name}=")]


def _check_environment(args: Sequence[str]) -> None:
    kind = (value_of(args, "--environment_type") or "").upper()
    named = ("--environment_config", "--environment_options", "--environment_option")
    if kind in _ENVIRONMENTS and not any(value_of(args, name) for name in named):
        raise ValueError(
            f"beam_pipeline_args: --environment_type={kind} needs --environment_config: {_ENVIRONMENTS[kind]}"
        )
