"""Files that appear whole: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a path beside the file; what the block wrote there takes the file's name at its end.

    Readers see the old file or the new one, also after a loss of power. If the block fails, the
    old file stays and the temporary one goes.

    Args:
        path: The file, in a folder that exists.
        shared: Whether other processes may write the same file at this moment.
    """
    unique = f".{secrets.token_hex(4)}" if shared else ""
    part = path.with_name(f".{path.name}{unique}.part")
    part.unlink(missing_ok=True)
    try:
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
