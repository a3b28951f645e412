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
            except json.JSONDecodeError:
                self._error("SerializationException", "The request is not JSON.")
                return
            if self.path == "/faults":
                try:
                    faults.ask(request)
                except ValueError as error:
                    self._answer(400, {"message": str(error)})
                    return
                self._answer(200, {})
                return
            service, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
            try:
                self._dispatch(service, operation, request)
            except AthenaError as error:
                self._error(error.code, error.message)
            except Exception as error:
                _log.exception("%s.%s", service, operation)
                self._answer(
                    500,
                    {"__type": "InternalServerException", "message": f"{operation}: {error}"},
                )

        def _dispatch(self, service: str, operation: str, request: dict[str, Any]) -> None:
            if service == _ATHENA:
                self._answer(200, athena.call(operation, request))
            elif service == _GLUE:
                agent = self.headers.get("User-Agent", "")
                self._answer(*glue.call(operation, request, agent))
            else:
                self._error("UnknownOperationException", f"no service {service!r} here")

        def _error(self, code: str, message: str) -> None:
            self._answer(400, {"__type": code, "message": message})

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

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server
