"""An S3 server over HTTP: moto's, which checks signatures and permissions like the real one."""

import html
import json
import logging
import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from pyarrow import fs

REGION = "us-east-1"


@dataclass(frozen=True)
class ObjectStore:
    """A running server.

    Attributes:
        host: with the port.
        key, secret: of a user who may do everything.
    """

    host: str
    key: str
    secret: str

    def uri(self, place: str, key: str | None = None, secret: str | None = None) -> str:
        """The URI of `bucket/path` with credentials and server in it, the form that suits a MinIO."""
        user = f"{quote(key or self.key, safe='')}:{quote(secret or self.secret, safe='')}"
        return f"s3://{user}@{place}?endpoint_override={self.host}&scheme=http&region={REGION}"

    def environment(self) -> dict[str, str]:
        """The variables with which `s3://bucket/path` alone is enough."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.host}",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
        }

    def make_bucket(self, name: str) -> str:
        """Makes a bucket and returns its name."""
        self._filesystem.create_dir(name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """What a bucket contains, folders included."""
        found = self._filesystem.get_file_info(fs.FileSelector(bucket, recursive=True))
        return [info.path.removeprefix(f"{bucket}/") for info in found]

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Writes an object."""
        with self._filesystem.open_output_stream(f"{bucket}/{key}") as file:
            file.write(content)

    def make_empty(self, bucket: str, keys: Sequence[str]) -> None:
        """Makes empty objects inside the server, as a thousand uploads take a minute."""
        backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            backend.put_object(bucket, key, b"")

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        """Uploads the files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.write(bucket, f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    @property
    def _filesystem(self) -> fs.S3FileSystem:
        return fs.S3FileSystem(
            access_key=self.key,
            secret_key=self.secret,
            endpoint_override=self.host,
            scheme="http",
            region=REGION,
            allow_bucket_creation=True,
        )


@contextmanager
def serving_s3() -> Iterator[ObjectStore]:
    """An S3 server on a free port, for the duration of the block."""
    # It would print a line per request, among what the tests look at.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host = "{}:{}".format(*server.get_host_and_port())
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        _iam(host, "CreateUser")
        _iam(host, "PutUserPolicy", PolicyName="all", PolicyDocument=json.dumps(everything))
        answer = _iam(host, "CreateAccessKey")
        key, secret = (_text(answer, name) for name in ("AccessKeyId", "SecretAccessKey"))
        # From here on every request needs a signature.
        _post(f"http://{host}/moto-api/reset-auth", b"0", {"Content-Type": "application/octet-stream"})
        yield ObjectStore(host, key, secret)
    finally:
        server.stop()


def _iam(host: str, action: str, **parameters: str) -> str:
    """Calls the server's user management, which it tells from S3 by the scope of the credentials."""
    form = urlencode({"Action": action, "Version": "2010-05-08", "UserName": "pipeline", **parameters}).encode()
    scope = f"AWS4-HMAC-SHA256 Credential=nobody/20260309/{REGION}/iam/aws4_request, SignedHeaders=host, Signature=0"
    return _post(f"http://{host}/", form, {"Authorization": scope})


def _post(url: str, body: bytes, headers: dict[str, str]) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)) as answer:
        text: str = answer.read().decode()
        return text


def _text(document: str, tag: str) -> str:
    match = re.search(f"<{tag}>([^<]+)</{tag}>", document)
    assert match is not None, document
    return html.unescape(match[1])
