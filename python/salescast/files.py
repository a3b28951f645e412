"""Files that appear whole: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DAY = 86_400.0


@contextmanager
def whole_file(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give another path; what the block wrote there takes the file's name at its end.

    Readers see the old file or the new one, also after a loss of power. If the block fails, the
    old file stays and nothing is left of the new one. The path lies in a folder beside the file
    with a random name, which nobody else may write and no link can stand for; it has the file's own
    name there.

    Args:
        path: The file, in a folder that exists.
        shared: Whether other processes may write the same file at this moment.
    """
    _remove_leftovers(path, older_than=_DAY if shared else 0.0)
    folder = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    # Fails where something of that name is there already.
    folder.mkdir(mode=0o700)
    try:
        part = folder / path.name
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def final_path(path: Path) -> Path:
    """The file that people know, for a path that `whole_file` made; any other path as it is."""
    for folder in (path, path.parent):
        if made := re.fullmatch(r"\.(.+)\.[0-9a-f]{16}\.part", folder.name):
            return folder.parent / made[1]
    return path


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path, *, older_than: float) -> None:
    """Remove what killed commands left of a file."""
    left = re.compile(rf"\.{re.escape(path.name)}(\.[0-9a-f]+)?\.part")
    for each in path.parent.iterdir():
        if not left.fullmatch(each.name):
            continue
        # Another user's, or one that its owner removes just now.
        with suppress(OSError):
            if time.time() - each.lstat().st_mtime < older_than:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
