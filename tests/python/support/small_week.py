"""The week on small fakes: a warehouse and a forecaster in memory, and processes that die."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.forecaster import JobUsage, TrainingJob, TransformJob, Use
from salescast.lake import Lake, StagedFile
from salescast.lake.trained_models import Encoding
from salescast.quantiles import QUANTILES
from salescast.recipes import Model
from salescast.warehouse import BuildResult, Cutoff, Landed, Spent, TrainingRecords
from salescast.week.batch import Batch, BatchRecord, read_record
from salescast.week.plan import new_record
from salescast.week.run import Week, carry_out

FIRST, NEWEST = date(2024, 1, 6), date(2026, 10, 31)
HORIZON = 2
ITEMS = ("1:a", "1:b", "2:a")
CATEGORIES = pa.table(
    {"cat_position": [0, 0, 1], "code": [0, 1, 0], "category_value": ["1", "2", "a"]}
)
MODELS = {
    "snaive_52": Model("snaive_52", "sql", {"relation": "baseline_snaive_52"}),
    "deepar": Model(
        "deepar",
        "deepar",
        {
            "hyperparameters": {"time_freq": "W", "context_length": 4, "epochs": 1},
            "extensions": {"seed": 5},
        },
    ),
}


class Killed(BaseException):
    """What SIGKILL is to the code under test: nothing of it runs on."""


@dataclass
class World:
    """What outlives a process, and when the next one dies."""

    folder: Path
    data_hash: str = "data-1"
    newest: date = NEWEST
    die_at: int | None = None
    loses_a_line: bool = False
    ticks: int = 0
    calls: list[tuple[str, ...]] = field(default_factory=list)
    built_for: list[Cutoff] = field(default_factory=list)
    used: list[JobUsage] = field(default_factory=list)
    closed_weeks: list[dict[str, Any]] = field(default_factory=list)
    shares_ahead: list[dict[str, Any]] = field(default_factory=list)

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == self.die_at:
            raise Killed

    def work(self, *call: str) -> None:
        self.calls.append(call)
        self.tick()


class MortalLake(Lake):
    """The real lake, in a process that may die before or after each file of it."""

    world: World

    def stage(self, table: str, data: Any, name: str | None = None) -> StagedFile:
        self.world.tick()
        return super().stage(table, data, name)

    def append(self, table: str, data: Any, name: str | None = None) -> Path:
        path = super().append(table, data, name)
        self.world.tick()
        return path

    def stage_query(self, *arguments: Any, **named: Any) -> StagedFile:
        self.world.tick()
        staged = super().stage_query(*arguments, **named)
        self.world.tick()
        return staged


class FakeWarehouse:
    """Exports of three series; the builds stand for the newest request."""

    def __init__(self, world: World, lake: Lake) -> None:
        self.world, self.lake = world, lake

    def landed(self) -> Landed:
        requests = self.lake.read("requested_cutoffs")["request_id"].to_pylist()
        newest_request = max(requests, default=None)
        return Landed(self.world.data_hash, FIRST, self.world.newest, "saturday", newest_request)

    def build(self, selector: str | None, *, full_refresh: bool = False) -> BuildResult:
        self.world.work("build", str(selector))
        if selector == "pre_predict":
            rows = self.lake.read("requested_cutoffs").to_pylist()
            newest = max(row["request_id"] for row in rows)
            cutoffs = {
                (row["cutoff_date"] or self.world.newest) - timedelta(weeks=row["weeks_back"]): row[
                    "kind"
                ]
                for row in rows
                if row["request_id"] == newest
            }
            self.world.built_for = [
                Cutoff(each, HORIZON, kind, FIRST <= each <= self.world.newest, self.world.newest)
                for each, kind in sorted(cutoffs.items())
            ]
        self.world.tick()
        return BuildResult(1.0, 3)

    def cutoffs(self) -> list[Cutoff]:
        self.world.work("cutoffs")
        return self.world.built_for

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        self._need(cutoff)
        self.world.work("export_training", str(cutoff))
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(f"training of {cutoff}")
        return TrainingRecords(len(ITEMS), str(to.parent))

    def export_encoding(self, cutoff: date, to: Path) -> Encoding:
        self._need(cutoff)
        self.world.work("export_encoding", str(cutoff))
        to.mkdir(parents=True, exist_ok=True)
        pq.write_table(CATEGORIES, to / "categories.parquet")
        return Encoding(("promotion",), to / "categories.parquet")

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        self._need(cutoff)
        assert encoding.features == ("promotion",)
        self.world.work("export_inference", str(cutoff))
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(
            "".join(
                json.dumps({"item_id": item, "target": [2.0, None, 5.0, 4.0]}) + "\n"
                for item in ITEMS[:2]
            )
        )
        return 2

    def export_baseline(self, relation: str, cutoff: date, to: Path) -> int:
        self._need(cutoff)
        assert relation == "baseline_snaive_52"
        self.world.work("export_baseline", str(cutoff))
        to.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "item_id": item,
                "cutoff_date": cutoff,
                "week_end_date": cutoff + timedelta(weeks=week),
                "horizon_weeks": week,
                "mean": 1.0,
                **{f"p{round(float(level) * 100):02d}": float(level) for level in QUANTILES},
            }
            for item in ITEMS
            for week in range(1, HORIZON + 1)
        ]
        naive = pa.Table.from_pylist(rows)
        pq.write_table(naive, to)
        self.world.tick()
        return len(rows)

    def export_run(self, relation: str, run_id: str, to: Path) -> int:
        raise AssertionError("no model of these tests is made by the warehouse for a run")

    def export_series(self, cutoff: date, to: Path) -> int:
        self._need(cutoff)
        self.world.work("export_series", str(cutoff))
        rows = [
            {
                "item_id": item,
                "store_id": item.partition(":")[0],
                "department_id": item.partition(":")[2],
                "treatment": "trained",
            }
            for item in ITEMS
        ]
        pq.write_table(pa.Table.from_pylist(rows), to)
        return len(rows)

    def export_plausible_range(self, cutoff: date, to: Path) -> int:
        self._need(cutoff)
        self.world.work("export_plausible_range", str(cutoff))
        rows = [
            {
                "item_id": item,
                "highest_sales": 5.0,
                "largest_plausible": 50.0,
                "chain_largest_plausible": 100.0,
            }
            for item in ITEMS
        ]
        pq.write_table(pa.Table.from_pylist(rows), to)
        return len(rows)

    def export_closed_weeks(self, cutoff: date, to: Path) -> int:
        self._need(cutoff)
        self.world.work("export_closed_weeks", str(cutoff))
        columns = pa.schema({"item_id": pa.string(), "horizon_weeks": pa.int32()})
        pq.write_table(pa.Table.from_pylist(self.world.closed_weeks, columns), to)
        return len(self.world.closed_weeks)

    def export_shares_ahead(self, cutoff: date, to: Path) -> int:
        self._need(cutoff)
        self.world.work("export_shares_ahead", str(cutoff))
        keys = {"item_id": pa.string(), "horizon_weeks": pa.int32(), "week_share": pa.float64()}
        pq.write_table(pa.Table.from_pylist(self.world.shares_ahead, pa.schema(keys)), to)
        return len(self.world.shares_ahead)

    def publish(self) -> Path:
        self.world.work("publish")
        self.world.tick()
        return self.world.folder / "marts.duckdb"

    def spent(self) -> Spent | None:
        return None

    def _need(self, cutoff: date) -> None:
        assert cutoff in [each.cutoff_date for each in self.world.built_for]


class FakeForecaster:
    """A model is the file it was trained on; a forecast tells the model's cutoff."""

    name = "local"
    program = "fake 1"
    max_attempts = 1
    price_table = None

    def __init__(self, world: World) -> None:
        self.world = world

    def check_ready(self, libraries: Sequence[str] = ()) -> None:
        return

    def limits(self, use: Use) -> None:
        return

    def check_model(self, model_id: str, extensions: Mapping[str, Any]) -> None:
        return

    def check_artifact(self, program: str) -> None:
        assert program == self.program

    def used(self) -> list[JobUsage]:
        return self.world.used

    def train(self, job: TrainingJob) -> Path:
        self.world.work("train", job.name)
        artifact = job.work / "model.tar.gz"
        artifact.write_text((Path(job.channel) / "train.json.gz").read_text())
        assert job.hyperparameters["prediction_length"] == str(HORIZON)
        self.world.tick()
        return artifact

    def transform(self, job: TransformJob) -> Path:
        self.world.work("transform", job.name)
        value = float(job.artifact.read_text()[-2:])
        job.output_file.parent.mkdir(parents=True, exist_ok=True)
        quantiles = {level: [value] * HORIZON for level in QUANTILES}
        forecast = {"mean": [value] * HORIZON, "quantiles": quantiles}
        lines = [
            json.dumps({**json.loads(line), "SageMakerOutput": forecast})
            for line in job.input_file.read_text().splitlines()
        ]
        if self.world.loses_a_line:
            lines.pop()
        job.output_file.write_text("\n".join(lines) + "\n")
        job.check(job.output_file)
        self.world.tick()
        return job.output_file


def a_record(**changes: Any) -> BatchRecord:
    world_landed = Landed("data-1", FIRST, NEWEST, "saturday", None)
    values: dict[str, Any] = {
        "landed": world_landed,
        "models": list(MODELS.values()),
        "forecaster": "local",
        "horizon": HORIZON,
        "max_horizon": 52,
        **changes,
    }
    record = new_record(values.pop("command", "run"), **values)
    record.batch_id = "20261122t000000-ab12"
    return record


def open_week(world: World, models: Mapping[str, Model] = MODELS) -> Week:
    """What a new process has: the record on disk, and new objects."""
    folder = world.folder / "batches" / "20261122t000000-ab12"
    lake = MortalLake(world.folder / "lake")
    lake.world = world
    batch = Batch(read_record(folder), folder, lake)
    warehouse = FakeWarehouse(world, lake)
    return Week(batch, warehouse, FakeForecaster(world), lake, models, "1+abc")


def begin(folder: Path, **changes: Any) -> World:
    world = World(folder)
    record = a_record(**changes)
    Batch(record, folder / "batches" / record.batch_id, Lake(folder / "lake")).save()
    return world


def forecasts(world: World) -> list[dict[str, Any]]:
    rows = Lake(world.folder / "lake").read("forecasts").to_pylist()
    return sorted(rows, key=lambda row: (row["run_id"], row["item_id"], row["week_end_date"]))


def done_steps(world: World) -> list[tuple[str | None, str]]:
    rows = Lake(world.folder / "lake").read("run_steps").to_pylist()
    return sorted(
        ((row["run_id"] or "", row["step"]) for row in rows if row["status"] == "done"),
    )


def kill_at(
    world: World,
    wanted: Callable[[tuple[str, ...]], bool],
    models: Mapping[str, Model] = MODELS,
) -> None:
    """Run until the first call that is wanted, and die in it."""
    ordinary = world.work

    def work(*call: str) -> None:
        if wanted(call):
            raise Killed
        ordinary(*call)

    world.work = work  # type: ignore[method-assign]
    with pytest.raises(Killed):
        carry_out(open_week(world, models))
    world.work = ordinary  # type: ignore[method-assign]
