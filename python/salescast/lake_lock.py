"""One writer a lake on S3: an object that its holder made and keeps alive.

`lock/lock.json` below the lake holds one line of JSON. It is written only where none is, or over
the very version that was read (conditional puts), so of two writers one is refused. The macro
`refuse_other_holder` reads the same object for a bare dbt command.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from salescast.errors import RunError, Taken
from salescast.s3 import Prefix, StoredObject

NAME = "lock/lock.json"
TOKEN_VARIABLE = "SALESCAST_LOCK_TOKEN"
HEARTBEAT_SECONDS = 60.0
STALE_SECONDS = 600.0

_log = logging.getLogger(__name__)


@contextmanager
def hold_lake_lock(
    lake: Prefix,
    command: str,
    *,
    take: bool = False,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    stale_seconds: float = STALE_SECONDS,
) -> Iterator[None]:
    """Hold the lock of a lake while the block runs; child processes know it by their environment.

    The command is interrupted as soon as it has lost the lock: when somebody took it, or when it
    could not be kept alive.

    Args:
        lake: The lake.
        command: What the holder does, told to whoever is refused.
        take: Break the lock of another holder.
        heartbeat_seconds: Time between two signs of life.
        stale_seconds: Age of a sign of life after which a holder counts as dead.

    Raises:
        RunError: Somebody else holds the lock, or this holder has lost it.
    """
    lock = _Lock(lake, command, heartbeat_seconds, stale_seconds)
    lock.acquire(take)
    beating = threading.Thread(target=lock.keep_alive, name="lake lock", daemon=True)
    beating.start()
    os.environ[TOKEN_VARIABLE] = lock.owner
    try:
        yield
    except KeyboardInterrupt:
        if lock.lost is None:
            raise
        raise lock.lost from None
    finally:
        os.environ.pop(TOKEN_VARIABLE, None)
        lock.ended.set()
        beating.join()
        lock.release()
    if lock.lost is not None:
        raise lock.lost


class _Lock:
    """The lock object as one holder sees it."""

    def __init__(
        self, lake: Prefix, command: str, heartbeat_seconds: float, stale_seconds: float
    ) -> None:
        self.owner = secrets.token_hex(8)
        self.lost: RunError | None = None
        self._lake = lake
        self._heartbeat_seconds = heartbeat_seconds
        self._stale_seconds = stale_seconds
        self.ended = threading.Event()
        self._holder = {
            "owner": self.owner,
            "command": command,
            "host": socket.gethostname(),
            "pid": str(os.getpid()),
            "since": _now(),
        }
        self._etag = ""

    def acquire(self, take: bool) -> None:
        """Write the object where none is, or over one that is stale or may be taken."""
        try:
            self._etag = self._lake.write(NAME, self._body())
            return
        except Taken:
            if self._is_mine():
                return
            held = self._lake.read(NAME)
        if held is not None and not take and held.age_seconds < self._stale_seconds:
            raise self._refusal(held)
        if held is not None:
            _log.warning("took the lock over from %s", _told(held))
        try:
            self._etag = self._lake.write(NAME, self._body(), over=held.etag if held else None)
        except Taken:
            raise self._refusal(self._lake.read(NAME) or held) from None

    def keep_alive(self) -> None:
        """Write a sign of life again and again; interrupt the command when the lock is lost."""
        alive_at = time.monotonic()
        while not self.ended.wait(self._heartbeat_seconds):
            began_at = time.monotonic()
            try:
                self._etag = self._lake.write(NAME, self._body(), over=self._etag)
                alive_at = began_at
            except Taken:
                if not self._is_mine():
                    self._lose("Another command has taken the lock of the lake.")
                    return
            except (BotoCoreError, ClientError) as error:
                _log.warning("the lock was not kept alive: %s", error)
                # Before the lock is stale for others, not after.
                if time.monotonic() - alive_at > 0.9 * self._stale_seconds:
                    self._lose("The lock of the lake could not be kept alive.")
                    return

    def release(self) -> None:
        """Delete the object if it is still ours."""
        if self.lost is None:
            try:
                self._lake.remove(NAME, version=self._etag)
            except (BotoCoreError, ClientError) as error:
                _log.warning("the lock was left to expire: %s", error)

    def _is_mine(self) -> bool:
        """Whether the object is ours after all: the answer to a write that succeeded was lost."""
        held = self._lake.read(NAME)
        if held is None or _holder(held).get("owner") != self.owner:
            return False
        self._etag = held.etag
        return True

    def _lose(self, what: str) -> None:
        self.lost = RunError(
            what,
            where=f"{self._lake.uri}/{NAME}",
            fix="What was done is kept. Once the other command has ended, go on with `salescast "
            "run --resume`.",
        )
        main = threading.main_thread().ident
        assert main is not None
        # To the main thread itself: it may wait for a child process.
        signal.pthread_kill(main, signal.SIGINT)

    def _body(self) -> bytes:
        return (json.dumps({**self._holder, "heartbeat_at": _now()}) + "\n").encode()

    def _refusal(self, held: StoredObject | None) -> RunError:
        return RunError(
            f"Another command is at work on this lake: {_told(held)}.",
            where=f"{self._lake.uri}/{NAME}",
            fix="Wait until it has ended. If it died, its lock counts for "
            f"{self._stale_seconds / 60:.0f} minutes after its last sign of life; --take-lock "
            "breaks it at once, and stops a command that still runs.",
        )


def _told(held: StoredObject | None) -> str:
    """The holder in words."""
    holder = _holder(held)
    age = f", last sign of life {held.age_seconds:.0f} s ago" if held else ""
    return (
        f"{holder.get('command', 'unknown')} (process {holder.get('pid', '?')} on "
        f"{holder.get('host', 'unknown host')}, since {holder.get('since', 'unknown')} UTC{age})"
    )


def _holder(held: StoredObject | None) -> dict[str, Any]:
    try:
        holder = json.loads(held.body) if held else {}
    except json.JSONDecodeError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
