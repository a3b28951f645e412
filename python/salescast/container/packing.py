"""A model folder as model.tar.gz, and back."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path

from salescast.container.errors import ContractError


def pack_model(model_dir: Path, tar_path: Path) -> None:
    """Pack a model folder as model.tar.gz, the same bytes for the same files.

    The archive appears under its name only when complete.
    """
    temporary = tar_path.with_name(f".{tar_path.name}.part")
    tar_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as archive,
        ):
            for path in sorted(model_dir.rglob("*")):
                archive.add(
                    path,
                    arcname=path.relative_to(model_dir).as_posix(),
                    recursive=False,
                    filter=_anonymous,
                )
        temporary.replace(tar_path)
    finally:
        temporary.unlink(missing_ok=True)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop owner, times and special bits, so that an archive depends on its files alone."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def unpack_model(tar_path: Path, target_dir: Path) -> None:
    """Unpack model.tar.gz into a folder; members that leave it are refused.

    Raises:
        ContractError: The archive is broken or holds an unsafe member.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(tar_path, mode="r:gz") as archive:
            archive.extractall(target_dir, filter="data")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ContractError(f"{tar_path.name}: cannot be unpacked: {error}") from error
