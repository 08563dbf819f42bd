"""A stand-in for Google Cloud Storage: the part of its JSON API that pyarrow calls, in memory and over HTTP."""

import base64
import json
import re
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "models"
_PAGE = 100


class GoogleStore:
    """The objects of one bucket.

    Args:
        host: where it is served, with the port.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.objects: dict[str, bytes] = {}
        self._sessions: dict[str, tuple[str, bytes, dict[str, Any]]] = {}
        self._metadata: dict[str, dict[str, str]] = {}
        self._written: dict[str, str] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, content (JSON, or bytes) and headers of an answer."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._lock:
            if match := re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", parts.path):
                return self._upload(method, match[1], query, headers, body)
            if match := re.fullmatch(r"/storage/v1/b/([^/]+)", parts.path):
                return (200, {"name": match[1]}, {}) if match[1] == BUCKET else _error(404)
            if match := re.fullmatch(r"/storage/v1/b/([^/]+)/o", parts.path):
                return self._list(query) if match[1] == BUCKET else _error(404)
            if match := re.fullmatch(r"/storage/v1/b/([^/]+)/o/(.+)/rewriteTo/b/([^/]+)/o/(.+)", parts.path):
                return self._copy(unquote(match[2]), unquote(match[4]))
            if match := re.fullmatch(r"/(?:download/)?storage/v1/b/([^/]+)/o/(.+)", parts.path):
                return self._object(method, match[1], unquote(match[2]), query, headers)
            return _error(501)

    def _object(
        self, method: str, bucket: str, key: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        if bucket != BUCKET or key not in self.objects:
            return _error(404)
        if method == "DELETE":
            del self.objects[key]
            return 204, b"", {}
        content = self.objects[key]
        if query.get("alt") != "media":
            return 200, self._describe(key), {}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", "")):
            first = int(found[1])
            last = min(int(found[2] or len(content) - 1), len(content) - 1)
            return 206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return 200, content, {}

    def _copy(self, source: str, target: str) -> tuple[int, Any, dict[str, str]]:
        if source not in self.objects:
            return _error(404)
        content = self.objects[source]
        _, described, _ = self._store(target, content, {"metadata": self._metadata.get(source, {})})
        size = str(len(content))
        return 200, {"totalBytesRewritten": size, "objectSize": size, "done": True, "resource": described}, {}

    def _list(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items: list[str] = []
        prefixes: set[str] = set()
        for key in sorted(self.objects):
            if not key.startswith(prefix):
                continue
            head, separator, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if separator:
                prefixes.add(prefix + head + separator)
                if query.get("includeTrailingDelimiter") != "true" or key != prefix + head + separator:
                    continue
            items.append(key)
        start = int(query.get("pageToken") or 0)
        size = min(int(query.get("maxResults") or _PAGE), _PAGE)
        answer: dict[str, Any] = {"items": [self._describe(key) for key in items[start : start + size]]}
        answer["prefixes"] = sorted(prefixes)
        if items[start + size :]:
            answer["nextPageToken"] = str(start + size)
        return 200, answer, {}

    def _upload(
        self, method: str, bucket: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        if bucket != BUCKET:
            return _error(404)
        kind = query.get("uploadType")
        if kind == "media":
            return self._store(query["name"], body, {})
        if kind == "multipart":
            boundary = re.search(r"boundary=\"?([^\";]+)", headers["content-type"])
            assert boundary is not None
            described, content = body.split(f"--{boundary[1]}".encode())[1:3]
            about = json.loads(described.partition(b"\r\n\r\n")[2] or b"{}")
            name = query.get("name") or about["name"]
            return self._store(name, content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"), about)
        if kind == "resumable" and method == "POST":
            about = json.loads(body or b"{}")
            session = str(len(self._sessions))
            self._sessions[session] = (query.get("name") or about["name"], b"", about)
            place = f"http://{self.host}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&upload_id={session}"
            return 200, {}, {"Location": place}
        if method == "PUT" and (session := query.get("upload_id", "")) in self._sessions:
            name, earlier, about = self._sessions[session]
            content = earlier + body
            self._sessions[session] = (name, content, about)
            if headers.get("content-range", "").endswith("/*"):
                return 308, b"", {"Range": f"bytes=0-{len(content) - 1}"} if content else {}
            return self._store(name, content, about)
        return _error(501)

    def _store(self, key: str, content: bytes, about: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        self.objects[key] = content
        # pyarrow marks what stands for a folder.
        self._metadata[key] = about.get("metadata", {})
        self._written[key] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return 200, self._describe(key), {}

    def _describe(self, key: str) -> dict[str, Any]:
        content = self.objects[key]
        return {
            "kind": "storage#object",
            "bucket": BUCKET,
            "name": key,
            "size": str(len(content)),
            "generation": "1",
            "metadata": self._metadata.get(key, {}),
            "timeCreated": self._written.get(key, "2026-03-09T00:00:00.000Z"),
            "updated": self._written.get(key, "2026-03-09T00:00:00.000Z"),
            "crc32c": "",
            "md5Hash": base64.b64encode(zlib.crc32(content).to_bytes(16, "big")).decode(),
        }


def _error(status: int) -> tuple[int, Any, dict[str, str]]:
    return status, {"error": {"code": status, "message": f"status {status}"}}, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: GoogleStore

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content, more = self.store.answer(self.command, self.path, headers, self._body())
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/octet-stream" if content is data else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""


@contextmanager
def serving_google_store() -> Iterator[str]:
    """The stand-in in a process of its own, for the duration of the block: host and port.

    In this process it could not answer: pyarrow holds Python's lock while it asks for the size of a file.
    """
    with subprocess.Popen([sys.executable, "-m", "tests.google_store"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def uri(host: str, path: str) -> str:
    """The URI of a path in the bucket."""
    return f"gs://anonymous@{BUCKET}/{path}?endpoint_override={host}&scheme=http&retry_limit_seconds=5"


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as _server:
        _Handler.store = GoogleStore(f"127.0.0.1:{_server.server_port}")
        print(_Handler.store.host, flush=True)
        _server.serve_forever()
