"""The HTTP side of a server: AWS's JSON protocol, `/health` and `/faults`."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from local_aws.faults import Faults

Answer = tuple[int, dict[str, Any]]
Operations = Callable[[str, dict[str, Any], str], Answer | None]
"""From X-Amz-Target, members and User-Agent to status and members; None gives no answer at all."""

# An answer to a question, not a refusal.
_NOT_FOUND = "EntityNotFoundException"
_log = logging.getLogger(__name__)


def make_json_server(port: int, call: Operations, faults: Faults) -> ThreadingHTTPServer:
    """A server on 127.0.0.1, not yet serving; port 0 takes a free one.

    Args:
        port: Where to listen.
        call: Carries out a call.
        faults: What `/faults` changes.
    """

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
                self._answer(
                    *error_answer("SerializationException", "The request is no JSON object.")
                )
            elif self.path == "/faults":
                try:
                    faults.ask(request)
                except ValueError as error:
                    self._answer(400, {"message": str(error)})
                else:
                    self._answer(200, {})
            else:
                self._carry_out(self.headers.get("X-Amz-Target", ""), request)

        def _carry_out(self, target: str, request: dict[str, Any]) -> None:
            try:
                answer = call(target, request, self.headers.get("User-Agent", ""))
            except Exception as error:
                _log.exception("%s", target)
                message = f"{target}: {error}"
                answer = (500, {"__type": "InternalServerException", "message": message})
            if answer is None:
                self.close_connection = True
                return
            status, members = answer
            if status != 200 and members["__type"] != _NOT_FOUND:
                _log.info("%s: %s: %s", target, members["__type"], members.get("message"))
            self._answer(status, members)

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


def serve_until_signal(server: ThreadingHTTPServer, end: Callable[[], None]) -> NoReturn:
    """Serve until SIGTERM or Ctrl-C, call `end`, and leave the process whatever is in flight."""
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    end()
    # Threads of calls and jobs would keep the process alive.
    os._exit(0)


def error_answer(code: str, message: str) -> Answer:
    """What a call that is refused gets."""
    return 400, {"__type": code, "message": message}


class _Server(ThreadingHTTPServer):
    """One thread a connection; a client with many threads opens all of its at once."""

    daemon_threads = True
    request_queue_size = 128
