"""The DeepAR program as a child process: its lines while it runs, its end at any moment."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

COMMAND = (sys.executable, "-m", "salescast.container")
_TICK_SECONDS = 0.1
_GRACE_SECONDS = 3.0
_KILL_SECONDS = 5.0
# Becomes the command, after asking Linux for its end when this server's thread is gone.
_START = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
_running: set[int] = set()
_ending = threading.Event()


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    on_tick: Callable[[], None],
) -> int:
    """Run a command to its end and return its exit status.

    Args:
        command: Program and arguments.
        environment: Variables on top of this process's own, of which those of a job are left out.
        on_line: Called with each line of its output.
        on_tick: Called many times a second.

    Raises:
        Exception: What `on_line` or `on_tick` raises; the command and its children are ended first.
    """
    with _started(command, environment) as process:
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        ended = False
        while not ended:
            on_tick()
            with suppress(queue.Empty):
                line = lines.get(timeout=_TICK_SECONDS)
                ended = line is None
                if line is not None:
                    on_line(line)
        return process.wait()


def kill_all() -> None:
    """End all programs with their children, wait until they are gone, and start no more."""
    _ending.set()
    groups = set(_running)
    for pid in groups:
        _signal(pid, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while any(_group_lives(pid) for pid in groups) and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**_own_environment(), "PYTHONUNBUFFERED": "1", **environment},
        # A group of its own: a signal meets the processes that it starts too.
        process_group=0,
    )
    _running.add(process.pid)
    # A job that had waited for its turn comes now.
    if _ending.is_set():
        _signal(process.pid, signal.SIGKILL)
    try:
        yield process
    finally:
        if process.poll() is None:
            _signal(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        # Some of the group may be left although the first has ended.
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        _running.discard(process.pid)


def _own_environment() -> dict[str, str]:
    """This process's variables, but for what a job says to its program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DEEPAR_", "SAGEMAKER_"))
    }


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _group_lives(group: int) -> bool:
    """Whether a process of a group is left; a zombie has ended and waits for its parent."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        # It may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name before it may hold anything.
            state, _, of_process = each.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:3]
            if int(of_process) == group and state not in "ZX":
                return True
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
