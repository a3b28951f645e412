"""The same lake on DuckDB and on Athena: every model's rows are the same."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from local_aws.stack import Stack
from salescast.cli import cli
from salescast.lake import Lake, sql_text

from .warehouse import REPOSITORY, Athena

TOLERANCE = 1e-9
WALMART = Path(os.environ.get("SALESCAST_WALMART_DIR", REPOSITORY.parent / "shared/data/walmart"))
NO_WALMART = f"NOT CHECKED on real data: there is no {WALMART}/train.csv*"

MANIFEST = "dbt/target/manifest.json"


@dataclass
class Pair:
    """One lake with its two warehouses, and the models of the project."""

    home: Path
    athena: Athena
    connection: duckdb.DuckDBPyConnection
    models: list[dict[str, Any]]

    def differences(self, model: dict[str, Any]) -> list[str]:
        """What differs in a model's relation; the first few rows of each column."""
        files = self.athena.unload(f'select * from "{model["schema"]}"."{model["name"]}"')
        return compare(self.connection, f'"{model["schema"]}"."{model["name"]}"', files)


def compare(connection: duckdb.DuckDBPyConnection, relation: str, files: list[Path]) -> list[str]:
    """What differs between a relation and Parquet files.

    Rows are paired in the order of everything but the doubles, then of the doubles rounded.
    """
    columns = dict(
        row[:2] for row in connection.execute(f"describe select * from {relation}").fetchall()
    )
    paths = ", ".join(sql_text(str(path)) for path in files)
    if not files:
        n = connection.execute(f"select count(*) from {relation}").fetchone()
        return [] if n == (0,) else [f"{n} rows on DuckDB, none on Athena"]
    other = f"read_parquet([{paths}])"
    found = [row[0] for row in connection.execute(f"describe select * from {other}").fetchall()]
    if sorted(found) != sorted(columns):
        return [f"columns {sorted(columns)} on DuckDB, {sorted(found)} on Athena"]
    doubles = [name for name, kind in columns.items() if kind == "DOUBLE"]
    others = [name for name in columns if name not in doubles]
    as_text = {
        name: f'cast(to_json("{name}") as varchar)' if "[]" in columns[name] else f'"{name}"'
        for name in others
    }
    order = ", ".join([*as_text.values(), *(f'round("{name}", 2)' for name in doubles)])
    numbered = f"select *, row_number() over (order by {order}) as n from"
    problems = []
    counts = connection.execute(
        f"select (select count(*) from {relation}), (select count(*) from {other})"
    ).fetchone()
    assert counts is not None
    if counts[0] != counts[1]:
        problems.append(f"{counts[0]} rows on DuckDB, {counts[1]} on Athena")
    for name in columns:
        a, b = f'a."{name}"', f'b."{name}"'
        if name in doubles:
            differs = (
                f"({a} is null) <> ({b} is null)"
                f" or abs({a} - {b}) > {TOLERANCE} * greatest(abs({a}), abs({b}))"
            )
        elif "[]" in columns[name]:
            differs = f"to_json({a}) is distinct from to_json({b})"
        else:
            differs = f"{a} is distinct from cast({b} as {columns[name]})"
        rows = connection.execute(
            f"""
            select a.n, {a}, {b} from ({numbered} {relation}) as a
            full join ({numbered} {other}) as b on a.n = b.n
            where {differs} order by a.n limit 3
            """
        ).fetchall()
        problems += [
            f"{name}: row {n}: {mine!r} on DuckDB, {its!r} on Athena" for n, mine, its in rows
        ]
    return problems


def salescast(home: Path, *arguments: str | Path) -> None:
    """Run a command on the DuckDB home."""
    environment = {"SALESCAST_HOME": str(home), "SALESCAST_SCHEMA": home.name}
    result = CliRunner().invoke(cli, [str(each) for each in arguments], env=environment)
    assert result.exit_code == 0, result.output


def land_second_model(home: Path) -> None:
    """Land a model beside the naive: its rows a little larger, the more so the further ahead."""
    lake = Lake(home / "lake")
    factor = "(1.02 + 0.001 * horizon_weeks)"
    quantiles = ", ".join(
        f"round({name} * {factor}, 2) as {name}"
        for name in [
            "mean",
            "p05",
            "p10",
            "p20",
            "p30",
            "p40",
            "p50",
            "p60",
            "p70",
            "p80",
            "p90",
            "p95",
        ]
    )
    connection = duckdb.connect()
    run_ids = connection.execute(f"select run_id from ({lake.scan_sql('runs')})").fetchall()
    for (run_id,) in run_ids:
        name = run_id.replace("snaive", "second")
        changes = {
            "forecasts": f"'{name}' as run_id, 'deepar' as model_id, {quantiles}",
            "runs": f"'{name}' as run_id, 'deepar' as model_id, 'deepar' as recipe",
        }
        for table, replaced in changes.items():
            rows = f"select * replace ({replaced}) from ({lake.scan_sql(table)})"
            lake.append_query(connection, table, f"{rows} where run_id = '{run_id}'", name=name)


@pytest.fixture(scope="module", params=["simulated", "walmart"])
def pair(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """Both warehouses, built on one landing with a forecast and a backtest of two models."""
    if request.param == "walmart" and not any(WALMART.glob("train.csv*")):
        pytest.skip(NO_WALMART)
    name = f"same_{request.param}"
    home = tmp_path_factory.mktemp(request.param) / name
    if request.param == "walmart":
        salescast(home, "ingest", WALMART, "--mapping", "walmart")
        horizon = "39"
    else:
        data = home.parent / "data"
        salescast(home, "simulate", data, "--stores", "3", "--departments", "4", "--weeks", "130")
        salescast(home, "ingest", data, "--mapping", "demo")
        horizon = "8"
    salescast(home, "run", "--model", "snaive_52", "--horizon", horizon, "--backtests", "1")
    land_second_model(home)
    salescast(home, "build")
    athena = Athena(stack, name, home.parent / "athena")
    athena.copy_lake(home / "lake")
    athena.build()
    nodes = json.loads((home / MANIFEST).read_text(encoding="utf-8"))["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    connection = duckdb.connect(str(home / "warehouse.duckdb"), read_only=True)
    return Pair(home, athena, connection, models)


@pytest.mark.timeout(1200)
def test_public_marts_and_reports_are_the_same(pair: Pair) -> None:
    public = [model for model in pair.models if model["config"]["access"] == "public"]
    assert {model["fqn"][1] for model in public} == {"marts", "reports"}
    found = {model["name"]: pair.differences(model) for model in public}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.timeout(1200)
def test_tables_before_them_are_the_same(pair: Pair) -> None:
    inner = [model for model in pair.models if model["fqn"][1] in ("intermediate", "exports")]
    assert inner
    found = {model["name"]: pair.differences(model) for model in inner}
    assert {name: each for name, each in found.items() if each} == {}


def test_training_records_are_the_same_json(pair: Pair) -> None:
    duck = pair.connection.execute(
        f"""
        select to_json(struct_pack("start" := series_start, target, cat, dynamic_feat)) as line
        from {pair.home.name}_exports.exp_deepar__train
        """
    ).fetchall()
    files = pair.athena.unload(
        'select series_start as "start", target, cat, dynamic_feat'
        f" from {pair.home.name}_exports.exp_deepar__train",
        form="JSON",
    )
    lines = [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]
    mine = sorted((json.loads(line) for (line,) in duck), key=json.dumps)
    assert mine
    assert sorted((json.loads(line) for line in lines), key=json.dumps) == mine


def test_a_difference_is_found(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute("create table t as select 'a' as k, 1.0::double as x, [1, 2] as l")
    for n, (row, problem) in enumerate(
        [
            ("select 'a' as k, 1.0::double as x, [1, 2] as l", None),
            ("select 'b' as k, 1.0::double as x, [1, 2] as l", "k: "),
            ("select 'a' as k, 1.000001::double as x, [1, 2] as l", "x: "),
            ("select 'a' as k, null::double as x, [1, 2] as l", "x: "),
            ("select 'a' as k, 1.0::double as x, [2, 1] as l", "l: "),
            ("select 'a' as k, 1.0::double as x, [1, 2] as l from range(2)", "1 rows"),
            ("select 'a' as k, 1.0::double as x", "columns"),
        ]
    ):
        path = tmp_path / f"{n}.parquet"
        connection.execute(f"copy ({row}) to {sql_text(str(path))} (format parquet)")
        problems = compare(connection, "t", [path])
        assert (problems == []) if problem is None else problems[0].startswith(problem)
