"""The HTTP side: who a call is for, AWS's JSON errors, health and faults."""

from __future__ import annotations

import json
import logging
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_aws.gateway.faults import Faults
from local_aws.gateway.glue import Glue
from local_aws.gateway.operations import Athena, AthenaError

_ATHENA, _GLUE = "AmazonAthena", "AWSGlue"
# An answer to a question, not a refusal.
_NOT_FOUND = "EntityNotFoundException"
_log = logging.getLogger(__name__)


def make_server(port: int, athena: Athena, glue: Glue, faults: Faults) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, not yet serving; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet: without it each answer waits for an acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, {"status": "ok"})
            else:
                self._answer(404, {"message": "no such page"})

        def do_DELETE(self) -> None:
            if self.path == "/faults":
                faults.clear()
                self._answer(200, {})
            else:
                self._answer(404, {"message": "no such page"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                request = json.loads(body or b"{}")
            except ValueError:
                request = None
            if not isinstance(request, dict):
                self._answer(*_error("SerializationException", "The request is no JSON object."))
            elif self.path == "/faults":
                try:
                    faults.ask(request)
                except ValueError as error:
                    self._answer(400, {"message": str(error)})
                else:
                    self._answer(200, {})
            else:
                operation = self.headers.get("X-Amz-Target", "")
                status, answer = self._carry_out(operation, request)
                if status != 200 and answer["__type"] != _NOT_FOUND:
                    _log.info("%s: %s: %s", operation, answer["__type"], answer.get("message"))
                self._answer(status, answer)

        def _carry_out(self, target: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            service, _, operation = target.partition(".")
            try:
                if service == _ATHENA:
                    return 200, athena.call(operation, request)
                if service == _GLUE:
                    return glue.call(operation, request, self.headers.get("User-Agent", ""))
            except AthenaError as error:
                return _error(error.code, error.message)
            except Exception as error:
                _log.exception("%s", target)
                return 500, {"__type": "InternalServerException", "message": f"{target}: {error}"}
            return _error("UnknownOperationException", f"no service {service!r} here")

        def _answer(self, status: int, members: dict[str, Any]) -> None:
            body = json.dumps(members).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            _log.debug(format, *args)

    return _Server(("127.0.0.1", port), Handler)


def _error(code: str, message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": code, "message": message}


class _Server(ThreadingHTTPServer):
    """One thread a connection; a dbt with many threads opens all of its at once."""

    daemon_threads = True
    request_queue_size = 128
