"""The lock of a lake on S3: one holder, whatever dies, breaks or answers late."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from salescast.errors import RunError
from salescast.lake.lock import hold_lock, hold_locks
from salescast.lake.s3_lock import NAME, TOKEN_VARIABLE, hold_lake_lock
from salescast.s3 import Prefix
from salescast.settings import Settings, load_settings
from support.s3_server import BUCKET, REGION, S3Server, Wire

HOLD = """
import json, logging, os, sys, time
import boto3
from salescast.errors import RunError
from salescast.lake.s3_lock import TOKEN_VARIABLE, hold_lake_lock
from salescast.s3 import open_prefix
options = json.loads(sys.argv[2])
lake = open_prefix(boto3.client("s3"), sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    with hold_lake_lock(lake, "salescast run", **options):
        print("held", os.environ[TOKEN_VARIABLE], flush=True)
        sys.stdin.readline()
        print("working", flush=True)
        sys.stdin.readline()
    print("released", flush=True)
except RunError as error:
    print(f"{time.time():.2f} " + " ".join(str(error).split()), flush=True)
"""

HOLD_BOTH = """
import sys
from salescast.lake.lock import hold_locks
from salescast.settings import load_settings
with hold_locks(load_settings(), "salescast run"):
    print("held", flush=True)
    sys.stdin.read()
"""


class Other:
    """Another process that wants the lock, told what to do line by line."""

    def __init__(self, server: S3Server, code: str, *arguments: str, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | server.environment | more,
        )

    def hears(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def goes_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def is_killed(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def lake(s3_server: S3Server) -> Prefix:
    return s3_server.prefix()


@pytest.fixture
def start(s3_server: S3Server) -> Iterator[Callable[..., Other]]:
    """Starts processes, which do not outlive the test."""
    started: list[Other] = []

    def start(code: str, *arguments: str, **more: str) -> Other:
        started.append(Other(s3_server, code, *arguments, **more))
        return started[-1]

    yield start
    for other in started:
        other.process.kill()
        other.process.communicate()


def options(**changes: Any) -> dict[str, Any]:
    """Of a holder in another home, who gives a sign of life twice a second."""
    return {"home_lock": "another", "heartbeat_seconds": 0.5, "stale_seconds": 60.0} | changes


def start_holder(start: Callable[..., Other], lake: Prefix, **changes: Any) -> Other:
    other = start(HOLD, lake.uri, json.dumps(options(**changes)))
    assert other.hears() == "ready"
    other.goes_on()
    assert other.hears().startswith("held")
    return other


@contextmanager
def held(lake: Prefix, command: str = "salescast build", **changes: Any) -> Iterator[None]:
    with hold_lake_lock(lake, command, **options(home_lock="mine") | changes):
        yield


def holder_in(lake: Prefix) -> dict[str, Any]:
    found = lake.read(NAME)
    return json.loads(found.body) if found else {}


def put(lake: Prefix, body: bytes) -> None:
    lake.s3.put_object(Bucket=BUCKET, Key=f"{lake.key}/{NAME}", Body=body)


def let_pass(lake: Prefix, seconds: float) -> None:
    """Put the server's clock forward, as this client sees it."""

    def be_later(parsed: dict[str, Any], **_: Any) -> None:
        headers = parsed["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"])
        headers["date"] = format_datetime(now + timedelta(seconds=seconds))

    lake.s3.meta.events.register("after-call.s3.GetObject", be_later)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def version(lake: Prefix) -> str | None:
    found = lake.read(NAME)
    return found.etag if found else None


def work_until_interrupted(seconds: float = 10) -> None:
    time.sleep(seconds)
    pytest.fail("the command went on without its lock")


def test_the_lock_is_there_while_the_block_runs(lake: Prefix) -> None:
    with held(lake):
        holder = holder_in(lake)
        assert holder["command"] == "salescast build"
        assert holder["pid"] == str(os.getpid())
        assert holder["owner"] == os.environ[TOKEN_VARIABLE]
        assert set(holder) >= {"host", "since", "heartbeat_at"}, "the macro reads these"
        found = lake.read(NAME)
        assert found is not None
        assert found.body.count(b"\n") == 1, "the macro's table is one of JSON lines"
    assert not lake.has(NAME)
    assert TOKEN_VARIABLE not in os.environ


def test_it_is_released_when_the_command_fails(lake: Prefix) -> None:
    with pytest.raises(ZeroDivisionError), held(lake):
        raise ZeroDivisionError
    assert not lake.has(NAME)
    with pytest.raises(KeyboardInterrupt), held(lake):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert not lake.has(NAME)
    assert not [t for t in threading.enumerate() if t.name.startswith("lake lock")]


def test_a_second_is_told_who_holds_it_and_what_to_do(
    lake: Prefix, start: Callable[..., Other]
) -> None:
    other = start_holder(start, lake)
    with pytest.raises(RunError) as caught, held(lake, stale_seconds=600):
        pass
    message = str(caught.value)
    assert f"salescast run (process {other.process.pid} on " in message
    assert re.search(r"since 20\S+ \S+ UTC, last sign of life \d+ s ago", message)
    assert caught.value.where == f"{lake.uri}/{NAME}"
    assert "Wait" in message
    assert "10 minutes" in message
    assert "--take-lock" in message
    other.goes_on()
    other.goes_on()
    assert [other.hears() for _ in range(2)] == ["working", "released"]
    with held(lake):
        pass


def test_signs_of_life_are_given_again_and_again(lake: Prefix, start: Callable[..., Other]) -> None:
    start_holder(start, lake)
    seen = [version(lake)]
    for _ in range(2):
        wait_for(lambda: version(lake) not in (seen[-1], None))
        seen.append(version(lake))
    assert len(set(seen)) == 3


def test_of_many_processes_at_once_one_gets_it(lake: Prefix, start: Callable[..., Other]) -> None:
    others = [start(HOLD, lake.uri, json.dumps(options(home_lock=f"home{n}"))) for n in range(5)]
    assert {other.hears() for other in others} == {"ready"}
    for other in others:
        other.goes_on()
    heard = [other.hears() for other in others]
    assert sum(line.startswith("held") for line in heard) == 1
    assert sum("Another command is at work on this lake: salescast run" in x for x in heard) == 4


def test_of_many_processes_one_takes_over_a_stale_lock(
    lake: Prefix, start: Callable[..., Other]
) -> None:
    others = [
        start(HOLD, lake.uri, json.dumps(options(home_lock=f"home{n}", stale_seconds=1.5)))
        for n in range(4)
    ]
    assert {other.hears() for other in others} == {"ready"}
    put(lake, b'{"owner": "a dead one"}')
    time.sleep(2)
    for other in others:
        other.goes_on()
    heard = [other.hears() for other in others]
    assert sum(line.startswith("held") for line in heard) == 1
    assert sum("Another command is at work" in line for line in heard) == 3


def test_another_home_waits_until_a_killed_holder_is_stale(
    lake: Prefix, start: Callable[..., Other], caplog: pytest.LogCaptureFixture
) -> None:
    other = start_holder(start, lake)
    other.is_killed()
    with pytest.raises(RunError, match=f"process {other.process.pid}"), held(lake):
        pass
    let_pass(lake, 30)
    with pytest.raises(RunError, match=f"process {other.process.pid}"), held(lake):
        pass
    let_pass(lake, 60)
    with caplog.at_level(logging.WARNING), held(lake):
        assert holder_in(lake)["pid"] == str(os.getpid())
    assert f"took the lock over from salescast run (process {other.process.pid}" in caplog.text


def settings_of(server: S3Server, home: Path, lake: Prefix) -> Settings:
    return load_settings(target="athena", home=home, lake_place=lake.uri, region=REGION)


def test_the_same_home_takes_over_from_a_killed_holder_at_once(
    s3_server: S3Server,
    lake: Prefix,
    start: Callable[..., Other],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    other = start(
        HOLD_BOTH,
        SALESCAST_TARGET="athena",
        SALESCAST_LAKE=lake.uri,
        SALESCAST_HOME=str(home),
    )
    assert other.hears() == "held"
    with (
        pytest.raises(RunError, match="in this home"),
        hold_locks(settings_of(s3_server, home, lake), "x"),
    ):
        pass
    other.is_killed()

    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    with (
        pytest.raises(RunError, match="at work on this lake"),
        hold_locks(settings_of(s3_server, copy, lake), "x"),
    ):
        pass
    with hold_locks(settings_of(s3_server, home, lake), "salescast run --resume"):
        assert holder_in(lake)["command"] == "salescast run --resume"
    assert not lake.has(NAME)


def test_ids_of_home_locks_differ_unless_it_is_the_same_file(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "a", "x") as first:
        pass
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with hold_lock(tmp_path / "link", "x") as again:
        pass
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with hold_lock(tmp_path / "b", "x") as copied:
        pass
    assert first == again
    assert first is not None
    assert copied != first
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    assert first.startswith(boot)


@pytest.mark.parametrize(
    ("home_lock", "host"), [(None, None), ("mine", "another host"), ("boot/1/2", None)]
)
def test_only_a_holder_of_the_same_home_lock_on_this_host_is_dead(
    lake: Prefix, home_lock: str | None, host: str | None
) -> None:
    with held(lake, home_lock=home_lock):
        holder = holder_in(lake)
    put(lake, json.dumps(holder | ({"host": host} if host else {})).encode())
    mine = None if home_lock is None else "mine"
    with pytest.raises(RunError, match="at work"), held(lake, home_lock=mine):
        pass


def test_taking_it_stops_the_holder_and_waits_for_that(
    lake: Prefix, start: Callable[..., Other]
) -> None:
    other = start_holder(start, lake, heartbeat_seconds=0.5)
    with held(lake, take=True, heartbeat_seconds=2.5):
        began_at = time.time()
        mine = holder_in(lake)["owner"]
        heard = other.hears()
        assert "taken by another command" in heard
        assert f"where: {lake.uri}/{NAME}" in heard
        assert "salescast run --resume" in heard
        assert float(heard.split()[0]) < began_at
        assert other.process.wait(10) == 0
        assert holder_in(lake)["owner"] == mine, "the loser leaves the lock alone"
    assert not lake.has(NAME)


def test_a_taker_who_is_stopped_while_it_waits_leaves_no_lock(lake: Prefix) -> None:
    with held(lake, home_lock="theirs"):
        body = lake.read(NAME)
    assert body is not None
    put(lake, body.body)
    stop = threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT))
    stop.start()
    with pytest.raises(KeyboardInterrupt), held(lake, take=True, heartbeat_seconds=20):
        pytest.fail("did not wait")
    assert not lake.has(NAME)


def test_who_comes_between_is_not_taken_from(lake: Prefix) -> None:
    put(lake, b'{"owner": "the one that was told", "command": "salescast run"}')
    read = lake.read

    def change_after_first_look(name: str) -> Any:
        found = read(name)
        put(lake, b'{"owner": "another", "command": "salescast ingest"}')
        return found

    object.__setattr__(lake, "read", change_after_first_look)
    with pytest.raises(RunError, match="salescast ingest"), held(lake, take=True):
        pass
    assert holder_in(lake)["owner"] == "another"


def test_a_lock_that_is_released_between_is_got(lake: Prefix) -> None:
    put(lake, b'{"owner": "another"}')
    read = lake.read

    def release_after_first_look(name: str) -> Any:
        found = read(name)
        object.__delattr__(lake, "read")
        lake.s3.delete_object(Bucket=BUCKET, Key=f"{lake.key}/{NAME}")
        return found

    object.__setattr__(lake, "read", release_after_first_look)
    with held(lake, take=True, heartbeat_seconds=0.1):
        assert holder_in(lake)["pid"] == str(os.getpid())


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff\xfe\x80", b"[1]", b"null", b"{}"])
def test_an_object_that_is_no_lock_is_one_until_it_is_stale(lake: Prefix, body: bytes) -> None:
    put(lake, body)
    with pytest.raises(RunError, match=r"unknown \(process \? on unknown host"), held(lake):
        pass
    with held(lake, take=True, heartbeat_seconds=0.1):
        assert holder_in(lake)["pid"] == str(os.getpid())
    put(lake, body)
    let_pass(lake, 60)
    with held(lake):
        assert holder_in(lake)["pid"] == str(os.getpid())


def test_the_clock_of_the_holder_does_not_count(lake: Prefix) -> None:
    put(lake, b'{"owner": "x", "heartbeat_at": "2001-01-01 00:00:00"}')
    with pytest.raises(RunError, match="at work"), held(lake):
        pass
    put(lake, b'{"owner": "x", "heartbeat_at": "2999-01-01 00:00:00"}')
    let_pass(lake, 60)
    with held(lake):
        pass


def test_a_lock_that_was_deleted_is_lost(lake: Prefix) -> None:
    with pytest.raises(RunError, match="or deleted"), held(lake):
        lake.s3.delete_object(Bucket=BUCKET, Key=f"{lake.key}/{NAME}")
        work_until_interrupted()
    assert not lake.has(NAME)


def test_an_interrupt_in_other_words_is_told_as_the_loss(lake: Prefix) -> None:
    with pytest.raises(RunError, match="taken by another") as caught, held(lake):
        put(lake, b"{}")
        try:
            work_until_interrupted()
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert holder_in(lake) == {}


def test_a_loss_reaches_a_command_that_ignores_ctrl_c(lake: Prefix) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(RunError, match="taken by another"), held(lake):
            put(lake, b"{}")
            work_until_interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_loss_reaches_a_command_that_waits_for_a_child(lake: Prefix) -> None:
    began_at = time.monotonic()
    with pytest.raises(RunError, match="taken by another"), held(lake):
        put(lake, b"{}")
        subprocess.run(["sleep", "20"], check=True)
    assert time.monotonic() - began_at < 10


def test_the_handler_of_the_signal_is_the_one_from_before(lake: Prefix) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with pytest.raises(RunError), held(lake):
            put(lake, b"{}")
            work_until_interrupted()
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_who_gives_no_sign_of_life_stops_before_the_lock_is_stale(lake: Prefix) -> None:
    wire = Wire(lake.s3)
    stale_seconds = 4.0
    began_at = time.monotonic()
    with (
        pytest.raises(RunError, match="could not be kept alive"),
        held(lake, stale_seconds=stale_seconds),
    ):
        # Longer than it has: an error would be told only when the lock is stale.
        wire.wait_before["PUT"] = 8
        work_until_interrupted()
    assert 3 < time.monotonic() - began_at < stale_seconds


def test_a_short_break_of_the_network_does_not_stop_the_command(lake: Prefix) -> None:
    wire = Wire(lake.s3)
    with held(lake, heartbeat_seconds=0.2):
        before = version(lake)
        wire.is_cut = True
        n_sent = len(wire.sent)
        wait_for(lambda: len(wire.sent) > n_sent)
        wire.is_cut = False
        wait_for(lambda: version(lake) not in (before, None))
    assert not lake.has(NAME)


def test_an_answer_that_was_lost_at_the_first_write(lake: Prefix) -> None:
    wire = Wire(lake.s3)
    wire.lose_answers_to = {"PUT"}
    with held(lake, home_lock=None):
        assert wire.sent[:3] == ["PUT", "PUT", "GET"]
        assert holder_in(lake)["owner"] == os.environ[TOKEN_VARIABLE]
    assert not lake.has(NAME)


@pytest.mark.parametrize("take", [False, True])
def test_an_answer_that_was_lost_at_a_takeover(lake: Prefix, take: bool) -> None:
    put(lake, b'{"owner": "another"}')
    let_pass(lake, 0 if take else 60)
    lake.s3.meta.events.register("before-call.s3.GetObject", lambda **_: lose_next_put(wire))
    wire = Wire(lake.s3)
    with held(lake, take=take, home_lock=None, heartbeat_seconds=0.3):
        assert holder_in(lake)["owner"] == os.environ[TOKEN_VARIABLE]
    assert wire.sent[:5] == ["PUT", "GET", "PUT", "PUT", "GET"]
    assert not lake.has(NAME)


def lose_next_put(wire: Wire) -> None:
    if wire.sent == ["PUT"]:
        wire.lose_answers_to = {"PUT"}


def test_an_answer_that_was_lost_at_a_sign_of_life(lake: Prefix) -> None:
    wire = Wire(lake.s3)
    # Within a second two signs of life may be the same bytes, and so the same version.
    with held(lake, heartbeat_seconds=1.1):
        wire.lose_answers_to = {"PUT"}
        wait_for(lambda: len(wire.sent) >= 4)
        assert wire.sent == ["PUT", "PUT", "PUT", "GET"]
        wait_for(lambda: len(wire.sent) >= 5)
    assert not lake.has(NAME)


def test_an_answer_that_was_lost_just_before_the_end(s3_server: S3Server) -> None:
    lake = s3_server.prefix()
    lake = Prefix(s3_server.client(1), lake.bucket, lake.key)
    wire = Wire(lake.s3)
    with held(lake, heartbeat_seconds=1.0):
        wire.lose_answers_to = {"PUT"}
        wait_for(lambda: not wire.lose_answers_to)
    assert not lake.has(NAME)


def test_a_failure_while_the_loss_is_looked_into_is_no_end_of_signs(s3_server: S3Server) -> None:
    lake = s3_server.prefix()
    lake = Prefix(s3_server.client(1), lake.bucket, lake.key)
    wire = Wire(lake.s3)
    with held(lake, heartbeat_seconds=1.1):
        wire.lose_answers_to = {"PUT", "GET"}
        wait_for(lambda: len(wire.sent) >= 6)
        assert wire.sent == ["PUT", "PUT", "PUT", "GET", "PUT", "GET"]
    assert not lake.has(NAME)


def test_a_lock_that_cannot_be_deleted_is_left_to_expire(
    lake: Prefix, caplog: pytest.LogCaptureFixture
) -> None:
    wire = Wire(lake.s3)
    with caplog.at_level(logging.WARNING), held(lake, heartbeat_seconds=5.0):
        wire.is_cut = True
    assert "left to expire" in caplog.text
    wire.is_cut = False
    assert lake.has(NAME)
    with held(lake):
        pass


def test_the_end_does_not_wait_for_a_server_that_hangs(
    lake: Prefix, caplog: pytest.LogCaptureFixture
) -> None:
    wire = Wire(lake.s3)
    with caplog.at_level(logging.WARNING), held(lake):
        wire.wait_before["DELETE"] = 10
        began_at = time.monotonic()
    assert time.monotonic() - began_at < 5
    assert "S3 does not answer" in caplog.text


def test_lakes_beside_each_other_have_locks_of_their_own(lake: Prefix) -> None:
    beside = Prefix(lake.s3, lake.bucket, f"{lake.key}2")
    with held(lake), held(beside):
        assert lake.has(NAME)
        assert beside.has(NAME)
