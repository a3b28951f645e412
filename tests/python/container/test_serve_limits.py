"""A server that strangers can reach: requests that never end, and ones that ask for too much."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from salescast.container import serve
from salescast.container.errors import ContractError
from salescast.container.inference import MAX_QUANTILES, MAX_SAMPLES, inference_config
from salescast.container.serve import ServerSettings, make_server

SECONDS = 1


def hello(environ: Any, start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with place for few connections, which waits a second for a request."""
    monkeypatch.setattr(serve, "MAX_CONNECTIONS", 12)
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    server = make_server(hello, ServerSettings(port=0, request_seconds=SECONDS))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    for channel in list(server.active_channels.values()):
        channel.close()
    thread.join(timeout=10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def ask(port: int, body: bytes = b"") -> bytes:
    with connect(port) as connection:
        head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
        return answer


def seconds_until_closed(connection: socket.socket, trickle: bytes = b"") -> float:
    begun = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - begun < 20:
        try:
            if trickle:
                connection.sendall(trickle)
            if connection.recv(1024) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("first", "trickle"),
    [
        (b"", b""),
        (b"POST / HTTP/1.1\r\n", b""),
        (b"POST / HTTP/1.1\r\n", b"X-More: x\r\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    ],
)
def test_a_request_that_does_not_end_is_closed(port: int, first: bytes, trickle: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(first)
        assert seconds_until_closed(connection, trickle) < 8 * SECONDS


def test_half_open_connections_do_not_keep_others_out_for_long(port: int) -> None:
    held = [connect(port) for _ in range(30)]
    try:
        for each in held:
            each.sendall(b"POST / HTTP/1.1\r\n")
        begun = time.monotonic()
        assert ask(port, b"ping").endswith(b"ping")
        assert time.monotonic() - begun < 15 * SECONDS
    finally:
        for each in held:
            with suppress(OSError):
                each.close()


def test_requests_one_after_another_on_a_connection_are_answered(port: int) -> None:
    with connect(port) as connection:
        for _ in range(6):
            connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
            answer = b""
            while not answer.endswith(b"ok") and (part := connection.recv(1 << 16)):
                answer += part
            assert b"200 OK" in answer
            assert answer.endswith(b"ok")
            time.sleep(0.3 * SECONDS)


@pytest.mark.parametrize("n", [0, -1, MAX_SAMPLES + 1, 10**30, 10**4000, True, 1.5, "100", None])
def test_num_samples_has_its_bounds(n: object) -> None:
    with pytest.raises(ContractError, match=f"an integer from 1 to {MAX_SAMPLES}") as caught:
        inference_config({"num_samples": n})
    assert len(str(caught.value)) < 200


def test_what_is_within_the_bounds_is_taken() -> None:
    assert inference_config({"num_samples": MAX_SAMPLES}).num_samples == MAX_SAMPLES
    many = [f"{n / (MAX_QUANTILES + 1):.6f}" for n in range(1, MAX_QUANTILES + 2)]
    assert len(inference_config({"quantiles": many[:-1]}).quantiles) == MAX_QUANTILES
    with pytest.raises(ContractError, match=f"quantiles must be {MAX_QUANTILES} at most"):
        inference_config({"quantiles": many})
