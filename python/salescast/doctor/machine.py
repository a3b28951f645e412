"""Checks of this machine: what is installed, the home, and DuckDB's files in it."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import sys
import tempfile
from functools import partial
from importlib import metadata
from pathlib import Path

from salescast.dbt_project import version_problem
from salescast.disk import NEEDS_HOME
from salescast.doctor.check import Check, Outcome, failed, not_checked, ok, warning
from salescast.errors import UserError
from salescast.forecaster import open_forecaster
from salescast.lake.lock import lock_owner
from salescast.recipes import needed_libraries
from salescast.recipes.catalogue import read_models
from salescast.settings import Settings

_TOLD = {
    "dev": ("dbt-core", "dbt-duckdb", "duckdb", "pyarrow"),
    "athena": ("dbt-core", "dbt-athena", "boto3", "duckdb", "pyarrow"),
}
_LEAST_FREE_DISK = 2e9
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def machine_checks(settings: Settings) -> list[Check]:
    """What every target needs of the machine, and the DuckDB files of this one."""
    files = {"marts file": settings.marts_file}
    if settings.target == "dev":
        files = {"warehouse file": settings.warehouse_file, **files}
    return [
        Check("versions", partial(_versions, settings.target)),
        Check("dbt project", partial(_project, settings)),
        Check("home", partial(_home, settings.home)),
        Check("lock of the home", partial(_lock, settings.home), needs=("home",)),
        Check("memory", partial(_memory, settings.memory_limit)),
        Check("forecaster", partial(_forecaster, settings), needs=("dbt project",)),
        *(Check(name, partial(_duckdb_file, path)) for name, path in files.items()),
    ]


def _versions(target: str) -> Outcome:
    """Compare what is installed with what the package asks for."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        about = metadata.metadata("salescast")
        asked = [Requirement(text) for text in metadata.requires("salescast") or ()]
    except metadata.PackageNotFoundError:
        return not_checked(
            "salescast runs without being installed, so nothing says which versions it needs",
            "Run `make install`.",
        )
    wrong = []
    python = platform.python_version()
    if not SpecifierSet(about["Requires-Python"]).contains(python):
        wrong.append(f"Python is {python}, needed is {about['Requires-Python']}")
    for each in asked:
        # What belongs to another extra is checked by whoever needs it.
        extra = "aws" if target == "athena" else ""
        if each.marker and not each.marker.evaluate({"extra": extra}):
            continue
        try:
            version = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{each.name} is missing, needed is {each}")
            continue
        if not each.specifier.contains(version, prereleases=True):
            wrong.append(f"{each.name} is {version}, needed is {each}")
    if wrong:
        return failed(
            "; ".join(wrong),
            f"Run `make install`, or install salescast anew into {sys.prefix} with pip or uv.",
        )
    versions = (f"{name} {metadata.version(name)}" for name in _TOLD[target])
    return ok(", ".join((f"Python {python}", *versions)))


def _project(settings: Settings) -> Outcome:
    """Find the dbt project, read a var of it and compare its version with the program's."""
    found = f"{settings.project}, {settings.default_horizon} weeks ahead by default"
    if (problem := version_problem(settings.project)) is not None:
        return warning(*problem)
    return ok(found)


def _home(home: Path) -> Outcome:
    """Write into the home, or see whether it could be made; look for room on its disk."""
    try:
        place = next(folder for folder in (home, *home.parents) if folder.exists())
        # Rights alone do not say what a system takes: what is made here goes at once.
        if place == home:
            with tempfile.TemporaryFile(dir=home) as probe:
                probe.write(b"probe\n")
        else:
            with tempfile.TemporaryDirectory(dir=place, prefix=".salescast-"):
                pass
    except OSError as error:
        return failed(f"{home} cannot be written to: {error.strerror or error}", NEEDS_HOME)
    free = shutil.disk_usage(place).free
    found = f"{home}{'' if place == home else ' (made when needed)'}, {free / 1e9:,.1f} GB free"
    if free < _LEAST_FREE_DISK:
        return warning(
            found,
            f"Free {_LEAST_FREE_DISK / 1e9:.0f} GB at least: DuckDB spills to the home what does "
            "not fit its memory.",
        )
    return ok(found)


def _lock(home: Path) -> Outcome:
    """See whether a command is at work in this home, without getting in its way."""
    if not _is_held(home):
        return ok("free")
    owner = lock_owner(home)
    return warning(
        f"{owner.get('command', 'an unknown command')} is at work (process "
        f"{owner.get('pid', '?')} on {owner.get('host', 'this machine')}, since "
        f"{owner.get('since', 'unknown')})",
        "Wait until it has ended, or stop it; other commands that write are refused until then.",
    )


def _is_held(home: Path) -> bool:
    try:
        with (home / "lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def _memory(limit: str) -> Outcome:
    """Compare DuckDB's limit with what this machine or container has."""
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if _CONTAINER_LIMIT.is_file():
        text = _CONTAINER_LIMIT.read_text(encoding="utf-8").strip()
        has = min(has, int(text)) if text.isdigit() else has
    number, unit, binary = re.fullmatch(r"([0-9.]+)\s?([KMGT])(i?)B", limit).groups()  # type: ignore[union-attr]
    asked = float(number) * (1024 if binary else 1000) ** _POWERS[unit]
    found = f"DuckDB may use {limit} of {has / 1e9:,.1f} GB"
    if asked > has:
        return warning(found, f"Set SALESCAST_MEMORY_LIMIT to {has / 2e6:.0f}MB or less.")
    return ok(found)


def _forecaster(settings: Settings) -> Outcome:
    """Ask the forecaster whether a job of models.toml could start; SQL models need none."""
    models = read_models(settings.project / "models.toml")
    forecaster = open_forecaster(settings)
    try:
        forecaster.check_ready(needed_libraries(models.values()))
    except UserError as error:
        # Without the libraries of the local one, SQL models run all the same.
        tell = failed if settings.forecaster == "sagemaker" else warning
        return tell(f"{error.what} ({error.where})", error.fix or "")
    return ok(forecaster.program)


def _duckdb_file(path: Path) -> Outcome:
    """Open a file that may be there, to read."""
    import duckdb

    if not path.is_file():
        return ok("not there yet")
    if _is_held(path.parent):
        # Its dbt may be about to open the file, which it could not while we read.
        return not_checked("a command is at work in this home")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute(
                "select tags['storage_version'] from duckdb_databases() where not internal"
            ).fetchone()
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        if "lock" in first_line:
            return warning(
                f"{path} is open in another program",
                "Close it (a bare `dbt build`, a DuckDB shell, a notebook).",
            )
        return failed(
            f"DuckDB {duckdb.__version__} cannot open {path}: {first_line}",
            "If a newer DuckDB wrote it, install that version. Otherwise delete it and run "
            "`salescast build`: what is in it comes from the lake.",
        )
    return ok(f"{path}, written for DuckDB {row[0] if row else 'unknown'}")
