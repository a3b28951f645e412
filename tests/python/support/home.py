"""A home under test: its commands, in this process or as one that can be killed, and its files."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from click.testing import CliRunner

from salescast.cli import cli
from salescast.lake import Lake
from salescast.settings import Settings, load_settings
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.batch import BatchRecord, RunRecord, newest_folder, read_record
from salescast.week.export import RunFiles

REPOSITORY = Path(__file__).parents[3]
HELD = "Another command is at work in this home"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Home:
    """One SALESCAST_HOME with the project that its commands use."""

    path: Path
    project: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SALESCAST_HOME": str(self.path),
            "SALESCAST_PROJECT_DIR": str(self.project),
            "SALESCAST_SCHEMA": "shop",
            "SALESCAST_THREADS": "2",
            "SALESCAST_MEMORY_LIMIT": "1GB",
            "PYTHONPATH": str(REPOSITORY / "python"),
        }

    @property
    def settings(self) -> Settings:
        return load_settings(
            home=self.path,
            schema_prefix="shop",
            threads=2,
            memory_limit="1GB",
            project_dir=self.project,
        )

    @property
    def lake(self) -> Lake:
        return Lake(self.path / "lake")

    @property
    def batch_folder(self) -> Path:
        return newest_folder(self.path / "batches")

    @property
    def batch(self) -> BatchRecord:
        return read_record(self.batch_folder)

    def run_of(self, model_id: str) -> RunRecord:
        """The newest batch's run of a model; such a batch has one cutoff."""
        (run,) = [run for run in self.batch.runs if run.model_id == model_id]
        return run

    def files_of(self, model_id: str) -> RunFiles:
        return RunFiles(self.batch_folder / self.run_of(model_id).run_id)

    def command(self, *arguments: str | Path, code: int = 0) -> str:
        """Give a command; returns what it printed. Any traceback fails the test."""
        # Variables of the caller's own must not reach the command.
        own = {name: None for name in os.environ if name.startswith("SALESCAST_")}
        result = CliRunner(env={**own, **self.environment}).invoke(cli, [str(a) for a in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "unexpected" not in result.output
        return result.output

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Give a command in a process group of its own."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SALESCAST_")}
        with (self.path.parent / f"{self.path.name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "salescast", *arguments],
                env={**inherited, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_when(self, process: subprocess.Popen[bytes], is_time: Callable[[], bool]) -> None:
        """SIGKILL the command and all its children as soon as a condition holds."""
        wait_until(process, is_time)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # The last child may take a moment to die.
        with (self.path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def finished(self) -> list[str]:
        """Finished steps of the newest batch, as `step` or `model/step`."""
        if not list(self.path.glob("batches/*/batch.json")):
            return []
        record = self.batch
        models = {run.run_id: run.model_id for run in record.runs}
        return [
            "/".join([models.get(key.split("/")[0], key.split("/")[0]), *key.split("/")[1:]])
            for key in record.finished
        ]

    def marts(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """Rows of the published file, as a reader sees them."""
        return _query(self.path / "marts.duckdb", sql, parameters)

    def warehouse(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return _query(self.path / "warehouse.duckdb", sql, parameters)

    def open_warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.settings)

    def landed(self, table: str, select: str = "*") -> Rows:
        """Rows of a lake table."""
        with duckdb.connect() as connection:
            return connection.execute(
                f"select {select} from ({self.lake.scan_sql(table)})"
            ).fetchall()


def wait_until(process: subprocess.Popen[bytes], is_time: Callable[[], bool]) -> None:
    """Wait for a condition that holds before the process ends."""
    deadline = time.monotonic() + 180
    while not is_time():
        assert process.poll() is None, f"ended with {process.returncode} before it was time"
        assert time.monotonic() < deadline, "it is still not time"
        time.sleep(0.005)


def _query(path: Path, sql: str, parameters: Sequence[Any]) -> Rows:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql, list(parameters)).fetchall()
