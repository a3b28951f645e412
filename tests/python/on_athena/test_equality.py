"""The same lake on DuckDB and on Athena: every model's rows are the same."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from local_aws.stack import Stack
from salescast.cli import cli
from salescast.lake import Lake, open_lake
from salescast.settings import load_settings
from salescast.warehouse import open_warehouse
from salescast.week.export import RunFiles
from support.comparison import compare
from support.shop import Shop
from support.walmart import NO_WALMART, WALMART, has_walmart
from support.warehouse import NO_TESTS, Athena

MANIFEST = "dbt/target/manifest.json"


@dataclass
class Pair:
    """One lake with its two warehouses, and the models of the project."""

    home: Path
    athena: Athena
    models: list[dict[str, Any]]

    def differences(self, model: dict[str, Any]) -> list[str]:
        """What differs in a model's relation; the first few rows of each column."""
        files = self.athena.unload(f'select * from "{model["schema"]}"."{model["name"]}"')
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return compare(connection, f'"{model["schema"]}"."{model["name"]}"', files)


def salescast(environment: dict[str, str], *arguments: str | Path) -> str:
    """Run a command; returns what it printed."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


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


def ask_for_a_blend(athena: Athena) -> None:
    """Land what a run of a blend of all models at the newest cutoff would land first."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in athena.environment.items():
            patch.setenv(name, value)
        lake = open_lake(load_settings())
        runs = lake.read("runs").to_pylist()
        newest = max(run["cutoff_date"] for run in runs)
        of = {run["model_id"]: run for run in runs if run["cutoff_date"] == newest}
        rows = [
            {
                "run_id": "blended",
                "batch_id": "blended",
                "model_id": "tiny_blend",
                "cutoff_date": newest,
                "prediction_length": run["prediction_length"],
                "member_model_id": model_id,
                "member_run_id": run["run_id"],
                "n_members": len(of),
                "asked_at": datetime(2026, 1, 1),
            }
            for model_id, run in of.items()
        ]
        lake.append("run_members", rows, name="blended")


def shop_on_both(shop: Shop, home: Path) -> Athena:
    """The shop as its last build left it, and DuckDB built on its lake."""
    shop.build_if_behind()
    ask_for_a_blend(shop.athena)
    # A batch builds only what its own models are made from.
    shop.athena.dbt("build", "--selector", "snaive_calendar")
    shop.athena.dbt("build", "--selector", "blend")
    shop.build_on_duckdb(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALESCAST_SCHEMA", shop.athena.name)
        settings = load_settings(target="dev", home=home, lake_place=str(home / "lake"))
        for selector in ("snaive_calendar", "blend"):
            open_warehouse(settings).build(selector)
    return shop.athena


def walmart_on_both(stack: Stack, home: Path) -> Athena:
    """A week of Walmart on DuckDB, and Athena built on the lake it left."""
    athena = Athena(stack, "walmart", home.parent / "athena", variables=NO_TESTS)
    duck = {
        "SALESCAST_HOME": str(home),
        "SALESCAST_SCHEMA": athena.name,
        "SALESCAST_PROJECT_DIR": str(athena.project),
        **NO_TESTS,
    }
    salescast(duck, "ingest", WALMART, "--mapping", "walmart")
    week = ("--model", "snaive_52", "--horizon", "39", "--backtests", "1")
    salescast(duck, "run", *week)
    land_second_model(home)
    salescast(duck, "build")
    athena.copy_lake(home / "lake")
    athena.build()
    return athena


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The made-up chain; with --long Walmart too, which takes minutes more."""
    if "pair" in metafunc.fixturenames:
        chains = ["shop", "walmart"] if metafunc.config.getoption("--long") else ["shop"]
        metafunc.parametrize("pair", chains, indirect=True, scope="module")


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Both warehouses on one lake, with forecasts and backtests of two models."""
    home = tmp_path_factory.mktemp(request.param) / "duckdb"
    if request.param == "shop":
        athena = shop_on_both(request.getfixturevalue("shop"), home)
    else:
        if not has_walmart():
            pytest.skip(NO_WALMART)
        athena = walmart_on_both(request.getfixturevalue("stack"), home)
    nodes = json.loads((home / MANIFEST).read_text(encoding="utf-8"))["nodes"].values()
    return Pair(home, athena, [node for node in nodes if node["resource_type"] == "model"])


@pytest.mark.timeout(1200)
def test_public_marts_and_reports_are_the_same(pair: Pair) -> None:
    public = [model for model in pair.models if model["config"]["access"] == "public"]
    assert {model["fqn"][1] for model in public} == {"marts", "reports"}
    found = {model["name"]: pair.differences(model) for model in public}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.timeout(1200)
def test_tables_before_them_are_the_same(pair: Pair) -> None:
    layers = {"staging", "intermediate", "exports", "baselines", "blend"}
    inner = [model for model in pair.models if model["fqn"][1] in layers]
    assert {model["fqn"][1] for model in inner} == layers
    found = {model["name"]: pair.differences(model) for model in inner}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.timeout(1200)
def test_exports_are_the_same_json(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pair.athena.environment.items():
        monkeypatch.setenv(name, value)
    on_athena = open_warehouse(load_settings())
    on_duckdb = open_warehouse(
        load_settings(target="dev", home=pair.home, lake_place=str(pair.home / "lake"))
    )
    cutoffs = on_duckdb.cutoffs()
    assert on_athena.cutoffs() == cutoffs
    for cutoff in [each.cutoff_date for each in cutoffs]:
        files = [
            RunFiles(home / "batches" / "check" / str(cutoff))
            for home in (pair.home, pair.athena.folder)
        ]
        a, b = (
            warehouse.export_encoding(cutoff, each.work)
            for warehouse, each in zip((on_duckdb, on_athena), files, strict=True)
        )
        assert a.features == b.features
        assert pq.read_table(a.categories).to_pylist() == pq.read_table(b.categories).to_pylist()

        mine = on_duckdb.export_training(cutoff, files[0].training)
        its = on_athena.export_training(cutoff, files[1].training)
        assert mine.n_records == its.n_records > 0
        keys = pair.athena.keys(its.channel)
        assert keys
        assert all(re.fullmatch(r"part-[0-9]{5}[.]json[.]gz", key) for key in keys)
        assert lines_of(*pair.athena.fetch(its.channel)) == lines_of(files[0].training)

        # The other's category map, as a trained model of an earlier week would bring it.
        n_mine = on_duckdb.export_inference(cutoff, files[0].inference, b)
        assert on_athena.export_inference(cutoff, files[1].inference, a) == n_mine > 0
        assert lines_of(files[1].inference) == lines_of(files[0].inference)


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    """The records of JSON lines files, in an order that does not depend on the file."""
    lines: list[bytes] = []
    for path in paths:
        content = path.read_bytes()
        lines += (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    records = (json.loads(line) for line in lines)
    # Codes and sales tell a series; the features are most of a record.
    return sorted(records, key=lambda r: json.dumps([r["cat"], r["start"], r["target"]]))
