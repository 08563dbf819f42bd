import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, SetupOptions, StandardOptions

from pipeline.beam import IN_PROCESS_ARGS, WORKER_PROCESSES, beam_args, runs_on_cluster

DATAFLOW = (
    "--runner=DataflowRunner",
    "--project=feed",
    "--region=europe-west1",
    "--temp_location=gs://feed/tmp",
    "--sdk_container_image=eu.example/feed@sha256:00",
)
FLINK = ("--runner=FlinkRunner", "--flink_master=flink:8081", "--environment_type=EXTERNAL")


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
    assert args[-len(FLINK) :] == FLINK
    assert args[0].startswith("--sdk_container_image=")
    assert runs_on_cluster(args)


@pytest.mark.parametrize(
    ("args", "missing"),
    [
        (DATAFLOW[:-1], "--sdk_container_image"),
        (DATAFLOW[:1] + DATAFLOW[2:], "--project"),
        (FLINK[:-1], "--environment_type"),
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
