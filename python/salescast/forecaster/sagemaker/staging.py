"""Files of a run on S3: put there in exact parts, and fetched back as one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from salescast.errors import RunError
from salescast.s3 import Prefix

_BLOCK = 1 << 20


class UnusableOutput(RunError):
    """A job is Completed, but did not leave what it should."""


def put_exactly(prefix: Prefix, files: Mapping[str, Path]) -> None:
    """Make a prefix hold these files and nothing else.

    What is in place already is not touched: a job that a killed command started may read it.
    """
    wanted = {name: path.stat().st_size for name, path in files.items()}
    held = prefix.sizes("")
    if any(wanted.get(name) != size for name, size in held.items()):
        prefix.delete_all()
        held = {}
    for name in wanted.keys() - held.keys():
        prefix.upload(files[name], name, replace=True)


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


def join_output(prefix: Prefix, inputs: list[str], to: Path, n_lines: int) -> None:
    """Fetch the outputs of a transform and join them in the order of its inputs.

    Args:
        prefix: Where the job wrote.
        inputs: Names of its input objects; the output of each has `.out` added.
        to: The joined file, which appears when it is whole.
        n_lines: Lines of all inputs together.

    Raises:
        UnusableOutput: An output is missing, too much, or has lost lines.
    """
    found = {name.rsplit("/", 1)[-1]: name for name in prefix.sizes("")}
    wanted = [f"{name}.out" for name in sorted(inputs)]
    if sorted(found) != wanted:
        raise UnusableOutput(
            f"The transform left {len(found)} outputs for {len(wanted)} inputs: "
            f"{', '.join(sorted(found)) or 'none'}.",
            where=prefix.uri,
            fix="`salescast run --resume` forecasts once more.",
        )
    folder = to.parent / "parts"
    to.parent.mkdir(parents=True, exist_ok=True)
    prefix.download_all([found[name] for name in wanted], folder)
    joined = to.with_name(f".{to.name}.part")
    n_found = 0
    with joined.open("wb") as file:
        for name in wanted:
            with (folder / found[name]).open("rb") as part:
                n_found += _copy(part, file)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(folder)
    if n_found != n_lines:
        joined.unlink()
        raise UnusableOutput(
            f"The transform answered {n_found:,} of {n_lines:,} records.",
            where=prefix.uri,
            fix="`salescast run --resume` forecasts once more.",
        )
    joined.replace(to)


def count_lines(path: Path) -> int:
    """Lines of a file, read in blocks."""
    with path.open("rb") as lines, Path(os.devnull).open("wb") as nowhere:
        return _copy(lines, nowhere)


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


def _copy(source: BinaryIO, target: BinaryIO, n_bytes: int | None = None) -> int:
    """Copy bytes in blocks; returns the lines, of which the last one gets its end."""
    n_lines, last, left = 0, b"\n", n_bytes
    while block := source.read(_BLOCK if left is None else min(_BLOCK, left)):
        target.write(block)
        n_lines += block.count(b"\n")
        last = block[-1:]
        left = None if left is None else left - len(block)
    if last != b"\n":
        target.write(b"\n")
        n_lines += 1
    return n_lines
