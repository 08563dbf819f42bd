"""An S3 server over HTTP: moto's, which checks signatures and permissions like the real one."""

import json
import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from moto.server import ThreadedMotoServer

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
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """The keys of all objects of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def upload(self, folder: Path, bucket: str, prefix: str) -> None:
        """Uploads the files below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder)}"
                self.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    @property
    def client(self) -> Any:
        """A client that is none of ours."""
        return _client("s3", self.host, self.key, self.secret)


@contextmanager
def serving_s3() -> Iterator[ObjectStore]:
    """An S3 server on a free port, for the duration of the block."""
    # It would print a line per request, among what the tests look at.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host = "{}:{}".format(*server.get_host_and_port())
        iam = _client("iam", host, "nobody", "nothing")
        iam.create_user(UserName="pipeline")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="pipeline", PolicyName="all", PolicyDocument=json.dumps(everything))
        access = iam.create_access_key(UserName="pipeline")["AccessKey"]
        # From here on every request needs a signature.
        switch = urllib.request.Request(
            f"http://{host}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "application/octet-stream"}
        )
        urllib.request.urlopen(switch).close()
        yield ObjectStore(host, access["AccessKeyId"], access["SecretAccessKey"])
    finally:
        server.stop()


def _client(service: str, host: str, key: str, secret: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://{host}",
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )
