"""Child processes whose output is read line by line while they work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Progress = Callable[[str], None]
"""Told the state of long work in one short line; each line replaces the one before."""

_START = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Becomes the command, after asking Linux to end it when this process dies (PR_SET_PDEATHSIG)."""


def run_child(
    command: Sequence[str],
    *,
    log: Path,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> int:
    """Run a command, keep its whole output in a file and pass on each line.

    Args:
        command: Program and arguments.
        log: File for stdout and stderr together; overwritten.
        on_line: Called with each line, without its line end.
        environment: Variables on top of this process's own.
        cwd: Folder to run in.

    Returns:
        The exit status. The child is stopped if the caller is interrupted or, on Linux, killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            # The lock's descriptor goes to the child; Python's other files are never inherited.
            close_fds=False,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                kept.flush()
                on_line(line.rstrip("\n"))
            return process.wait()
        except BaseException:
            process.terminate()
            raise
