"""The exit task's command: reports to a webhook how a run ended. It imports little, so that it starts at once.

The backend passes a `PipelineTaskFinalStatus` of the task `feed-ranker`, which contains all components. Kubeflow
Pipelines 2.17 always leaves its error empty (`resolve.go` in its driver), so the message says where the reason is.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.kubeflow.webhook import WebhookError, post, run_page
from ranker.plain_text import sentence

_SUCCEEDED = {"SUCCEEDED", "COMPLETE", "CACHED"}
# The backend updates the state when a component reports. It stays as it was where the last one could not.
_NOT_REPORTED = {"RUNNING", "RUNTIME_STATE_RUNNING", "PENDING", "NEW"}
_CANCELLED = {"CANCELED", "CANCELLED", "CANCELING"}


def message(pipeline: str, status: dict[str, object], web_page: str = "", run_id: str = "") -> str:
    """The message about a run.

    Args:
        pipeline: the pipeline's name.
        status: the `PipelineTaskFinalStatus` in JSON form.
        web_page: the address of Kubeflow Pipelines' web page, or "".
        run_id: the run's id, or "".
    """
    run = f" (run {name})" if (name := status.get("pipelineJobResourceName")) else ""
    state = status.get("state")
    if succeeded(status):
        return f"{pipeline}{run} finished"
    if state in _CANCELLED:
        return f"{pipeline}{run} was cancelled; see {run_page(web_page, run_id)}"
    error = status.get("error")
    if reason := error.get("message") if isinstance(error, dict) else None:
        return f"{pipeline}{run} failed: {reason}; see {run_page(web_page, run_id)}"
    if state in _NOT_REPORTED:
        verdict = (
            "failed: a component ended without a report, as its pod ran out of memory, was evicted or stopped, "
            "or could not start"
        )
    else:
        verdict = "failed" if state == "FAILED" else f"failed with the state {state or 'unknown'}"
    return f"{pipeline}{run} {verdict}; {_how_to_find_the_reason(status, run_page(web_page, run_id))}"


def succeeded(status: dict[str, object]) -> bool:
    """Whether every task of the run succeeded."""
    return status.get("state") in _SUCCEEDED


def _how_to_find_the_reason(status: dict[str, object], page: str) -> str:
    inside = f' inside the task "{task}"' if (task := status.get("pipelineTaskName")) else ""
    return f"for the reason, open {page} and read the last lines of the log of the component that failed{inside}"


def main(arguments: Sequence[str]) -> int:
    """Posts the message if `--on` requires it; the exit status is 1 if the webhook did not accept it."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.kubeflow.notify", description="Reports to a webhook how a run ended."
    )
    parser.add_argument("--pipeline", required=True, help="the pipeline's name")
    parser.add_argument("--status", required=True, type=json.loads, help="a PipelineTaskFinalStatus as JSON")
    parser.add_argument("--run-id", default="", help="the run's id")
    parser.add_argument("--web-page", default="", help="the address of Kubeflow Pipelines' web page")
    parser.add_argument("--url-file", required=True, type=Path, help="the file that holds the webhook's URL")
    parser.add_argument("--on", choices=("failure", "always"), required=True, help="which runs to report")
    options = parser.parse_args(arguments)
    if options.on == "failure" and succeeded(options.status):
        return 0
    text = message(options.pipeline, options.status, options.web_page, options.run_id)
    print(sentence(text))
    try:
        post(options.url_file, text)
    except WebhookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
