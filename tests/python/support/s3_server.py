"""S3 and STS for tests: MiniStack alone, a real server that answers after a few seconds."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from salescast.s3 import Prefix

BUCKET = "chain"
REGION = "eu-central-1"
_START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point boto3 at it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, attempts: int = 2) -> Any:
        """A client of its own for S3, which gives up early."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                max_pool_connections=50,
            ),
        )

    def prefix(self, **more: Any) -> Prefix:
        """A prefix that nobody else has, with a client of its own."""
        return Prefix(self.client(), BUCKET, f"{secrets.token_hex(4)}/lake", **more)


class Wire:
    """What lies between a client and the server: sends, or breaks as a test asks for."""

    def __init__(self, client: Any) -> None:
        self._session = client._endpoint.http_session
        self._send = self._session.send
        self._session.send = self._pass_on
        self.is_cut = False
        self.lose_answers_to: set[str] = set()
        self.wait_before: dict[str, float] = {}
        self.sent: list[str] = []

    def _pass_on(self, request: Any) -> Any:
        self.sent.append(request.method)
        if self.is_cut:
            raise ConnectionClosedError(endpoint_url=request.url)
        time.sleep(self.wait_before.get(request.method, 0))
        answer = self._send(request)
        if request.method in self.lose_answers_to:
            self.lose_answers_to.remove(request.method)
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer


@contextmanager
def running_s3_server(folder: Path) -> Iterator[S3Server]:
    """A server that runs while the block does; its log and files lie in the folder."""
    port = _free_port()
    server = S3Server(f"http://127.0.0.1:{port}")
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "s3,sts",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(folder),
    }
    log = folder / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack.app"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | environment,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"{server.url}/_ministack/health"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        server.client().create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
