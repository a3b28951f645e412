"""Stops a stack when the process that wanted it is gone, however that ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from local_aws.stack import Stack


def main(pid: int, home: Path) -> None:
    """Wait until the process is gone or the stack is stopped, then stop the stack."""
    stack = Stack(home)
    while stack.processes:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            stack.stop()
            return
        time.sleep(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
