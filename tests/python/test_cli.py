"""The commands: exit codes, messages, help and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from salescast.cli import cli
from salescast.lake import Lake
from salescast.lake.lock import hold_lock
from salescast.week.batch import Batch, BatchRecord, RunRecord, StepRecord

COMMANDS = sorted(cli.commands)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TARGET", "FORECASTER", "SCHEMA", "THREADS", "MEMORY_LIMIT", "PROJECT_DIR"):
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="salescast")


def put_batch(home: Path, batch_id: str = "20261122t000000-ab12", **changes: object) -> Batch:
    run = RunRecord(
        run_id=f"{batch_id}-1-deepar",
        model_id="deepar",
        recipe="deepar",
        kind="forecast",
        cutoff_date=date(2026, 10, 31),
        prediction_length=4,
    )
    values: dict[str, object] = {
        "batch_id": batch_id,
        "command": "run",
        "arguments": {},
        "created_at": datetime.now(UTC),
        "requests": [],
        "prediction_length": 4,
        "models": ["snaive_52", "deepar"],
        "runs": [run],
        "finished": ["request", "build", "resolve", f"{run.run_id}/export"],
        **changes,
    }
    batch = Batch(
        BatchRecord.model_validate(values), home / "batches" / batch_id, Lake(home / "lake")
    )
    batch.save()
    return batch


def test_all_commands_of_the_design_are_there() -> None:
    steps = ["build", "export", "train", "predict", "load"]
    others = ["simulate", "ingest", "run", "backtest", "report", "status", "doctor", "demo"]
    others += ["champion", "prune", "init", "map", "withdraw", "leaderboard"]
    assert sorted(steps + others) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"salescast {command}" in result.stdout
    assert "--json" in result.stdout


def test_help_is_fast_and_makes_nothing(home: Path) -> None:
    code = "import sys, salescast.cli; print(*sorted(sys.modules))"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"duckdb", "pyarrow", "pydantic", "torch", "dbt", "plotly", "pandas", "rich"}
    assert not heavy & set(modules)
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "salescast", "--help"], check=True, capture_output=True)
    assert time.monotonic() - begun < 5
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--cutoff", "31.10.2026"),
        ("run", "--horizon", "many"),
        ("run", "--colour"),
        ("backtest",),
        ("nothing",),
        ("build", "--selector", "all"),
    ],
)
def test_wrong_use_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "No sales are landed"),
        (("run", "--horizon", "9999"), "No sales are landed"),
        (("backtest", "--cutoff", "2026-01-31"), "No sales are landed"),
        (("run", "--model", "prophet"), "There is no model prophet"),
        (("run", "--resume", "--horizon", "3"), "takes no other option"),
        (("run", "--resume"), "There is no batch"),
        (("train",), "There is no batch"),
        (("ingest",), "Give either a folder"),
        (("ingest", "x", "--retract", "y"), "Give either a folder"),
        (("report",), "no published marts"),
    ],
)
def test_bad_input_exits_with_2_and_says_what_to_do(
    arguments: tuple[str, ...], message: str
) -> None:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "fix:" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_failed_operation_exits_with_1(home: Path) -> None:
    put_batch(home, runs=[])
    result = call("export")
    assert result.exit_code == 1
    assert "not built for batch 20261122t000000-ab12" in result.stderr


def test_a_lock_that_is_held_exits_with_1(home: Path) -> None:
    put_batch(home)
    with hold_lock(home, "salescast run"):
        for arguments in (("run",), ("build",), ("load",), ("run", "--resume")):
            result = call(*arguments)
            assert result.exit_code == 1
            assert "Another command is at work in this home: salescast run" in result.stderr


def test_an_unexpected_error_is_kept_in_the_log(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    put_batch(home)
    monkeypatch.setattr("salescast.status.read_record", fail)
    result = call("status")
    assert result.exit_code == 1
    assert "unexpected ZeroDivisionError: a bug" in result.stderr
    assert "Traceback" not in result.output
    log = home / "salescast.log"
    assert str(log) in result.stderr
    assert "ZeroDivisionError: a bug" in log.read_text()
    assert "Traceback" in log.read_text()


def test_a_resume_of_a_finished_batch_says_so(home: Path) -> None:
    put_batch(home, "20261121t000000-ab12")
    put_batch(home, "20261122t000000-ab12", status="done")
    result = call("run", "--resume")
    assert result.exit_code == 0
    assert "20261122t000000-ab12 is finished: there is nothing to resume" in result.stdout
    assert json.loads(call("run", "--resume", "--json").stdout) == {
        "batch_id": "20261122t000000-ab12",
        "status": "done",
        "resumed": False,
    }


def test_a_resume_with_another_forecaster_is_refused(home: Path) -> None:
    put_batch(home, forecaster="sagemaker")
    for arguments in (("run", "--resume"), ("train",), ("load",)):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "begun with the forecaster sagemaker, not local" in result.stderr
        assert "Set SALESCAST_FORECASTER=sagemaker" in result.stderr


@pytest.mark.parametrize("option", [("--trained-model", ""), ("--horizon", "0")])
def test_a_resume_takes_no_other_option_however_empty(home: Path, option: tuple[str, str]) -> None:
    put_batch(home)
    result = call("run", "--resume", *option)
    assert result.exit_code == 2
    assert "takes no other option" in result.stderr


def test_status_tells_where_each_run_stands(home: Path) -> None:
    now = datetime.now(UTC)
    failed = StepRecord(
        run_id=None,
        step="train",
        status="failed",
        started_at=now,
        finished_at=now,
        seconds=1,
        detail="no memory",
    )
    put_batch(home, attempts=[failed])
    result = call("status")
    assert result.exit_code == 0
    assert "waits for train" in result.stdout
    assert "train: no memory" in result.stdout
    assert "salescast run --resume" in result.stdout
    answer = json.loads(call("status", "--json").stdout)
    [batch] = answer["batches"]
    assert batch["last_error"] == "train: no memory"
    assert batch["runs"][0]["next_step"] == "train"


def test_status_of_a_new_home_makes_nothing(home: Path) -> None:
    result = call("status")
    assert result.exit_code == 0
    assert "No batch" in result.stdout
    assert json.loads(call("status", "--json").stdout)["batches"] == []
    assert not home.exists()


def test_an_unknown_batch_is_named(home: Path) -> None:
    put_batch(home)
    result = call("load", "--batch", "20200101t000000-ab12")
    assert result.exit_code == 2
    assert "20261122t000000-ab12" in result.stderr


def test_simulated_files_can_be_landed_and_taken_back(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = call("simulate", str(data), "--stores", "1", "--departments", "1", "--json")
    assert json.loads(result.stdout)["n_series"] == 1
    landed = json.loads(call("ingest", str(data), "--mapping", "demo", "--json").stdout)
    load_id = next(x["load_id"] for x in landed["loads"] if x["table_name"] == "raw_sales")
    again = call("ingest", str(data), "--mapping", "demo")
    assert again.exit_code == 0
    assert f"landed before as {load_id}" in again.stderr
    out_of_range = call("run", "--cutoff", "2001-01-06", "--model", "snaive_52")
    assert out_of_range.exit_code == 2
    assert "outside the landed sales" in out_of_range.stderr
    assert call("run", "--horizon", "9999").exit_code == 2
    assert not list((home / "batches").glob("*")) if (home / "batches").exists() else True
    taken = call("ingest", "--retract", load_id, "--reason", "a test")
    assert taken.exit_code == 0, taken.output
    assert Lake(home / "lake").read("raw_retractions")["reason"].to_pylist() == ["a test"]
    assert call("ingest", "--retract", load_id).exit_code == 2
