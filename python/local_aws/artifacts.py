"""Trino's archives: fetched by Maven, checked, unpacked into a cache folder once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TRINO = "476"
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_NEEDED_DISK = 2_000_000_000


class StackError(Exception):
    """The local AWS cannot do what was asked: what is wrong, and what to do."""


@dataclass(frozen=True)
class Archive:
    """One archive of Maven's repository, and the folder of Trino's home that it fills."""

    artifact: str
    packaging: str
    sha256: str
    folder: str
    megabytes: int

    @property
    def file_name(self) -> str:
        """Name that Maven gives the file."""
        return f"{self.artifact}-{TRINO}.{self.packaging}"

    @property
    def coordinates(self) -> str:
        """What Maven is asked for."""
        return f"io.trino:{self.artifact}:{TRINO}:{self.packaging}"


ARCHIVES = (
    Archive(
        "trino-server-core",
        "tar.gz",
        "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
        ".",
        194,
    ),
    Archive(
        "trino-hive",
        "zip",
        "611bacdb07d9f3cf7b9d47f97ecc76fa2e7ff8bfe8a9728c3d06adc1bfb8662e",
        "plugin/hive",
        258,
    ),
    Archive(
        "trino-iceberg",
        "zip",
        "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c",
        "plugin/iceberg",
        346,
    ),
)


def cache_folder() -> Path:
    """Where archives and the unpacked Trino are kept: LOCAL_AWS_CACHE or ~/.cache/local-aws."""
    return Path(os.environ.get("LOCAL_AWS_CACHE", "~/.cache/local-aws")).expanduser().resolve()


def missing() -> str | None:
    """What keeps this machine from having Trino; None if nothing does."""
    cache = cache_folder()
    if _home(cache).is_dir() or shutil.which("mvn"):
        return None
    absent = [a.file_name for a in ARCHIVES if not (cache / "downloads" / a.file_name).is_file()]
    if not absent:
        return None
    return (
        "Maven (`mvn`) is not installed, and Trino is fetched through it. Install Maven, or put "
        f"{', '.join(absent)} into {cache / 'downloads'} by hand."
    )


def trino_home(say: Callable[[str], None]) -> Path:
    """The unpacked Trino; fetched and unpacked first where the cache does not have it.

    Args:
        say: Told what is going on.

    Raises:
        StackError: Maven, an archive or disk space is missing, or an archive is not what it
            should be.
    """
    cache = cache_folder()
    if _home(cache).is_dir():
        return _home(cache)
    (cache / "downloads").mkdir(parents=True, exist_ok=True)
    with _only_one(cache):
        if not _home(cache).is_dir():
            _fill(cache, say)
    return _home(cache)


def _home(cache: Path) -> Path:
    return cache / f"trino-{TRINO}"


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fill(cache: Path, say: Callable[[str], None]) -> None:
    if (free := shutil.disk_usage(cache).free) < _NEEDED_DISK:
        raise StackError(
            f"Trino needs 2 GB of disk for its download and its files; {cache} has "
            f"{free / 1e9:.1f} GB. Free some, or set LOCAL_AWS_CACHE to another disk."
        )
    downloads = cache / "downloads"
    for archive in ARCHIVES:
        if not (downloads / archive.file_name).is_file():
            say(f"fetching {archive.coordinates} through Maven ({archive.megabytes} MB)")
            _fetch(archive, downloads)
        _check(archive, downloads / archive.file_name)
    part = cache / f".trino-{TRINO}"
    shutil.rmtree(part, ignore_errors=True)
    for archive in ARCHIVES:
        say(f"unpacking {archive.file_name}")
        _unpack(downloads / archive.file_name, part / archive.folder)
    # Renamed last, so that half of it is never taken for the whole.
    part.rename(_home(cache))


def _fetch(archive: Archive, downloads: Path) -> None:
    if not shutil.which("mvn"):
        raise StackError(missing() or "Maven is not installed.")
    fetched = subprocess.run(
        [
            "mvn",
            "--batch-mode",
            "--quiet",
            _DEPENDENCY_PLUGIN,
            f"-Dartifact={archive.coordinates}",
            f"-DoutputDirectory={downloads}",
        ],
        capture_output=True,
        text=True,
    )
    if fetched.returncode or not (downloads / archive.file_name).is_file():
        tail = "\n".join((fetched.stdout + fetched.stderr).strip().splitlines()[-6:])
        raise StackError(
            f"Maven could not fetch {archive.coordinates}:\n{tail}\n"
            "Mend the connection or Maven's settings and give the command again: what was "
            "fetched is kept."
        )


def _check(archive: Archive, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != archive.sha256:
        path.unlink()
        raise StackError(
            f"{archive.file_name} is not the file that was published (sha256 {found}); it was "
            "deleted. Give the command again."
        )


def _unpack(archive: Path, target: Path) -> None:
    """Unpack into a folder without the archive's own first folder."""
    loose = target.with_name(f".{target.name or 'home'}.unpacked")
    shutil.rmtree(loose, ignore_errors=True)
    loose.mkdir(parents=True)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as file:
            # extractall leaves out absolute paths and `..` by itself.
            file.extractall(loose)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(loose, filter="data")
    inside = list(loose.iterdir())
    root = inside[0] if len(inside) == 1 and inside[0].is_dir() else loose
    target.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        path.rename(target / path.name)
    shutil.rmtree(loose)
