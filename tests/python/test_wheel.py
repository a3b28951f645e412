"""A wheel, built by way of the sdist and used outside the repository, has all that it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

import salescast

pytestmark = pytest.mark.dbt

REPOSITORY = Path(__file__).parents[2]
ROOT_FILES = ("dbt_project.yml", "models.toml", "profiles.yml", "selectors.yml")
FOLDERS = ("macros/", "mappings/", "models/", "seeds/", "tests/")
BUILD = "import sys; from setuptools import build_meta; build_meta.{step}(sys.argv[1])"


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty folder to work in."""

    python: Path
    packages: Path
    folder: Path

    def call(self, *arguments: str, cwd: Path, code: int = 0) -> str:
        """Run this environment's Python outside the repository; returns all that it prints."""
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SALESCAST_", "PYTHON"))
        }
        result = subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd,
            env={
                **outside,
                "HOME": str(self.folder / "user"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "SALESCAST_MEMORY_LIMIT": "1GB",
                "SALESCAST_THREADS": "2",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert result.returncode == code, result.stdout
        return result.stdout

    def salescast(self, *arguments: str, cwd: Path, code: int = 0) -> str:
        return self.call("-m", "salescast", *arguments, cwd=cwd, code=code)


def repository_files() -> list[str]:
    """Files that git knows, or would take."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def build(step: str, source: Path, to: Path) -> Path:
    """Carry out a step as a build frontend does, without the network; returns what it made."""
    to.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", BUILD.format(step=step), str(to)]
    result = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (made,) = to.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel from an sdist from a copy of the repository, as a release is built."""
    folder = tmp_path_factory.mktemp("build")
    for name in repository_files():
        copy = folder / "repository" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, copy)
    sdist = build("build_sdist", folder / "repository", folder / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build("build_wheel", folder / sdist.name.removesuffix(".tar.gz"), folder / "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, with the libraries of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.check_output([str(python), "-c", ask], text=True).strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A folder that a .pth names is searched, but its own .pth files are not read: no editable one.
    libraries = sysconfig.get_path("purelib")
    (packages / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    for path in (packages / "salescast").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (folder / "user").mkdir()
    return Installed(python, packages, folder)


def contents(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of all files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_it_holds_one_package_and_the_whole_project(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    about = f"salescast-{salescast.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"salescast", about}
    held = {name for name in names if name.startswith("salescast/project/")}
    project = {
        f"salescast/project/{name}"
        for name in repository_files()
        if name in ROOT_FILES or (name.startswith(FOLDERS) and not name.startswith("tests/python/"))
    }
    assert held == project
    modules = {name for name in names if name.endswith(".py")}
    assert modules == {
        name.removeprefix("python/")
        for name in repository_files()
        if name.startswith("python/salescast/") and name.endswith(".py")
    }


def test_a_week_in_a_project_that_init_wrote(installed: Installed) -> None:
    folder = installed.folder
    told = installed.salescast("init", "shop", cwd=folder)
    shop = folder / "shop"
    assert str(shop) in told
    # A change of the project is what runs, not the program's own copy.
    shutil.copyfile(shop / "mappings" / "demo.yml", shop / "mappings" / "mine.yml")
    project = shop / "dbt_project.yml"
    text = project.read_text(encoding="utf-8").replace(f'"{salescast.__version__}"', '"0.0.1"')
    project.write_text(text, encoding="utf-8")

    written = contents(shop)
    size = ("--stores", "2", "--departments", "2")
    installed.salescast("simulate", "var/demo", *size, cwd=shop)
    installed.salescast("ingest", "var/demo", "--mapping", "mine", cwd=shop)
    ran = installed.salescast("run", "--model", "snaive_52", "--backtests", "1", cwd=shop)
    assert f"version 0.0.1, the program of {salescast.__version__}" in ran
    installed.salescast("report", cwd=shop)

    assert (shop / "var" / "report.html").stat().st_size > 10_000
    with duckdb.connect(str(shop / "var" / "marts.duckdb"), read_only=True) as marts:
        row = marts.execute(
            "select count(*), count(actual) from salescast_marts.fct_forecast_vs_actual"
        ).fetchone()
    assert row == (2 * 2 * 13, 2 * 2 * 13)
    home = shop / "var"
    assert {p: s for p, s in contents(shop).items() if not p.is_relative_to(home)} == written
    assert not list((folder / "user").iterdir())


def test_it_builds_in_place_and_writes_only_to_its_home(installed: Installed) -> None:
    where = "import salescast.dbt_project as p; print(p.__file__, p.own_project())"
    package = installed.packages / "salescast"
    elsewhere = installed.folder / "elsewhere"
    elsewhere.mkdir()
    told = installed.call("-c", where, cwd=elsewhere).split()
    assert told == [str(package / "dbt_project.py"), str(package / "project")]

    before = contents(installed.packages)
    installed.salescast("build", cwd=elsewhere)
    assert contents(installed.packages) == before
    assert [path.name for path in elsewhere.iterdir()] == ["var"]
    assert (elsewhere / "var" / "marts.duckdb").is_file()
    assert not list((installed.folder / "user").iterdir())
