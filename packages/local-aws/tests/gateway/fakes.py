"""What the gateway stands on, in memory: Trino's REST protocol, and S3."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError


@dataclass
class Answer:
    """What Trino says to a statement: rows, an error, or nothing for as long as it is asked."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    update_count: int | None = None
    error: dict[str, Any] | None = None
    hangs: bool = False
    # What the next pages are answered with instead.
    statuses: list[int] = field(default_factory=list)


@dataclass
class FakeTrino:
    """Trino's side of /v1/statement; rows come in pages, as Trino sends them."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    ran: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    on_run: Callable[[str], object] = lambda sql: None

    def first_page(self, sql: str, headers: dict[str, str]) -> dict[str, Any]:
        """The answer to a POST."""
        self.ran.append((sql, headers))
        self.on_run(sql)
        return {"id": str(len(self.ran)), "nextUri": f"{self.url}/{len(self.ran)}/0"}

    def page(self, number: int, part: int) -> dict[str, Any]:
        """The answer to a GET of nextUri."""
        answer = self.answers.get(self.ran[number - 1][0], Answer())
        if answer.hangs:
            time.sleep(0.05)
            return {"nextUri": f"{self.url}/{number}/0"}
        if answer.error:
            return {"error": answer.error}
        start, size = part * 700, 700
        page: dict[str, Any] = {
            "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
            "data": answer.rows[start : start + size],
            "stats": {"physicalInputBytes": 12},
        }
        if start + size < len(answer.rows):
            return page | {"nextUri": f"{self.url}/{number}/{part + 1}"}
        if answer.update_count is not None:
            page["updateCount"] = answer.update_count
        return page


@contextmanager
def fake_trino() -> Iterator[FakeTrino]:
    """A FakeTrino that listens."""
    fake = FakeTrino()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sql = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(fake.first_page(sql, dict(self.headers)))

        def do_GET(self) -> None:
            _, number, part = self.path.rsplit("/", 2)
            answer = fake.answers.get(fake.ran[int(number) - 1][0], Answer())
            if answer.statuses:
                self._answer({}, answer.statuses.pop(0))
            else:
                self._answer(fake.page(int(number), int(part)))

        def do_DELETE(self) -> None:
            number = int(self.path.rsplit("/", 2)[1])
            fake.stopped.append(fake.ran[number - 1][0])
            self._answer({})

        def _answer(self, page: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(page).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        fake.url = f"{url}/v1/statement"
        yield fake


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class FakeS3:
    """The calls of S3 that the gateway makes; there are the buckets `lake` and `other`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def head_bucket(self, Bucket: str) -> None:
        if Bucket not in ("lake", "other"):
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadBucket")

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[f"s3://{Bucket}/{Key}"] = Body

    def list_objects_v2(self, Bucket: str, Prefix: str, **_: Any) -> dict[str, Any]:
        start = f"s3://{Bucket}/"
        found = sorted(uri for uri in self.objects if uri.startswith(start + Prefix))
        return {"Contents": [{"Key": uri.removeprefix(start)} for uri in found]}

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
        return [self.list_objects_v2(**arguments)]
