"""The exit task's command: reports to a webhook how a run ended. It imports little, so that it starts at once."""

import argparse
import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

from ranker.plain_text import sentence

_SUCCEEDED = {"SUCCEEDED", "COMPLETE", "CACHED"}
_TIMEOUT_S = 30


def message(pipeline: str, status: dict[str, object]) -> str:
    """The message about a run, from its `PipelineTaskFinalStatus` in JSON form."""
    error = status.get("error")
    reason = error.get("message") if isinstance(error, dict) else None
    run = f" (run {name})" if (name := status.get("pipelineJobResourceName")) else ""
    verdict = "finished" if succeeded(status) else f"failed: {status.get('state', 'no state')}"
    return f"{pipeline}{run} {verdict}" + (f": {reason}" if reason else "")


def succeeded(status: dict[str, object]) -> bool:
    """Whether every task of the run succeeded."""
    return status.get("state") in _SUCCEEDED


def main(arguments: Sequence[str]) -> int:
    """Posts the message if `--on` requires it; the exit status is 1 if the webhook did not accept it."""
    parser = argparse.ArgumentParser(description="Reports to a webhook how a run ended.")
    parser.add_argument("--pipeline", required=True, help="the pipeline's name")
    parser.add_argument("--status", required=True, type=json.loads, help="a PipelineTaskFinalStatus as JSON")
    parser.add_argument("--url-file", required=True, type=Path, help="the file that holds the webhook's URL")
    parser.add_argument("--on", choices=("failure", "always"), required=True, help="which runs to report")
    options = parser.parse_args(arguments)
    if options.on == "failure" and succeeded(options.status):
        return 0
    text = message(options.pipeline, options.status)
    print(sentence(text))
    try:
        request = urllib.request.Request(
            options.url_file.read_text().strip(),
            data=json.dumps({"text": text}).encode(),
            headers={"Content-Type": "application/json"},
        )
    except (OSError, ValueError) as error:
        # Without the URL, which a message about its form would show.
        reason = error.strerror if isinstance(error, OSError) else "it holds no URL"
        print(f"error: {options.url_file} cannot be used: {reason}", file=sys.stderr)
        return 1
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return 0
    except (URLError, OSError) as error:
        # Without the URL: anyone who knows it can post there.
        print(f"error: the webhook in {options.url_file} did not accept the message: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
