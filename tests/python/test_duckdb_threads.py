"""DuckDB works with the threads of the settings: in this program's connections and in dbt's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.mapping import load_mapping
from salescast.settings import Settings, load_settings
from salescast.warehouse.dbt import DbtProject, dbt_build
from salescast.warehouse.duckdb import DuckDBWarehouse

pytestmark = pytest.mark.dbt

REPO = Path(__file__).parents[2]
# Neither a default of the profile nor what this machine has.
N_THREADS = 3


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an environment that names the threads; the project has one small model."""
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    shutil.copy(REPO / "profiles.yml", project)
    (project / "dbt_project.yml").write_text("name: salescast\nprofile: salescast\n")
    (project / "models" / "threads.sql").write_text(
        "{{ config(materialized='table') }}"
        "select current_setting('threads') as of_duckdb, {{ target.threads }} as of_dbt"
    )
    for name in ("HOME", "TARGET", "LAKE", "SCHEMA", "DUCKDB_THREADS", "MEMORY_LIMIT"):
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)
    monkeypatch.setenv("SALESCAST_THREADS", str(N_THREADS))
    found = load_settings(home=tmp_path / "home", project_dir=project)
    found.spill.mkdir(parents=True)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Threads of each connection that is opened."""
    threads: list[int] = []
    connect = duckdb.connect

    def connect_and_look(*arguments: Any, **named: Any) -> duckdb.DuckDBPyConnection:
        connection = connect(*arguments, **named)
        row = connection.execute("select current_setting('threads')").fetchone()
        assert row is not None
        threads.append(row[0])
        return connection

    monkeypatch.setattr(duckdb, "connect", connect_and_look)
    yield threads
    monkeypatch.undo()


def threads_of_build(settings: Settings) -> tuple[Any, ...]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as connection:
        (row,) = connection.execute("select of_duckdb, of_dbt from salescast.threads").fetchall()
    return row


def test_dbt_builds_with_the_threads_of_the_settings(settings: Settings) -> None:
    DuckDBWarehouse(settings).build(None)
    assert threads_of_build(settings) == (N_THREADS, N_THREADS)


def test_the_profile_tells_duckdbs_threads_from_dbts(settings: Settings) -> None:
    environment = {**settings.environment(), "SALESCAST_DUCKDB_THREADS": "5"}
    dbt_build(
        DbtProject(settings.project, settings.home, environment),
        "everything",
        [],
        full_refresh=False,
        progress=lambda _: None,
        failing_rows=lambda _: [],
    )
    assert threads_of_build(settings) == (5, N_THREADS)


def test_our_own_connections_have_the_threads_of_the_settings(
    settings: Settings, opened: list[int]
) -> None:
    with duckdb.connect(str(settings.warehouse_file)) as connection:
        connection.execute(
            """
            create schema salescast_exports; create schema salescast_marts;
            create table salescast_exports.exp_cutoffs as
                select date '2026-10-31' as cutoff_date, 2 as horizon_weeks, 'forecast' as kind,
                    true as has_sales, date '2026-10-31' as newest_week_end_date;
            create table salescast_marts.dim_week as select 1 as week;
            """
        )
    opened.clear()
    warehouse = DuckDBWarehouse(settings)
    assert warehouse.landed().first_date is None
    assert [cutoff.cutoff_date for cutoff in warehouse.cutoffs()] == [date(2026, 10, 31)]
    assert warehouse.publish() == settings.marts_file
    assert len(opened) >= 3
    assert set(opened) == {N_THREADS}
    assert settings.duckdb_config["threads"] == N_THREADS


def test_an_ingest_has_the_threads_that_it_is_given(
    settings: Settings, opened: list[int], tmp_path: Path
) -> None:
    (tmp_path / "sales.csv").write_text("store,department,date,sales\n1,a,2026-10-31,5\n")
    mapping = load_mapping("retail", REPO / "mappings")
    ingest(tmp_path / "sales.csv", mapping, Lake(settings.lake), threads=settings.threads)
    assert N_THREADS in opened
