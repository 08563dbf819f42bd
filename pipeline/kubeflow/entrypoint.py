"""The container's command: runs one component's executor as TFX does, with the conversions of `executor_input`.

TFX's own command is `python -m tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor`. This one takes the
same arguments. It can be replaced by TFX's once no function of `executor_input` is needed.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from pipeline.beam import runs_on_cluster
from pipeline.beam_endpoints import check_endpoints
from pipeline.kubeflow.executor_input import (
    Message,
    local_copies,
    output_folders,
    with_input_types,
    with_local_paths,
    with_scheduled_days,
    with_uris,
    without_launcher_artifacts,
    without_run_id,
)
from pipeline.kubeflow.webhook import WebhookError, post, run_page
from ranker.command_line import sleep_while_waiting

# Kubernetes shows this file's content as the reason why a container ended; the file exists only in a pod.
TERMINATION_MESSAGE = Path("/dev/termination-log")
_LONGEST_MESSAGE = 2000  # characters


def main(arguments: Sequence[str]) -> None:
    """Runs the executor; its exceptions propagate to the interpreter, which prints them last and exits with 1."""
    # google-api-core warns at every import of every client that support for Python 3.11 will end.
    warnings.filterwarnings("ignore", category=FutureWarning)
    sleep_while_waiting()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s %(message)s")
    options, beam = _parser().parse_known_args(arguments)
    given, run_id = without_run_id(json.loads(options.json_serialized_invocation_args))
    try:
        _run(options, given, beam)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_MESSAGE]
        # A failure to pass the reason on must not hide the original error.
        if TERMINATION_MESSAGE.exists():
            with contextlib.suppress(OSError):
                TERMINATION_MESSAGE.write_text(reason)
        if options.webhook_file:
            page = run_page(options.web_page, run_id)
            try:
                post(options.webhook_file, f"{options.webhook_subject} failed: {reason}; see {page}")
            except WebhookError as not_posted:
                print(f"error: {not_posted}", file=sys.stderr)
        raise


def _run(options: argparse.Namespace, given: Message, beam: list[str]) -> None:
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
    from tfx.utils import import_utils

    given = with_scheduled_days(without_launcher_artifacts(given))
    given = with_input_types(given, json.loads(options.json_serialized_inputs_spec_args))
    is_beam = issubclass(import_utils.import_class_by_path(options.executor_class_path), BaseBeamExecutor)
    if is_beam:
        check_endpoints(beam)
    paths = _paths(given, is_beam and runs_on_cluster(beam), options.launcher_root)
    given = with_local_paths(given, paths)
    for folder in output_folders(given):
        os.makedirs(folder, exist_ok=True)
    prepared = argparse.Namespace(
        executor_class_path=options.executor_class_path,
        json_serialized_invocation_args=json.dumps(given),
        json_serialized_inputs_spec_args=options.json_serialized_inputs_spec_args,
    )
    kubeflow_v2_run_executor.main((prepared, beam))
    output_file = Path(given["outputs"]["outputFile"])
    output_file.write_text(json.dumps(with_uris(json.loads(output_file.read_text()), paths)))


def _paths(given: Message, remote_workers: bool, root: str) -> dict[str, str]:
    """URI → the launcher's local copy; empty if workers on other machines have to read and write the artifacts."""
    paths = local_copies(given, root)
    if not remote_workers:
        return paths
    if unreachable := sorted(uri for uri in paths if uri.startswith("minio://")):
        raise ValueError(
            f"{unreachable[0]}: Beam's workers on other machines cannot read minio://; set kubeflow.pipeline_root to "
            "a store that they can read, such as gs://"
        )
    return {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.kubeflow.entrypoint",
        description="Runs one component's executor; other arguments go to Beam.",
    )
    parser.add_argument("--executor_class_path", required=True, help="import path of the executor")
    parser.add_argument("--json_serialized_invocation_args", required=True, help="the ExecutorInput")
    parser.add_argument("--json_serialized_inputs_spec_args", required=True, help="the ComponentInputsSpec")
    parser.add_argument("--webhook_file", type=Path, help="file with the URL of a webhook that is told why this failed")
    parser.add_argument("--webhook_subject", default="", help="what the webhook's message is about")
    parser.add_argument("--web_page", default="", help="the address of Kubeflow Pipelines' web page")
    parser.add_argument("--launcher_root", default="/", help="root folder of the launcher's local copies")
    return parser


if __name__ == "__main__":
    # A pod that is deleted gets this signal; as Ctrl-C, it cancels a job on a cluster.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(sys.argv[1:])
