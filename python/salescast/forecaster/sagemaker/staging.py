"""Files of a run on S3: put there in exact parts, and fetched back as one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import BinaryIO

from salescast.files import whole_file
from salescast.forecaster import UnusableOutput
from salescast.s3 import Prefix

_BLOCK = 1 << 20

LARGEST_PART = 1 << 30
"""Bytes; a fifth of what S3 takes at once."""


def put_exactly(prefix: Prefix, files: Mapping[str, Path]) -> None:
    """Make a prefix hold these files and nothing else.

    Each is put again even if one of its name is there: its size alone would not tell that it is
    the same, and a put is whole or not at all for a job that reads it.
    """
    if prefix.sizes("").keys() - files.keys():
        prefix.delete_all()
    for name, path in files.items():
        prefix.upload(path, name, replace=True)


def n_parts(path: Path, n_machines: int) -> int:
    """Parts of an input: one a machine at least, and none much larger than LARGEST_PART."""
    return max(n_machines, ceil(path.stat().st_size / LARGEST_PART))


def split_lines(path: Path, n: int, folder: Path) -> dict[str, Path]:
    """Split a file of lines into at most n parts of about the same size, none of them empty.

    Args:
        path: The file.
        n: Number of parts.
        folder: Where they are written, emptied first.

    Returns:
        The parts by their names, in the order of their lines.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    parts: dict[str, Path] = {}
    with path.open("rb") as lines:
        for start, end in pairwise(_cuts(path, n)):
            name = f"part-{len(parts):04d}.json"
            lines.seek(start)
            parts[name] = folder / name
            with parts[name].open("wb") as part:
                _copy(lines, part, end - start)
    return parts


def join_output(prefix: Prefix, inputs: list[str], to: Path) -> None:
    """Fetch the outputs of a transform and join them in the order of its inputs.

    Whether they hold a line for each item is for the check of the output, which knows the items.

    Args:
        prefix: Where the job wrote.
        inputs: Names of its input objects; the output of each has `.out` added.
        to: The joined file, which appears when it is whole.

    Raises:
        UnusableOutput: The output of an input is missing, or there is one too much.
    """
    found = sorted(prefix.sizes(""))
    names = {name.rsplit("/", 1)[-1]: name for name in found}
    wanted = [f"{name}.out" for name in sorted(inputs)]
    if sorted(names) != wanted or len(names) != len(found):
        raise UnusableOutput(
            f"The transform left {len(found)} outputs for {len(wanted)} inputs: "
            f"{', '.join(found) or 'none'}.",
            where=prefix.uri,
            fix="`salescast run --resume` forecasts once more.",
        )
    folder = to.parent / "parts"
    to.parent.mkdir(parents=True, exist_ok=True)
    prefix.download_all([names[name] for name in wanted], folder)
    with whole_file(to) as joined, joined.open("wb") as file:
        for name in wanted:
            with (folder / names[name]).open("rb") as part:
                _copy(part, file)
    shutil.rmtree(folder)


def _cuts(path: Path, n: int) -> list[int]:
    """Places in a file that begin a part, and its end: each the begin of a line."""
    size = path.stat().st_size
    cuts = {0, size}
    with path.open("rb") as lines:
        for part in range(1, n):
            # One byte before, so that a place that begins a line is kept.
            lines.seek(max(0, size * part // n - 1))
            lines.readline()
            cuts.add(lines.tell())
    return sorted(cuts)


def _copy(source: BinaryIO, target: BinaryIO, n_bytes: int | None = None) -> None:
    """Copy bytes in blocks; the last line gets its end."""
    last, left = b"\n", n_bytes
    while block := source.read(_BLOCK if left is None else min(_BLOCK, left)):
        target.write(block)
        last = block[-1:]
        left = None if left is None else left - len(block)
    if last != b"\n":
        target.write(b"\n")
