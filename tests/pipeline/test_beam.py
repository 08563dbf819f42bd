import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.runner import create_runner

from pipeline.beam import (
    IN_PROCESS_ARGS,
    WORKER_PROCESSES,
    beam_args,
    runs_in_this_process,
    runs_on_cluster,
    shapes_output,
)
from ranker.in_process_runner import InProcessRunner

DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=feed",
    "--region=europe-west1",
    "--temp_location=gs://feed/tmp",
    "--sdk_container_image=eu.example/feed@sha256:00",
)
FLINK = (
    "--runner=FlinkRunner",
    "--flink_master=flink:8081",
    "--flink_version=1.19",
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
)


def test_without_settings_everything_runs_in_process() -> None:
    assert beam_args(()) == IN_PROCESS_ARGS
    assert not runs_on_cluster(beam_args(()))


@pytest.mark.parametrize("extra", [("--direct_num_workers=2",), ("--runner=FnApiRunner", "--direct_num_workers=2")])
def test_several_processes_run_on_this_machine(extra: tuple[str, ...]) -> None:
    args = beam_args(extra)
    options = PipelineOptions(list(args))
    assert options.view_as(StandardOptions).runner == WORKER_PROCESSES
    assert options.view_as(DirectOptions).direct_num_workers == 2
    assert not runs_on_cluster(args)


def test_one_worker_runs_in_process() -> None:
    assert beam_args(("--direct_num_workers=1",)) == (*IN_PROCESS_ARGS, "--direct_num_workers=1")


@pytest.mark.parametrize("extra", [(), ("--runner=FnApiRunner",)])
def test_the_runner_in_process_is_ours(extra: tuple[str, ...]) -> None:
    args = beam_args(extra)
    assert args == IN_PROCESS_ARGS
    assert isinstance(create_runner(str(PipelineOptions(list(args)).view_as(StandardOptions).runner)), InProcessRunner)
    assert runs_in_this_process(args)


def test_beams_direct_runner_is_left_as_it_is() -> None:
    args = beam_args(("--runner=DirectRunner",))
    assert PipelineOptions(list(args)).view_as(StandardOptions).runner == "DirectRunner"
    assert runs_in_this_process(args)


def test_beams_own_multi_processing_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="remove --direct_running_mode; --direct_num_workers=N starts N processes"):
        beam_args(("--direct_running_mode=multi_processing", "--direct_num_workers=2"))


def test_a_cluster_gets_the_configs_arguments_and_imports_tfx_first() -> None:
    args = beam_args(DATAFLOW)
    assert [argument for argument in args if argument not in DATAFLOW] == ["--beam_plugin=tfx"]
    assert PipelineOptions(list(args)).view_as(SetupOptions).beam_plugins == ["tfx"]
    assert runs_on_cluster(args)


def test_external_workers_need_no_image() -> None:
    args = beam_args(FLINK)
    assert args[-len(FLINK) + 1 :] == FLINK[1:]
    assert any(argument.startswith("--sdk_container_image=none") for argument in args)
    assert runs_on_cluster(args)
    assert beam_args(args)[-len(FLINK) + 1 :] == FLINK[1:]


@pytest.mark.parametrize("runner", ["FlinkRunner", "SparkRunner", "PortableRunner", "flinkrunner"])
def test_jobs_run_on_the_named_runner_with_workers_that_are_kept(runner: str) -> None:
    cluster = ("--job_endpoint=jobs:8099", "--environment_type=EXTERNAL", "--environment_config=localhost:50000")
    options = PipelineOptions(list(beam_args((f"--runner={runner}", *cluster))))
    created = create_runner(options.view_as(StandardOptions).runner)
    assert type(created).__mro__[2].__name__.lower() == runner.lower()
    portable = options.view_as(PortableOptions)
    assert (portable.job_server_timeout, int(portable.environment_cache_millis)) == (60, 300_000)
    kept = PipelineOptions(list(beam_args((f"--runner={runner}", *cluster, "--environment_cache_millis=1"))))
    assert int(kept.view_as(PortableOptions).environment_cache_millis) == 1


def test_a_value_may_stand_behind_a_space() -> None:
    spaced = ("--runner", "FlinkRunner", "--flink_master flink:8081", *FLINK[2:], "--flink_submit_uber_jar")
    assert beam_args(spaced) == beam_args((*FLINK, "--flink_submit_uber_jar"))
    assert beam_args(("--direct_num_workers", "2")) == beam_args(("--direct_num_workers=2",))
    with pytest.raises(ValueError, match="beam_pipeline_args: 'FlinkRunner' has no name; write --name=value"):
        beam_args(("FlinkRunner",))


def test_places_do_not_shape_the_output() -> None:
    assert not any(
        map(shapes_output, ("--job_endpoint=a:1", "--temp_location=gs://a/b", "--environment_cache_millis=1"))
    )
    assert all(map(shapes_output, ("--runner=FlinkRunner", "--direct_num_workers=2", "--sdk_container_image=a")))


@pytest.mark.parametrize(
    ("args", "missing"),
    [
        (DATAFLOW[:-1], "--sdk_container_image"),
        (DATAFLOW[:1] + DATAFLOW[2:], "--project"),
        (FLINK[:-2], "--environment_type"),
        (FLINK[:-1], "--environment_config: the address of a worker pool, such as localhost:50000"),
        ((*FLINK[:-2], "--environment_type=DOCKER"), "--environment_config: an image .*"),
        ((*FLINK[:-2], "--environment_type=process"), "--environment_config: JSON .*"),
        (FLINK[:2] + FLINK[3:], "--flink_version or --flink_job_server_jar, .*"),
        (("--runner=SparkRunner", "--environment_type=EXTERNAL"), "--spark_master_url or --job_endpoint"),
        (("--runner=PortableRunner",), "--job_endpoint"),
    ],
)
def test_a_runner_without_its_required_arguments_is_refused(args: tuple[str, ...], missing: str) -> None:
    with pytest.raises(ValueError, match=f"beam_pipeline_args: .* needs {missing}$"):
        beam_args(args)


def test_an_unknown_runner_is_refused() -> None:
    with pytest.raises(ValueError, match="--runner=PrismRunner is none of FnApiRunner"):
        beam_args(("--runner=PrismRunner",))
