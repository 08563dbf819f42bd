"""A stub of the endpoints of Kubeflow Pipelines' REST API (v2beta1) that the runner calls; it records all requests."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/apis/v2beta1"
_PAGE = 2


@dataclass
class Request:
    """One request.

    Attributes:
        method: GET, POST or DELETE.
        path: without the query.
        query: the query's fields, the last value of each.
        headers: with names in lower case.
        body: the JSON in it, or None.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class StubServer:
    """The state of an API server.

    Attributes:
        requests: all requests in order, without health checks.
        schedules: existing recurring runs, with name and id.
        runs: what is known of a run, request by request; the last answer is repeated.
        refusals: path → status and body of the answer in place of the usual one.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    schedules: list[dict[str, str]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    def sent(self, method: str, path: str) -> list[Request]:
        """The requests to one endpoint."""
        return [request for request in self.requests if (request.method, request.path) == (method, API + path)]

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and body of the answer to a request."""
        path = request.path.removeprefix(API)
        if path in self.refusals:
            return self.refusals[path]
        match request.method, path.split("/")[1:]:
            case "GET", ["healthz"]:
                return 200, {"multi_user": False}
            case "GET", ["experiments"]:
                return 200, {}
            case "POST", ["experiments"]:
                return 200, {**request.body, "experiment_id": "experiment-1"}
            case "POST", ["runs"]:
                return 200, {**request.body, "run_id": "run-1"}
            case "GET", ["runs", run_id]:
                known = self.runs.pop(0) if self.runs[1:] else self.runs[0]
                return 200, {"run_id": run_id, "display_name": "a run", **known}
            case "POST", ["recurringruns"]:
                return 200, {**request.body, "recurring_run_id": "schedule-new"}
            case "GET", ["recurringruns"]:
                start = int(request.query.get("page_token") or 0)
                page = {"recurringRuns": self.schedules[start : start + _PAGE]}
                return 200, page | ({"next_page_token": str(start + _PAGE)} if self.schedules[start + _PAGE :] else {})
            case "DELETE", ["recurringruns", _]:
                return 200, {}
        return 404, {"error": f"no such endpoint: {request.path}"}


@contextmanager
def serving() -> Iterator[StubServer]:
    """A stub server on a free port, for the duration of the block."""
    stub = StubServer()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, query, headers, body)
            if not parts.path.endswith("healthz") and parts.path != "/":
                stub.requests.append(request)
            status, answer = stub.answer(request)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    # `shutdown` waits for the next poll, which by default is every half second: longer than most tests take.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
