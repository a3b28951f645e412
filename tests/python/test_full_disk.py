"""Disks without room, folders that are read-only or another user's: every command tells it once."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from salescast import disk
from salescast.cli import cli
from salescast.errors import RunError
from salescast.lake import Lake
from salescast.lake.lock import hold_lock
from salescast.simulate import simulate
from salescast.week.batch import Batch, BatchRecord, batch_folders
from support.home import REPOSITORY
from support.tmpfs import SIZES, mounted, needs_mounts

NOBODY = 65534
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2

FINISHED = "20261101t000000-ab12"

COMMANDS: dict[str, tuple[str, ...]] = {
    "init": ("init", "PLACE/shop"),
    "simulate": ("simulate", "PLACE/sim", "--stores", "3", "--departments", "4", "--weeks", "60"),
    "map": ("map", "DATA", "--out", "PLACE/drafted.yml"),
    "ingest": ("ingest", "NEW", "--mapping", "demo", "--yes"),
    "ingest --check": ("ingest", "NEW", "--mapping", "demo", "--check"),
    "ingest --retract": ("ingest", "--retract", "LOAD", "--reason", "wrong"),
    "champion set": ("champion", "set", "deepar", "--reason", "better"),
    "champion rollback": ("champion", "rollback"),
    "withdraw": ("withdraw", "20261122t000000-ab12", "--reason", "wrong"),
    "run": ("run", "--model", "snaive_52"),
    "run --resume": ("run", "--resume"),
    "backtest": ("backtest", "--cutoff", "2026-08-01", "--model", "snaive_52"),
    "build": ("build",),
    "export": ("export",),
    "train": ("train",),
    "predict": ("predict",),
    "load": ("load",),
    "report": ("report",),
    "prune": ("prune", "--older-than", "0"),
    "demo": ("demo", "--model", "snaive_52"),
}
"""Every command that writes."""

BUILDING = {"ingest --check", "run", "run --resume", "backtest", "build", "demo"}
"""Those that start dbt where there is room; with room end_to_end/test_full_disk_in_a_week does."""


@dataclass(frozen=True)
class Base:
    """A home with landed sales, a choice, an old batch and one to go on with."""

    home: Path
    data: Path
    new: Path
    load: str

    def arguments(self, command: str, place: Path) -> list[str]:
        words = {"DATA": self.data, "NEW": self.new, "LOAD": self.load}
        return [
            str(words.get(each, each)).replace("PLACE", str(place)) for each in COMMANDS[command]
        ]


def save_batch(home: Path, batch_id: str, status: str) -> None:
    record = BatchRecord.model_validate(
        {
            "batch_id": batch_id,
            "command": "run",
            "arguments": {},
            "created_at": datetime(2026, 11, 1, tzinfo=UTC),
            "status": status,
            "requests": [],
            "prediction_length": 4,
            "models": ["snaive_52"],
        }
    )
    Batch(record, home / "batches" / batch_id, Lake(home / "lake")).save()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    home, data, new = folder / "home", folder / "data", folder / "new"
    simulate(data, stores=1, departments=1, weeks=60)
    simulate(new, stores=2, departments=3, weeks=60, seed=8)
    for arguments in (
        ("ingest", str(data), "--mapping", "demo"),
        ("champion", "set", "deepar", "--reason", "x"),
        ("champion", "set", "snaive_52", "--reason", "x"),
    ):
        result = call(home, *arguments)
        assert result.exit_code == 0, result.output
    save_batch(home, FINISHED, "done")
    work = home / "batches" / FINISHED / "run"
    work.mkdir()
    (work / "inference.json").write_bytes(bytes(100_000))
    save_batch(home, "20261122t000000-ab12", "unfinished")
    return Base(home, data, new, Lake(home / "lake").names("raw_sales")[0])


def call(home: Path, *arguments: str) -> Result:
    environment = {
        "SALESCAST_HOME": str(home),
        "SALESCAST_PROJECT_DIR": str(REPOSITORY),
        "SALESCAST_TARGET": None,
        "SALESCAST_FORECASTER": None,
    }
    return CliRunner(env=environment).invoke(cli, list(arguments), prog_name="salescast")


def check_words(output: str) -> None:
    """What, where and what to do, once."""
    assert "Traceback" not in output
    assert "unexpected" not in output
    assert "Errno" not in output
    assert output.count("Error: ") == 1
    assert output.count("  where: ") == 1
    assert output.count("  fix:   ") == 1


def half_written(folder: Path) -> list[str]:
    return [
        path.name
        for path in folder.rglob(".*")
        if path.suffix in (".part", ".tmp") or ".wal" in path.name
    ]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of two megabytes, without the marts."""
    source = SimpleNamespace(missing_tables=lambda: [])
    monkeypatch.setattr("salescast.report.write.open_marts", lambda *_, **__: nullcontext(source))
    monkeypatch.setattr("salescast.report.write.page_content", lambda _: {})
    monkeypatch.setattr("salescast.report.write.render", lambda _: "x" * 2_000_000)


# A full disk


@needs_mounts
@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("n_bytes", "command"),
    [(n, name) for n in SIZES for name in COMMANDS if n == 0 or name not in BUILDING],
)
def test_a_full_disk_is_told_and_with_room_the_command_works(
    tmp_path: Path, base: Base, n_bytes: int, command: str
) -> None:
    with mounted(tmp_path / "disk", n_bytes + (64 << 20)) as tmpfs:
        home = tmpfs.place / "home"
        shutil.copytree(base.home, home)
        tmpfs.leave(n_bytes)
        landed = files_of(home / "lake")
        arguments = base.arguments(command, tmpfs.place)
        result = call(home, *arguments)
        assert half_written(tmpfs.place) == []
        if command == "prune":
            assert result.exit_code == 0, result.output
            assert "1 removed" in result.output
            assert not (home / "batches" / FINISHED / "run").exists()
            return
        if result.exit_code != 0 and "The disk is full" not in result.output:
            # These have room for what is wrong with the batch, which has neither begun nor landed.
            assert command in ("export", "train", "predict", "load", "withdraw")
            assert n_bytes
            return
        if n_bytes == 0:
            assert result.exit_code == 1
        if result.exit_code:
            check_words(result.output)
            assert "Free some space, then " in result.output
            assert str(tmpfs.place) in result.output
            assert not (tmpfs.place / "shop").exists()
            if "ingest" in command or "champion" in command:
                assert files_of(home / "lake") == landed
        tmpfs.free()
        can_be_done = ("ingest", "ingest --retract", "champion set", "simulate", "map", "init")
        if result.exit_code and command in can_be_done:
            again = call(home, *arguments)
            assert again.exit_code == 0, again.output


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_command_of_a_batch_says_how_it_goes_on(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(base.home, home)

    def refuse(*_: object, **__: object) -> None:
        raise disk.full(home / "warehouse.duckdb")

    monkeypatch.setattr("salescast.lake.lock.hold_locks", refuse)
    assert "then go on with `salescast run --resume`" in call(home, "run").stderr
    assert "then give the command again" in call(home, "build").stderr


def test_prune_goes_on_without_the_name_of_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("salescast.lake.lock._write_owner", no_room)
    with pytest.raises(disk.DiskError), hold_lock(tmp_path, "salescast run"):
        raise AssertionError("it has begun")
    with (
        hold_lock(tmp_path, "salescast prune", frees_room=True),
        pytest.raises(RunError, match="Another command"),
        hold_lock(tmp_path, "salescast prune", frees_room=True),
    ):
        raise AssertionError("two have begun")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_the_first_error_is_told_where_the_record_cannot_be_kept_either(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    shutil.copytree(base.home, tmp_path / "home")
    folder = batch_folders(tmp_path / "home" / "batches")[-1]
    record = BatchRecord.model_validate_json((folder / "batch.json").read_bytes())
    batch = Batch(record, folder, Lake(tmp_path / "home" / "lake"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(folder))

    monkeypatch.setattr(Batch, "save", refuse)

    def build() -> str:
        raise RunError("The first error.")

    with pytest.raises(RunError, match=r"The first error\."):
        batch.do("build", build)
    # One that says nothing of the disk is a fault, and is not hidden.
    monkeypatch.setattr(Batch, "save", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        batch.do("build", build)


# What may not be read or written


@needs_mounts
@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_read_only_disk_is_told(tmp_path: Path, base: Base, command: str) -> None:
    with mounted(tmp_path / "disk", 64 << 20) as tmpfs:
        shutil.copytree(base.home, tmpfs.place / "home")
        tmpfs.make_read_only()
        result = call(tmpfs.place / "home", *base.arguments(command, tmpfs.place))
    check_words(result.output)
    assert result.exit_code == 1
    assert "Read-only file system." in result.output
    assert str(tmpfs.place) in result.output


GIVE_ALL = """
import json, sys
from types import SimpleNamespace
from contextlib import nullcontext
from click.testing import CliRunner
import salescast.report.write as write
from salescast.cli import cli
write.open_marts = lambda *_, **__: nullcontext(SimpleNamespace(missing_tables=lambda: []))
write.page_content = lambda _: {}
write.render = lambda _: "x"
told = {}
for name, arguments in json.load(sys.stdin).items():
    result = CliRunner().invoke(cli, arguments, prog_name="salescast")
    told[name] = [result.exit_code, result.output]
print(json.dumps(told))
"""


@pytest.fixture
def place_of_another(base: Base) -> Iterator[Path]:
    """A folder that the user of `without_rights` may look into, and no more."""
    with tempfile.TemporaryDirectory(prefix="salescast-") as folder:
        place = Path(folder)
        for name, path in (("home", base.home), ("data", base.data), ("new", base.new)):
            shutil.copytree(path, place / name)
        for path in [place, *place.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
            if os.getuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        yield place
        for path in [place, *(each for each in place.rglob("*") if each.is_dir())]:
            path.chmod(0o755)


def become_an_ordinary_user() -> None:
    """Let go of root's rights over other users' files; root owns what Python needs."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.getuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            os._exit(77)


def without_rights(home: Path, commands: dict[str, list[str]]) -> dict[str, tuple[int, str]]:
    """Give commands as a user who owns none of it."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("SALESCAST_")}
    variables = {"SALESCAST_HOME": str(home), "SALESCAST_PROJECT_DIR": str(REPOSITORY)}
    found = subprocess.run(
        [sys.executable, "-c", GIVE_ALL],
        input=json.dumps(commands),
        env={**inherited, **variables, "PYTHONPATH": str(REPOSITORY / "python")},
        capture_output=True,
        text=True,
        preexec_fn=become_an_ordinary_user,
    )
    if found.returncode == 77:
        pytest.skip("NOT RUN: root may not let go of its rights here")
    assert found.returncode == 0, found.stderr
    answers: dict[str, tuple[int, str]] = json.loads(found.stdout)
    return answers


def test_folders_of_another_user_are_told(base: Base, place_of_another: Path) -> None:
    home = place_of_another / "home"
    own = Base(home, place_of_another / "data", place_of_another / "new", base.load)
    commands = {name: own.arguments(name, place_of_another) for name in COMMANDS}
    for name, (code, output) in without_rights(home, commands).items():
        check_words(output)
        assert code == 1, name
        assert "Permission denied." in output, name
        assert str(place_of_another) in output, name


def test_what_may_not_be_read_is_no_empty_lake(base: Base, place_of_another: Path) -> None:
    home = place_of_another / "home"
    readers = {"history": ["champion", "history"], "status": ["status"]}
    (home / "lake" / "champions").chmod(0o000)
    (home / "batches").chmod(0o000)
    for name, (code, output) in without_rights(home, readers).items():
        check_words(output)
        assert code == 1, name
        assert "Permission denied." in output, name


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_tells_what_the_system_says(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, number: int
) -> None:
    """Also where nothing can be mounted: the system refuses each folder and each file to write."""
    home = tmp_path / "home"
    shutil.copytree(base.home, home)
    monkeypatch.setattr("salescast.report.write.page_content", lambda _: {})

    def refuse(path: Any, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    source = SimpleNamespace(missing_tables=lambda: [])
    monkeypatch.setattr("salescast.report.write.open_marts", lambda *_, **__: nullcontext(source))
    result = call(home, *base.arguments(command, tmp_path))
    if command == "prune" and number in (errno.ENOSPC, errno.EDQUOT):
        assert result.exit_code == 0, result.output
        return
    check_words(result.output)
    assert result.exit_code == 1
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert ("The disk is full" if full else os.strerror(number)) in result.output
    assert str(tmp_path) in result.output


# Words of programs


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full", "/home"),
        ("PermissionError: [Errno 13] Permission denied: '/x/target/m.json'",
         "This user may not read or write the place: Permission denied.", "/x/target/m.json"),
        ("OSError: [Errno 30] Read-only file system: '/x'",
         "This user may not read or write the place: Read-only file system.", "/x"),
        ('Runtime Error\n  IO Error: Cannot open file "/x/w.duckdb.wal": Permission denied\n  more',
         "This user may not read or write the place: Permission denied.", "/x/w.duckdb.wal"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/x'", None, None),
        ("Athena: Permission denied on S3 path: s3://bucket/x", None, None),
    ],
)  # fmt: skip
def test_what_a_program_says_of_the_disk_is_understood(
    text: str, what: str | None, where: str | None
) -> None:
    found = disk.told_text(text, Path("/home"))
    if what is None:
        assert found is None
        return
    assert found is not None
    assert found.what.startswith(what)
    assert found.where == where


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("/out/.report.html.0123456789abcdef.part/report.html", "/out/report.html"),
        ("/out/.report.html.0123456789abcdef.part", "/out/report.html"),
        ("/home/lake/champions/.20261122t1314-ab12.tmp", "/home/lake/champions"),
        ("/home/.hidden/x", "/home/.hidden/x"),
    ],
)
def test_no_name_of_a_temporary_file_is_told(place: str, shown: str) -> None:
    assert disk.full(place).where == shown
