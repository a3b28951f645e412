"""One writer a home: a file lock that the kernel releases when its holder dies.

A lake on S3 has writers in several homes: there the command holds the lake's own lock too.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from salescast import disk
from salescast.errors import RunError
from salescast.files import whole_file

if TYPE_CHECKING:
    from salescast.settings import Settings


def owner_file(home: Path) -> Path:
    """JSON with the holder of the lock, beside the lock."""
    return home / "lock.json"


@contextmanager
def hold_locks(
    settings: Settings, command: str, *, take: bool = False, frees_room: bool = False
) -> Iterator[None]:
    """Hold the home's lock, and that of a lake on S3, while the block runs.

    Args:
        settings: The settings.
        command: What the holder does, told to whoever is refused.
        take: Break the lake's lock where another home holds it; the kernel knows who holds a home.
        frees_room: Whether the block makes room, so that it works on a full disk too.

    Raises:
        RunError: Another process holds one of them.
    """
    from salescast.lake import open_lake

    with ExitStack() as stack:
        home_lock = stack.enter_context(hold_lock(settings.home, command, frees_room=frees_room))
        if (remote := open_lake(settings).remote) is not None:
            from salescast.lake.s3_lock import hold_lake_lock

            stack.enter_context(hold_lake_lock(remote, command, home_lock=home_lock, take=take))
        yield


@contextmanager
def hold_lock(home: Path, command: str, *, frees_room: bool = False) -> Iterator[str | None]:
    """Hold the home's lock while the block runs; gives the id of the lock, see `_lock_id`.

    Child processes inherit the lock, so that an orphan of a killed command, should there be one,
    never meets the next command's writes.

    Args:
        home: The home folder; made if it is not there.
        command: What the holder does, told to whoever is refused.
        frees_room: Whether the block makes room: then a full disk does not stop it, and whoever is
            refused is not told who holds the lock.

    Raises:
        RunError: Another process holds the lock, or the home cannot be written to.
    """
    with _open_lock(home, command, frees_room) as handle:
        try:
            yield _lock_id(handle.fileno())
        finally:
            # The kernel frees the lock; a holder's name that stays does no harm.
            with suppress(OSError):
                owner_file(home).unlink(missing_ok=True)


def _open_lock(home: Path, command: str, frees_room: bool) -> TextIO:
    """The lock file, locked, with its holder written beside it."""
    with ExitStack() as stack:
        try:
            if not home.is_dir():
                home.mkdir(parents=True)
            handle = stack.enter_context((home / "lock").open("a"))
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                _write_owner(home, command)
            except OSError as error:
                if not (frees_room and disk.is_full(error)):
                    raise
        except BlockingIOError:
            raise _refusal(home) from None
        except OSError as error:
            raise disk.home_refused(home, error) from error
        os.set_inheritable(handle.fileno(), True)
        stack.pop_all()
    return handle


def _write_owner(home: Path, command: str) -> None:
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": command,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with whole_file(owner_file(home)) as part:
        part.write_text(json.dumps(owner) + "\n", encoding="utf-8")


def _lock_id(descriptor: int) -> str | None:
    """What tells an open lock file from any other that is open, here or on another machine.

    A copy of a home has a file of its own, another machine or a later start a boot of its own. None
    where the system does not tell its boot.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    file = os.fstat(descriptor)
    return f"{boot}/{file.st_dev}/{file.st_ino}"


def lock_owner(home: Path) -> dict[str, Any]:
    """Who holds the lock, or held it when it was killed; empty if nobody says so."""
    try:
        owner = json.loads(owner_file(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _refusal(home: Path) -> RunError:
    owner = lock_owner(home)
    pid = owner.get("pid", "?")
    return RunError(
        f"Another command is at work in this home: {owner.get('command', 'unknown')} "
        f"(process {pid} on {owner.get('host', 'unknown host')}, "
        f"since {owner.get('since', 'unknown')}).",
        where=str(home / "lock"),
        fix="Wait until it has ended. If that process was killed, a child of it is still "
        "finishing: wait for it or stop it; the lock is free once both have ended.",
    )
