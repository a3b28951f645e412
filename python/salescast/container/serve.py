"""Answer SageMaker's serving requests: `/ping`, `/invocations`, `/execution-parameters`."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import FrameType
from typing import Any, NoReturn

import waitress
from waitress.channel import HTTPChannel

from salescast.container.errors import ContractError
from salescast.container.inference import InferenceConfig, inference_config
from salescast.container.paths import ContainerPaths
from salescast.container.predictor import Predictor, load_predictor
from salescast.container.records import Record, parse_json_object, parse_record
from salescast.container.transform import answer_line, forecast

JSON = "application/json"
JSON_LINES = "application/jsonlines"
TEXT = "text/plain; charset=utf-8"

# SageMaker's limit on MaxConcurrentTransforms * MaxPayloadInMB.
MAX_MB_IN_FLIGHT = 100
BYTES_PER_MB = 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_CONNECTIONS = 500

logger = logging.getLogger(__name__)

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True)
class ServerSettings:
    """What the platform tells a serving container.

    Attributes:
        port: Port to listen on.
        workers: Requests that the platform is asked to send at once; one more is forecast too.
        max_payload_mb: Largest body of a request.
        request_seconds: A request must be whole after that, and a silent connection is closed.
    """

    port: int = 8080
    workers: int = 1
    max_payload_mb: int = 6
    request_seconds: int = 60

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ServerSettings:
        """Settings of the variables that SageMaker and DeepAR's image know.

        Raises:
            ContractError: A variable is not a number in its range.
        """
        payload = _number(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", 6, MAX_MB_IN_FLIGHT)
        most_workers = MAX_MB_IN_FLIGHT // payload
        cores = min(os.cpu_count() or 1, most_workers)
        default = _number(environment, "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", cores, most_workers)
        return cls(
            port=_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080, 65535),
            workers=_number(environment, "MODEL_SERVER_WORKERS", default, most_workers),
            max_payload_mb=payload,
        )


def _number(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ContractError(f"{name} must be an integer from 1 to {most}, not {text!r}")
    return int(text)


def serve(
    paths: ContainerPaths,
    config: InferenceConfig,
    settings: ServerSettings,
    n_threads: int | None = None,
) -> None:
    """Load the model, then answer requests until SIGTERM.

    The port opens once the model is loaded, so that an answer to `/ping` means ready.

    Args:
        paths: The container's tree, which holds the model.
        config: What a forecast holds unless the request says so itself.
        settings: Port and limits.
        n_threads: Threads to compute on; None for all cores.

    Raises:
        ContractError: The model cannot be read.
        OSError: The port is taken.
    """
    signal.signal(signal.SIGTERM, _end)
    predictor = load_predictor(paths.model, n_threads)
    server = make_server(Service(predictor, config, settings), settings)
    logger.info("serving on port %d with %d workers", settings.port, settings.workers)
    try:
        server.run()
    finally:
        server.close()
    logger.info("serving has ended")


def make_server(service: Callable[..., Any], settings: ServerSettings) -> Any:
    """A server of waitress on the port of the settings; `run` answers until it is closed.

    Raises:
        OSError: The port is taken.
    """
    server = waitress.create_server(
        service,
        host="0.0.0.0",
        port=settings.port,
        # One more, so that /ping is answered while every worker forecasts.
        threads=settings.workers + 1,
        # waitress refuses a body of exactly its limit.
        max_request_body_size=settings.max_payload_mb * BYTES_PER_MB + 1,
        max_request_header_size=MAX_HEADER_BYTES,
        connection_limit=MAX_CONNECTIONS,
        channel_timeout=settings.request_seconds,
        cleanup_interval=max(1, settings.request_seconds // 10),
        # select() knows no file numbers above 1023.
        asyncore_use_poll=True,
        ident="salescast.container",
    )
    server.channel_class = _Channel
    return server


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that is closed where a request is not whole in time, however it trickles in."""

    last_activity: float
    _begun: float | None = None

    def received(self, data: bytes) -> Any:
        now = self.last_activity
        answer = super().received(data)
        if self.request is None:
            self._begun = None
        else:
            self._begun = now if self._begun is None else self._begun
            # waitress closes what it takes for idle since then.
            self.last_activity = self._begun
        return answer


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


class _Refusal(Exception):
    """A request that is answered with a status and words instead of forecasts."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True)
class _Reply:
    status: HTTPStatus
    content_type: str
    body: bytes


class Service:
    """A model as a WSGI application."""

    def __init__(
        self, predictor: Predictor, config: InferenceConfig, settings: ServerSettings
    ) -> None:
        """Keep the loaded model and what every request shares."""
        self._predictor = predictor
        self._config = config
        self._settings = settings
        self._routes: dict[tuple[str, str], Callable[[Environ], _Reply]] = {
            ("GET", "/ping"): self._ping,
            ("GET", "/execution-parameters"): self._execution_parameters,
            ("POST", "/invocations"): self._invocations,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; bad input is answered with 400 and the reason."""
        try:
            reply = self._route(environ)(environ)
        except ContractError as error:
            reply = _in_words(HTTPStatus.BAD_REQUEST, str(error))
        except _Refusal as refusal:
            reply = _in_words(refusal.status, refusal.words)
        if reply.status >= HTTPStatus.BAD_REQUEST:
            logger.warning("%d: %s", reply.status, reply.body.decode().rstrip())
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body)))]
        start_response(f"{reply.status.value} {reply.status.phrase}", headers)
        return [reply.body]

    def _route(self, environ: Environ) -> Callable[[Environ], _Reply]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        route = self._routes.get((method, path))
        if route is not None:
            return route
        if any(path == known for _, known in self._routes):
            raise _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} does not take {method}")
        raise _Refusal(HTTPStatus.NOT_FOUND, f"{path} is not served")

    def _ping(self, environ: Environ) -> _Reply:
        return _Reply(HTTPStatus.OK, TEXT, b"")

    def _execution_parameters(self, environ: Environ) -> _Reply:
        parameters = {
            "MaxConcurrentTransforms": self._settings.workers,
            "BatchStrategy": "SINGLE_RECORD",
            "MaxPayloadInMB": self._settings.max_payload_mb,
        }
        return _Reply(HTTPStatus.OK, JSON, json.dumps(parameters).encode())

    def _invocations(self, environ: Environ) -> _Reply:
        content_type = _media_type(environ.get("CONTENT_TYPE", ""))
        if content_type not in (JSON, JSON_LINES):
            raise _Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Type must be {JSON_LINES} or {JSON}, not {content_type!r}",
            )
        accepted = _accepted_type(environ.get("HTTP_ACCEPT", ""), content_type)
        body: bytes = environ["wsgi.input"].read()
        if content_type == JSON:
            records, config = _read_instances(body, self._config)
        else:
            records, config = _read_lines(body), self._config
        self._predictor.check_records(records)
        # One by one, so that no answer depends on what else is in the request.
        answers = [
            answer for record in records for answer in forecast(self._predictor, [record], config)
        ]
        return _Reply(HTTPStatus.OK, accepted, _written(answers, accepted))


def _in_words(status: HTTPStatus, words: str) -> _Reply:
    # JSON may hold half a character, which UTF-8 does not have.
    return _Reply(status, TEXT, f"{words}\n".encode("utf-8", "backslashreplace"))


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _accepted_type(header: str, content_type: str) -> str:
    """The first type of an Accept header that can be written; without one, that of the request."""
    wanted = [_media_type(part) for part in header.split(",") if part.strip()]
    for kind in wanted or ["*/*"]:
        if kind in ("*/*", "application/*"):
            return content_type
        if kind in (JSON, JSON_LINES):
            return kind
    raise _Refusal(
        HTTPStatus.NOT_ACCEPTABLE, f"Accept must allow {JSON_LINES} or {JSON}, not {header!r}"
    )


def _read_lines(body: bytes) -> list[Record]:
    lines = enumerate(io.BytesIO(body), start=1)
    named = ((f"line {number}", line) for number, line in lines)
    return [
        parse_record(parse_json_object(line, where), where, date_only=True) for where, line in named
    ]


def _read_instances(body: bytes, default: InferenceConfig) -> tuple[list[Record], InferenceConfig]:
    """Records and configuration of a request in the format of a real-time endpoint."""
    request = parse_json_object(body, "request")
    for name in request:
        if name not in ("instances", "configuration"):
            raise ContractError(f"request: unexpected field {name}")
    instances = request.get("instances")
    if not isinstance(instances, list):
        raise ContractError("request: instances must be an array of records")
    records = []
    for index, fields in enumerate(instances):
        where = f"instances[{index}]"
        if not isinstance(fields, dict):
            raise ContractError(f"{where}: must be a JSON object")
        records.append(parse_record(fields, where, date_only=True))
    if "configuration" not in request:
        return records, default
    if not isinstance(request["configuration"], dict):
        raise ContractError("request: configuration must be a JSON object")
    return records, inference_config(request["configuration"])


def _written(answers: Sequence[dict[str, Any]], kind: str) -> bytes:
    if kind == JSON:
        return json.dumps({"predictions": answers}, allow_nan=False).encode()
    return "".join(map(answer_line, answers)).encode()
