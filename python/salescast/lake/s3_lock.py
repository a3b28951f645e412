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

_TRIES = 5
# Not SIGINT: a command in the background of a shell script ignores that.
_SIGNAL = signal.SIGUSR1

_log = logging.getLogger(__name__)


@contextmanager
def hold_lake_lock(
    lake: Prefix,
    command: str,
    *,
    home_lock: str | None,
    take: bool = False,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    stale_seconds: float = STALE_SECONDS,
) -> Iterator[None]:
    """Hold the lock of a lake while the block runs; child processes know it by their environment.

    The command, which is the main thread, is interrupted as soon as it has lost the lock: when
    somebody took it, or when it could not be kept alive.

    Args:
        lake: The lake.
        command: What the holder does, told to whoever is refused.
        home_lock: Id of the home's own lock, which the caller holds: another holder of the lake
            who held it too is dead. None if it has no id.
        take: Break the lock of another holder, and wait until that one has noticed.
        heartbeat_seconds: Time between two signs of life.
        stale_seconds: Age of a sign of life after which a holder counts as dead.

    Raises:
        RunError: Somebody else holds the lock, or this holder has lost it.
    """
    lock = _Lock(lake, command, home_lock, heartbeat_seconds, stale_seconds)
    may_be_at_work = lock.acquire(take)
    beating = threading.Thread(target=lock.keep_alive, name="lake lock", daemon=True)
    watching = threading.Thread(target=lock.watch, name="lake lock watch", daemon=True)
    handler = signal.signal(_SIGNAL, signal.default_int_handler)
    os.environ[TOKEN_VARIABLE] = lock.owner
    try:
        beating.start()
        watching.start()
        try:
            if may_be_at_work:
                # It meets the new lock at its next sign of life, and stops.
                time.sleep(1.1 * heartbeat_seconds)
            yield
        finally:
            lock.end()
    except BaseException as error:
        # Whatever the interrupt was turned into on its way.
        if lock.lost is not None:
            raise lock.lost from error
        raise
    finally:
        signal.signal(_SIGNAL, handler)
        os.environ.pop(TOKEN_VARIABLE, None)
        # The thread that beats also deletes the object, once its last write is answered.
        beating.join(0 if lock.lost else heartbeat_seconds)
        watching.join(0 if lock.lost else heartbeat_seconds)
        if beating.is_alive() and lock.lost is None:
            _log.warning("the lock was left to expire: S3 does not answer")
    if lock.lost is not None:
        raise lock.lost


class _Lock:
    """The lock object as one holder sees it."""

    def __init__(
        self,
        lake: Prefix,
        command: str,
        home_lock: str | None,
        heartbeat_seconds: float,
        stale_seconds: float,
    ) -> None:
        self.owner = secrets.token_hex(8)
        self.lost: RunError | None = None
        self._lake = lake
        self._heartbeat_seconds = heartbeat_seconds
        self._stale_seconds = stale_seconds
        self._ended = threading.Event()
        self._ending = threading.Lock()
        self._holder = {
            "owner": self.owner,
            "command": command,
            "host": socket.gethostname(),
            "home_lock": home_lock,
            "pid": str(os.getpid()),
            "since": _now(),
        }
        self._etag = ""
        self._alive_at = 0.0

    def acquire(self, take: bool) -> bool:
        """Write the object where none is, or over one that is stale or may be taken.

        Returns:
            Whether it was taken from a holder who may still be at work.
        """
        held: StoredObject | None = None
        for _ in range(_TRIES):
            self._alive_at = time.monotonic()
            try:
                self._etag = self._lake.write(NAME, self._body(), over=held.etag if held else None)
            except Taken:
                found = self._lake.read(NAME)
                if not self._is_mine(found):
                    # Who was not there at the first look is not the one who was to be broken.
                    named = held is None or found is None or _owner(held) == _owner(found)
                    if found and not self._is_dead(found) and not (take and named):
                        raise self._refusal(found) from None
                    held = found
                    continue
            if held is None:
                return False
            _log.warning("took the lock over from %s", _told(held))
            return not self._is_dead(held)
        raise self._refusal(held)

    def keep_alive(self) -> None:
        """Write a sign of life again and again, and delete the object at the end."""
        while not self._ended.wait(self._heartbeat_seconds):
            try:
                if not self._beat():
                    self._lose("The lock of the lake was taken by another command, or deleted.")
                    return
            except (BotoCoreError, ClientError) as error:
                _log.warning("the lock was not kept alive: %s", error)
        self._release()

    def watch(self) -> None:
        """Interrupt the command before the lock is stale for others, not after.

        In a thread of its own, because a write may wait for a long time.
        """
        while True:
            left = self._alive_at + 0.9 * self._stale_seconds - time.monotonic()
            if left <= 0:
                self._lose("The lock of the lake could not be kept alive.")
                return
            if self._ended.wait(left):
                return

    def end(self) -> None:
        """Let the threads come to their end; the command is not interrupted after that."""
        with self._ending:
            self._ended.set()

    def _beat(self) -> bool:
        """Write a sign of life; False if the object is not ours any more."""
        began_at = time.monotonic()
        try:
            self._etag = self._lake.write(NAME, self._body(), over=self._etag)
        except Taken:
            return self._is_mine(self._lake.read(NAME))
        self._alive_at = began_at
        return True

    def _release(self) -> None:
        """Delete the object if it is still ours."""
        try:
            try:
                self._lake.remove(NAME, version=self._etag)
            except Taken:
                if self._is_mine(self._lake.read(NAME)):
                    self._lake.remove(NAME, version=self._etag)
        except (BotoCoreError, ClientError, Taken) as error:
            _log.warning("the lock was left to expire: %s", error)

    def _is_dead(self, held: StoredObject) -> bool:
        """Whether the holder cannot be at work any more."""
        holder = _holder(held)
        same_lock = self._holder["home_lock"] is not None and all(
            holder.get(key) == self._holder[key] for key in ("host", "home_lock")
        )
        return same_lock or held.age_seconds >= self._stale_seconds

    def _is_mine(self, held: StoredObject | None) -> bool:
        """Whether the object is ours after all: the answer to a write that succeeded was lost."""
        if held is None or _owner(held) != self.owner:
            return False
        self._etag = held.etag
        return True

    def _lose(self, what: str) -> None:
        with self._ending:
            if self._ended.is_set():
                return
            self.lost = RunError(
                what,
                where=f"{self._lake.uri}/{NAME}",
                fix="What was done is kept. Once the other command has ended, go on with "
                "`salescast run --resume`.",
            )
            self._ended.set()
            main = threading.main_thread().ident
            assert main is not None
            # To the main thread itself: it may wait for a child process.
            signal.pthread_kill(main, _SIGNAL)

    def _body(self) -> bytes:
        return (json.dumps({**self._holder, "heartbeat_at": _now()}) + "\n").encode()

    def _refusal(self, held: StoredObject | None) -> RunError:
        return RunError(
            f"Another command is at work on this lake: {_told(held)}.",
            where=f"{self._lake.uri}/{NAME}",
            fix="Wait until it has ended. If it died, its lock counts for "
            f"{self._stale_seconds / 60:.0f} minutes after its last sign of life; --take-lock "
            "breaks it, and stops a command that still runs.",
        )


def _told(held: StoredObject | None) -> str:
    """The holder in words."""
    holder = _holder(held)
    age = f", last sign of life {max(held.age_seconds, 0):.0f} s ago" if held else ""
    return (
        f"{holder.get('command', 'unknown')} (process {holder.get('pid', '?')} on "
        f"{holder.get('host', 'unknown host')}, since {holder.get('since', 'unknown')} UTC{age})"
    )


def _owner(held: StoredObject) -> str:
    """What tells a holder from any other."""
    return str(_holder(held).get("owner", held.etag))


def _holder(held: StoredObject | None) -> dict[str, Any]:
    try:
        holder = json.loads(held.body) if held else {}
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
