"""Whatever lands, in whatever order: incremental marts equal those built anew, row for row.

Random lives of a small chain: deliveries, restatements, retractions, settings, runs, backtests,
withdrawals, champions. After each step the SQL of the models makes the marts twice, as dbt compiles
it for a later build and for a full refresh; only dbt's merge is done by the test.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from jinja2 import Environment

from salescast.lake import LAKE_SCHEMAS
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.settings import load_settings
from support.home import REPOSITORY

pytestmark = pytest.mark.dbt

N_LIVES, N_LIVES_LONG = 20, 300
N_STEPS = 7
WEEK = timedelta(weeks=1)
FIRST_WEEK = date(2024, 1, 6)
ITEMS = [("North", "bread"), ("North", "milk"), ("South", "bread"), ("West", "milk")]
NEWEST = ("fct_run_accuracy", "fct_run_error_bin", "fct_forecast_aggregate")
"""Models that stand last: they and all that they are made of are built."""


@dataclass(frozen=True)
class Model:
    """A model as dbt compiles it."""

    name: str
    relation: str
    materialized: str
    sql: str
    full_sql: str
    key: tuple[str, ...]
    hook: str


@dataclass(frozen=True)
class Project:
    """The models in the order of their building, and a warehouse that holds them without rows."""

    models: list[Model]
    warehouse: Path

    @property
    def incremental(self) -> list[Model]:
        return [model for model in self.models if model.materialized == "incremental"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, project_dir=REPOSITORY)

    def dbt(*arguments: str) -> dict[str, Any]:
        subprocess.run(
            [
                *(Path(sys.executable).with_name("dbt"), "--quiet", *arguments),
                *("--select", *(f"+{name}" for name in NEWEST)),
                *("--target-path", home / "target", "--log-path", home / "logs"),
                *("--profiles-dir", REPOSITORY),
            ],
            env={**os.environ, **settings.environment()},
            cwd=REPOSITORY,
            check=True,
        )
        manifest: dict[str, Any] = json.loads((home / "target/manifest.json").read_text())
        return manifest["nodes"]

    dbt("build", "--exclude-resource-type", "unit_test", "test")
    full = dbt("compile", "--full-refresh")
    later = dbt("compile")
    left = {
        key: set(node["depends_on"]["nodes"])
        for key, node in later.items()
        if "compiled_code" in node
    }
    left = {key: needs for key, needs in left.items() if later[key]["resource_type"] == "model"}
    relations = {later[key]["name"]: _relation(later[key]) for key in left}
    models = []
    while left:
        ready = sorted(key for key, needs in left.items() if not needs & left.keys())
        for key in ready:
            del left[key]
            models.append(_model(later[key], full[key], relations))
    return Project(models, home / "warehouse.duckdb")


def _relation(node: dict[str, Any]) -> str:
    return f"{node['schema']}.{node['name']}"


def _model(node: dict[str, Any], full: dict[str, Any], relations: dict[str, str]) -> Model:
    macro = (REPOSITORY / "macros/safety/delete_outdated_rows.sql").read_text(encoding="utf-8")
    config, relation = node["config"], _relation(node)
    hooks = [
        Environment().from_string(macro + hook["sql"]).render(this=relation, ref=relations.get)
        for hook in config["post-hook"]
    ]
    key = config["unique_key"] or ()
    return Model(
        name=node["name"],
        relation=relation,
        materialized=config["materialized"],
        sql=node["compiled_code"],
        full_sql=full["compiled_code"],
        key=(key,) if isinstance(key, str) else tuple(key),
        hook="; ".join(hooks),
    )


@dataclass
class Life:
    """What has landed in one lake until now."""

    con: duckdb.DuckDBPyConnection
    chance: random.Random
    now: datetime = datetime(2024, 3, 1)
    n: int = 0
    loads: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    newest: date = FIRST_WEEK - WEEK
    said: list[str] = field(default_factory=list)

    def step(self) -> None:
        """Land one thing more, or nothing."""
        self.now += timedelta(days=self.chance.choice((0, 1, 7)), minutes=1)
        self.n += 1
        kinds = [
            *(self.deliver, self.deliver, self.restate, self.retract_oldest, self.retract),
            *(self.run, self.run, self.run_again, self.backtest, self.withdraw),
            *(self.set_weight, self.set_zero, self.choose_champion, self.nothing),
        ]
        kind = self.chance.choice(kinds)
        self.said.append(kind.__name__)
        kind()

    def deliver(self) -> None:
        n_weeks = self.chance.randint(1, 4)
        self._sales([self.newest + n * WEEK for n in range(1, n_weeks + 1)])
        self.newest += n_weeks * WEEK

    def restate(self) -> None:
        n_weeks = max((self.newest - FIRST_WEEK).days // 7, 0)
        self._sales([self.newest - self.chance.randint(0, n_weeks) * WEEK])

    def retract_oldest(self) -> None:
        self._retract(self.loads[:1])

    def retract(self) -> None:
        self._retract(self.chance.sample(self.loads, min(1, len(self.loads))))

    def run(self) -> None:
        self._run(self.newest, "forecast", self.chance.randint(1, 6), self.newest)

    def run_again(self) -> None:
        weeks_back = self.chance.randint(0, 3)
        self._run(self.newest - weeks_back * WEEK, "forecast", 4, self.newest)

    def backtest(self) -> None:
        for weeks_back in self.chance.sample(range(1, 8), 2):
            self._run(self.newest - weeks_back * WEEK, "backtest", 5, self.newest)

    def withdraw(self) -> None:
        for run_id in self.chance.sample(self.runs, min(1, len(self.runs))):
            self._insert("withdrawals", [{"run_id": run_id, "withdrawn_at": self.now}])
            self.runs.remove(run_id)

    def set_weight(self) -> None:
        self._settings(holiday_weight=str(self.chance.choice((1, 5))))

    def set_zero(self) -> None:
        self._settings(missing_means=self.chance.choice(("zero", "unknown")))

    def choose_champion(self) -> None:
        model_id = self.chance.choice(("snaive_52", "deepar"))
        self._insert("champions", [{"model_id": model_id, "set_at": self.now}])

    def nothing(self) -> None:
        pass

    def _sales(self, weeks: list[date]) -> None:
        rows = [
            {"store": store, "department": department, "date": week.isoformat(), "sales": sales}
            for week in weeks
            for store, department in ITEMS
            if (sales := self.chance.choice(("10", "12.5", "0", "-3", "40", None))) is not None
        ]
        load_id = f"load-{self.n:03d}"
        landing = {"load_id": load_id, "loaded_at": self.now, "source_file": "f"}
        self._insert(
            "raw_sales", [{**row, **landing, "source_row": n} for n, row in enumerate(rows)]
        )
        self._insert(
            "raw_loads",
            [{**landing, "table_name": "raw_sales", "delivery_id": load_id, "n_rows": len(rows)}],
        )
        self.loads.append(load_id)

    def _retract(self, load_ids: list[str]) -> None:
        for load_id in load_ids:
            self._insert("raw_retractions", [{"load_id": load_id, "retracted_at": self.now}])
            self.loads.remove(load_id)

    def _run(self, cutoff: date, kind: str, n_weeks: int, newest: date) -> None:
        items = self.chance.sample(ITEMS, self.chance.randint(1, len(ITEMS)))
        models = self.chance.choice((("snaive_52", "deepar"), ("deepar",), ("snaive_52",)))
        for model_id in models:
            run_id = f"run-{self.n:03d}-{len(self.runs)}-{cutoff:%m%d}-{model_id.replace('_', '-')}"
            rows = []
            for store, department in items:
                for week in range(1, n_weeks + 1):
                    p50 = self.chance.choice((0.0, 9.5, 12.0, 30.0))
                    quantiles = [p50 + n for n in range(-5, 6)]
                    rows.append(
                        {
                            **{"run_id": run_id, "model_id": model_id, "mean": p50 + 0.25},
                            **{"item_id": f"{store}:{department}", "cutoff_date": cutoff},
                            **{"week_end_date": cutoff + week * WEEK, "horizon_weeks": week},
                            **dict(zip(QUANTILE_COLUMNS, quantiles, strict=True)),
                            **{"store_id": store, "department_id": department},
                            "treatment": "trained",
                        }
                    )
            self._insert("forecasts", rows)
            self._insert(
                "runs",
                [
                    {
                        **{"run_id": run_id, "batch_id": f"batch-{self.n:03d}", "kind": kind},
                        **{"model_id": model_id, "recipe": "sql", "cutoff_date": cutoff},
                        **{"prediction_length": n_weeks, "landed_at": self.now},
                        **{"newest_week_end_date": newest, "n_rows": len(rows)},
                    }
                ],
            )
            self.runs.append(run_id)

    def _settings(self, **changed: str) -> None:
        settings = {"mapping_name": "m", "grain": "weekly", **changed}
        self._insert(
            "settings",
            [
                {
                    **{"settings_id": f"settings-{self.n:03d}", "landed_at": self.now},
                    **{"section": "source", "name": "source", "attribute": name, "value": value},
                }
                for name, value in settings.items()
            ],
        )

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.con.register("rows", pa.Table.from_pylist(rows))
            self.con.execute(f"insert into salescast_lake.{table} by name select * from rows")
            self.con.unregister("rows")


def build(con: duckdb.DuckDBPyConnection, project: Project, *, is_first: bool) -> None:
    """One build: models that are not incremental once, the others twice, as dbt and anew."""
    for model in project.models:
        if model.materialized == "table":
            con.execute(f"create or replace table {model.relation} as {model.sql}")
        if model.materialized != "incremental":
            continue
        full_sql = model.full_sql
        for other in project.incremental:
            schema, name = other.relation.split(".")
            full_sql = full_sql.replace(f'"warehouse"."{schema}"."{name}"', f"anew.{name}")
        con.execute(f"create or replace table anew.{model.name} as {full_sql}")
        if is_first:
            con.execute(f"delete from {model.relation}")
        con.execute(f"create or replace temp table changes as {model.sql}")
        keys = ", ".join(model.key)
        con.execute(
            f"delete from {model.relation} where ({keys}) in (select ({keys}) from changes)"
        )
        con.execute(f"insert into {model.relation} by name select * from changes")
        if model.hook:
            con.execute(model.hook)


def differences(con: duckdb.DuckDBPyConnection, model: Model) -> list[tuple[Any, ...]]:
    """Rows that only one of the two has, or that differ beyond the last digits of a sum."""
    columns = con.execute(f"describe {model.relation}").fetchall()
    found = " or ".join(
        f"not coalesce(abs(a.{name} - b.{name}) <= 1e-9 * (1 + abs(b.{name})),"
        f" a.{name} is null and b.{name} is null)"
        if kind == "DOUBLE"
        else f"a.{name} is distinct from b.{name}"
        for name, kind, *_ in columns
    )
    on = " and ".join(f"a.{name} = b.{name}" for name in model.key)
    return con.execute(
        f"select a, b from {model.relation} as a full join anew.{model.name} as b on {on}"
        f" where a.{model.key[0]} is null or b.{model.key[0]} is null or {found}"
    ).fetchall()


@pytest.fixture
def warehouse(project: Project, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    copy = tmp_path / "warehouse.duckdb"
    copy.write_bytes(project.warehouse.read_bytes())
    with duckdb.connect(str(copy), config={"threads": 1}) as con:
        for table, kinds in LAKE_SCHEMAS.items():
            columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
            con.execute(f"drop view salescast_lake.{table}")
            con.execute(f"create table salescast_lake.{table} ({columns})")
        con.execute("create schema anew")
        yield con


def test_incremental_marts_equal_those_built_anew(
    project: Project, warehouse: duckdb.DuckDBPyConnection, is_long: bool
) -> None:
    con, seed = warehouse, 20261129
    most_rows = dict.fromkeys((model.name for model in project.incremental), 0)
    for number in range(N_LIVES_LONG if is_long else N_LIVES):
        con.execute("begin")
        life = Life(con, random.Random(seed + number))
        life._settings()
        for n_step in range(N_STEPS):
            # The first build has something to forecast.
            if n_step == 0:
                life.n += 1
                life.deliver()
                life.said.append("deliver")
                life.run()
            life.step()
            build(con, project, is_first=n_step == 0)
            for model in project.incremental:
                found = differences(con, model)
                told = f"seed {seed + number}, after {' '.join(life.said)}: {model.name}"
                assert not found, (told, found[:3])
                ((n_rows,),) = con.execute(f"select count(*) from {model.relation}").fetchall()
                most_rows[model.name] = max(most_rows[model.name], n_rows)
        con.execute("rollback")
    # Nothing was compared with nothing.
    assert all(most_rows.values()), most_rows
