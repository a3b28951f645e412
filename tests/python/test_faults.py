"""What a machine or a stop does to a command: no traceback, but what, where and what to do."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from salescast import disk
from salescast.cli import cli
from salescast.errors import RunError, UserError
from salescast.ingest import IngestResult
from salescast.lake import Lake
from salescast.recipes import Model, needed_libraries
from salescast.recipes.catalogue import read_models
from salescast.settings import load_settings
from salescast.simulate import simulate
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.batch import Batch, BatchRecord

OF_A_BATCH = ("run", "backtest", "export", "train", "predict", "load", "demo")
ARGUMENTS = {
    "run": ("run",),
    "backtest": ("backtest", "--cutoff", "2026-01-31"),
    "ingest": ("ingest", "data"),
    "build": ("build",),
    "report": ("report",),
    "status": ("status",),
    "champion": ("champion", "show"),
    "prune": ("prune", "--older-than", "3"),
    "simulate": ("simulate", "data"),
    "init": ("init", "shop"),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TARGET", "FORECASTER", "SCHEMA", "THREADS", "MEMORY_LIMIT", "PROJECT_DIR"):
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def call(*arguments: str | Path) -> Result:
    """Give a command that fails; it tells no traceback, and nothing as unexpected."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments], prog_name="salescast")
    assert "Traceback" not in result.output
    assert "unexpected" not in result.output
    return result


def begin_batch(home: Path, status: str = "unfinished") -> Batch:
    batch_id = "20261122t000000-ab12"
    record = BatchRecord.model_validate(
        {
            "batch_id": batch_id,
            "command": "run",
            "arguments": {},
            "created_at": datetime.now(UTC),
            "status": status,
            "requests": [],
            "prediction_length": 4,
            "models": ["snaive_52"],
        }
    )
    batch = Batch(record, home / "batches" / batch_id, Lake(home / "lake"))
    batch.save()
    return batch


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """What a full disk does to whoever writes, children too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


# A stop


def stop(monkeypatch: pytest.MonkeyPatch, command: str, said: str = "") -> str:
    """Give a command that is interrupted at its first work; returns what it tells."""
    name = {
        "init": "salescast.init_project.init_project",
        "simulate": "salescast.simulate.simulate",
    }
    monkeypatch.setattr(
        name.get(command, "salescast.settings.load_settings"), raising(KeyboardInterrupt(said))
    )
    result = call(*ARGUMENTS.get(command, (command,)))
    assert result.exit_code == 1
    return result.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("ingest", "Stopped. Nothing was landed.\n"),
        ("report", "Stopped. No report was written.\n"),
        ("status", "Stopped.\n"),
        ("simulate", "Stopped. Give the command again: it writes its files anew.\n"),
        ("init", "Stopped. Delete what it wrote of the folder"),
        ("build", "`salescast build` does it again.\n"),
        ("champion", "`salescast champion show`"),
        ("prune", "give the command again for the rest"),
    ],
)
def test_a_stop_of_a_command_without_a_batch_names_no_resume(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, told: str
) -> None:
    begin_batch(home)
    said = stop(monkeypatch, command)
    assert said.startswith("Stopped.")
    assert told in said
    assert "resume" not in said


@pytest.mark.parametrize("command", OF_A_BATCH)
@pytest.mark.parametrize("status", ["none", "unfinished", "done"])
def test_a_stop_of_a_batch_tells_how_to_go_on_if_there_is_anything_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: str, status: str
) -> None:
    if status != "none":
        begin_batch(home, status)
    monkeypatch.setattr("salescast.lake.lock.hold_locks", raising(KeyboardInterrupt()))
    monkeypatch.setattr("salescast.simulate.simulate", raising(KeyboardInterrupt()))
    result = call(*ARGUMENTS.get(command, (command,)))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Stopped. `salescast run --resume` goes on with batch 20261122t000000-ab12."
        if status == "unfinished"
        else "Stopped. No batch was begun."
    )


def test_what_goes_on_elsewhere_is_told_as_it_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stop(monkeypatch, "run", "The job goes on.") == "Stopped. The job goes on.\n"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("raw_stores", "Nothing was landed"),
        ("raw_loads", "The delivery had landed already: nothing is left to do."),
    ],
)
def test_a_stop_of_a_landing_says_whether_its_record_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, told: str
) -> None:
    simulate(tmp_path / "data", stores=1, departments=1, weeks=60)

    def land_one(_: Path, __: object, lake: Lake, **___: object) -> IngestResult:
        lake.append(table, [{"load_id": "x"}])
        raise KeyboardInterrupt

    monkeypatch.setattr("salescast.ingest.ingest", land_one)
    said = call("ingest", tmp_path / "data", "--mapping", "demo").stderr
    assert said.splitlines()[-1].startswith(f"Stopped. {told}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_ctrl_c_in_a_landing_leaves_nothing(tmp_path: Path, number: int) -> None:
    data = tmp_path / "data"
    # So much that the command is still reading when the stop comes, on a busy machine too.
    simulate(data, stores=20, departments=20, weeks=160)
    process = subprocess.Popen(
        [sys.executable, "-m", "salescast", "ingest", str(data), "--mapping", "demo"],
        stderr=subprocess.PIPE,
        text=True,
    )
    owner = tmp_path / "home" / "lock.json"
    deadline = time.monotonic() + 60
    while not owner.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    # Python ends itself by SIGINT where the stop came in the midst of a class that is being made.
    assert process.returncode in (1, -signal.SIGINT), told
    assert told.splitlines()[-1] == "Stopped. Nothing was landed."
    assert "Traceback" not in told
    assert not list((tmp_path / "home").rglob("*.parquet"))


# A disk that is full, a home that may not be written to


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "This user may not read or write the place: Permission denied"),
        (errno.EROFS, "This user may not read or write the place: Read-only file system"),
        (errno.ENOTDIR, "A file stands where a folder is needed: Not a directory"),
    ],
)
@pytest.mark.parametrize("command", ["status", "run", "build", "ingest"])
def test_an_error_of_the_disk_is_told_wherever_it_comes(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str, command: str
) -> None:
    batch = begin_batch(home)
    place = str(home / "anything")
    error = OSError(number, os.strerror(number), place)
    monkeypatch.setattr(
        f"salescast.commands.{ {'run': 'start'}.get(command, command) }", raising(error)
    )
    result = call(*ARGUMENTS[command])
    assert result.exit_code == 1
    assert f"Error: {what}" in result.stderr
    assert f"where: {place}" in result.stderr
    assert "fix:" in result.stderr
    goes_on = "go on with `salescast run --resume`"
    assert (goes_on in result.stderr) == (command == "run")
    batch.finish()
    assert goes_on not in call(*ARGUMENTS[command]).stderr


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (duckdb.IOException('IO Error: Could not write file "/x/y.part": No space left on device'),
         "The disk is full"),
        (duckdb.OutOfMemoryException("failed to offload data block of size 256.0 KiB"),
         "The disk is full"),
        (duckdb.IOException('IO Error: Cannot open file "/x/y.part": Permission denied'),
         "This user may not read or write"),
        (duckdb.BinderException("Binder Error: no column x"), None),
        (ValueError("No space left on device"), None),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), None),
    ],
)  # fmt: skip
def test_duckdbs_words_for_the_disk_are_understood(error: Exception, what: str | None) -> None:
    found = disk.told(error, Path("/home"), "give the command again")
    if what is None:
        assert found is None
        return
    assert found is not None
    assert found.what.startswith(what)
    assert found.where == ("/x/y.part" if "/x/" in str(error) else "/home")


def test_a_fault_is_told_in_a_line_where_the_log_cannot_be_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "salescast.log").mkdir(parents=True)
    monkeypatch.setattr("salescast.commands.status", raising(ZeroDivisionError("a bug")))
    told = CliRunner().invoke(cli, ["status"]).stderr.splitlines()
    assert told[0] == "Error: unexpected ZeroDivisionError: a bug"
    assert len(told) == 2
    assert "test_faults.py, line" in told[1]
    assert f"the log {home / 'salescast.log'} cannot be written" in told[1]


@pytest.mark.parametrize("kind", ["a file", "below a file", "no rights", "in /proc"])
def test_a_home_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    home = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "home",
        "no rights": tmp_path / "home",
        "in /proc": Path("/proc/1/home"),
    }[kind]
    monkeypatch.setenv("SALESCAST_HOME", str(home))
    if kind == "no rights":
        refused = PermissionError(errno.EACCES, "Permission denied", str(home))
        monkeypatch.setattr(Path, "mkdir", raising(refused))
    simulated = Path(__file__).parent
    for arguments in (("ingest", simulated, "--mapping", "demo"), ("build",), ("run",)):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "The home cannot be written to" in result.stderr
        assert f"where: {home}" in result.stderr
        assert "SALESCAST_HOME" in result.stderr
    assert call("status").exit_code == 0
    found = call("doctor")
    assert found.exit_code in (0, 1)
    if kind != "no rights":
        assert "Set SALESCAST_HOME" in found.stdout
        assert "Report it as a fault" not in found.stdout


def test_a_full_disk_is_told_while_the_lock_is_taken(home: Path) -> None:
    with files_no_larger_than(10):
        result = call("build")
    assert result.exit_code == 1
    assert "The disk is full" in result.stderr
    assert f"where: {home}" in result.stderr


def test_a_full_disk_is_told_while_the_marts_are_published(home: Path) -> None:
    home.mkdir()
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("create schema salescast_marts")
        connection.execute(
            "create table salescast_marts.fact as select md5(range::varchar) as x from range(99999)"
        )
    marts = home / "marts.duckdb"
    marts.write_bytes(b"of before")
    with files_no_larger_than(300_000), pytest.raises(RunError, match="The disk is full"):
        DuckDBWarehouse(load_settings()).publish()
    assert marts.read_bytes() == b"of before"
    assert {path.name for path in home.iterdir()} <= {"warehouse.duckdb", "marts.duckdb", "tmp"}


# A warehouse file that is none


def damage(path: Path, kind: str) -> None:
    if kind in ("empty", "text"):
        path.write_bytes(b"" if kind == "empty" else b"no database" * 1000)
        return
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table a as select md5(range::varchar) as x from range(99999)")
    content = bytearray(path.read_bytes())
    if kind == "cut short":
        del content[5000:]
    else:
        content[4096:12288] = bytes(8192)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["empty", "text", "cut short", "damaged"])
def test_a_broken_warehouse_file_is_told_with_what_to_do(home: Path, kind: str) -> None:
    home.mkdir()
    path = home / "warehouse.duckdb"
    damage(path, kind)
    warehouse = DuckDBWarehouse(load_settings())
    for work in (warehouse.cutoffs, warehouse.publish):
        with pytest.raises(RunError) as caught:
            work()
        assert caught.value.what.startswith("warehouse.duckdb is no database")
        assert caught.value.where == str(path)
        assert "Remove it and run `salescast build`" in str(caught.value.fix)


@pytest.mark.dbt
def test_dbt_on_an_empty_file_says_what_to_do(home: Path) -> None:
    home.mkdir()
    (home / "warehouse.duckdb").touch()
    result = call("build")
    assert result.exit_code == 1
    assert "warehouse.duckdb is no database" in result.stderr
    assert "Remove it and run `salescast build`" in result.stderr
    assert "dbt parse" not in result.stderr


# Records, settings and models that are not as they should be


@pytest.mark.parametrize("content", [b"", b'{"batch_id": "2026', b"\xff\xfe", b"{}"])
def test_a_broken_record_stops_no_status(home: Path, content: bytes) -> None:
    batch = begin_batch(home)
    path = home / "batches" / "20261123t000000-ab12" / "batch.json"
    path.parent.mkdir()
    path.write_bytes(content)
    result = call("status")
    assert result.exit_code == 0
    assert "The record of batch 20261123t000000-ab12 cannot be read" in result.stderr
    assert str(path) in result.stderr
    assert "salescast run" in result.stderr
    assert '"unreadable": [' in call("status", "--json").stdout
    assert batch.record.batch_id in call("status", "--json").stdout
    # Whoever works on it is told the same.
    result = call("run", "--resume")
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert call("prune", "--older-than", "0").exit_code == 0
    assert path.read_bytes() == content


def test_a_prune_leaves_the_record_that_was_being_written(home: Path) -> None:
    batch = begin_batch(home, "done")
    for name in (".batch.json.part", "export.log"):
        (batch.folder / name).touch()
    assert call("prune", "--older-than", "0").exit_code == 0
    assert {path.name for path in batch.folder.iterdir()} == {"batch.json", ".batch.json.part"}


@pytest.mark.parametrize("last", ["-3", "0"])
def test_a_number_of_batches_below_one_is_refused(last: str) -> None:
    assert call("status", "--last", last).exit_code == 2


@pytest.mark.parametrize("sign", ["?", "#"])
def test_a_home_that_dbt_cannot_attach_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / f"what{sign}" / "home"))
    result = call("build")
    assert result.exit_code == 2
    assert f"has a {sign} in it, which is read otherwise" in result.stderr


def test_vars_that_are_no_table_are_told(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: salescast\nvars: 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="no whole number for its var prediction_length"):
        _ = load_settings(project_dir=tmp_path).default_horizon


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[mine]\nrecipe = "deepar"\nhyperparameters = 3\n', "hyperparameters of a model must be"),
        (b'[mine]\nrecipe = "deepar"\nextensions = [1]\n', "extensions of a model must be a table"),
        (b'# caf\xe9\n[mine]\nrecipe = "sql"\n', "not UTF-8: byte 6"),
        (None, "cannot be read: Is a directory"),
    ],
)
def test_models_that_cannot_be_read_are_told(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "models.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=told) as caught:
        read_models(path)
    assert str(path) in str(caught.value.where)
    assert caught.value.fix


def test_only_what_a_models_algorithm_imports_is_needed() -> None:
    assert needed_libraries([Model("snaive_52", "sql", {"relation": "x"})]) == []
    deepar = Model("deepar", "deepar")
    assert needed_libraries([deepar, deepar]) == ["torch", "gluonts"]
