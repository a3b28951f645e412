"""Disks of a given size in memory, for tests as root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SIZES = (0, 8 << 10, 64 << 10, 1 << 20, 13 << 20)
"""Bytes that are free on a disk that is nearly full."""


@dataclass(frozen=True)
class Tmpfs:
    """A disk, and the file that fills it."""

    place: Path

    @property
    def _filler(self) -> Path:
        return self.place / "filler"

    def leave(self, n_bytes: int) -> None:
        """Fill the disk but for some bytes, a multiple of a page."""
        with self._filler.open("wb") as file:
            file.write(bytes(_free(self.place) - n_bytes))
        assert _free(self.place) == n_bytes

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@contextmanager
def mounted(place: Path, n_bytes: int) -> Iterator[Tmpfs]:
    """A disk of a size, there while the block runs."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={n_bytes}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield Tmpfs(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


@cache
def _can_mount() -> bool:
    with TemporaryDirectory() as folder:
        options = ["-t", "tmpfs", "-o", "size=4096", "tmpfs", folder]
        try:
            if subprocess.run(["mount", *options], capture_output=True).returncode:
                return False
        except FileNotFoundError:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


needs_mounts = pytest.mark.skipif(
    not _can_mount(), reason="NOT RUN: this user may not mount a disk of its own"
)
