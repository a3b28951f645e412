"""Stops a stack when the process that wanted it is gone, however that ended."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from pathlib import Path

from local_aws.stack import Stack


def main(owner: int, home: Path) -> None:
    """Wait until the process has ended, and stop the stack; or until the stack has ended."""
    stack = Stack(home)
    running: dict[int, int] = {}
    ended = select.poll()
    for pid in (owner, *(each.pid for each in stack.processes.values())):
        with suppress(ProcessLookupError):
            # Tells the end of a zombie too, and is no other process that got the same id.
            handle = os.pidfd_open(pid)
            running[handle] = pid
            ended.register(handle, select.POLLIN)
    while owner in running.values() and len(running) > 1:
        for handle, _ in ended.poll():
            ended.unregister(handle)
            del running[handle]
    if owner not in running.values():
        stack.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
