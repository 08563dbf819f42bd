"""Posts a message to the webhook of a notification. It imports little, so that the exit task starts at once."""

import json
import urllib.request
from pathlib import Path
from urllib.error import URLError

_TIMEOUT_S = 30


class WebhookError(RuntimeError):
    """The message was not posted; the reason never contains the URL, as anyone who knows it can post there."""


def post(url_file: Path, text: str) -> None:
    """Posts `{"text": …}` to the URL in a file.

    Raises:
        WebhookError: the file holds no URL, or the webhook does not accept the message.
    """
    try:
        request = urllib.request.Request(
            url_file.read_text().strip(),
            data=json.dumps({"text": text}).encode(),
            headers={"Content-Type": "application/json"},
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no URL"
        raise WebhookError(f"{url_file} cannot be used: {reason}") from None
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return
    except (URLError, OSError) as error:
        raise WebhookError(f"the webhook in {url_file} did not accept the message: {error}") from None


def run_page(web_page: str, run_id: str) -> str:
    """Where a person finds a run: its address, or what to look for where the web page's address is not known.

    Args:
        web_page: the address of Kubeflow Pipelines' web page, or "".
        run_id: the run's id; "" or a placeholder that the backend did not replace if it is not known.

    Example:
        >>> run_page("https://kubeflow.example/pipeline/", "5f7c")
        'https://kubeflow.example/pipeline/#/runs/details/5f7c'
        >>> run_page("", "5f7c")
        "run 5f7c on Kubeflow's web page"
    """
    known = run_id if run_id and "{{" not in run_id else ""
    if web_page:
        return f"{web_page.rstrip('/')}/#/runs" + (f"/details/{known}" if known else "")
    return f"run {known} on Kubeflow's web page" if known else "the run on Kubeflow's web page"
