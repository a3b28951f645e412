"""The published file of a small home, opened by older clients in environments of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from salescast.marts.measures import MEASURES, measure_columns
from support.home import Home

from .conftest import not_run

REPORT = "shop_reports.rpt_forecast_accuracy"
READ = """
import json, sys
import duckdb

connection = duckdb.connect(sys.argv[1], read_only=True)
tables = connection.execute(
    "select table_schema, table_name from information_schema.tables order by all"
).fetchall()
counts = {}
for schema, table in tables:
    cursor = connection.execute(f'select * from "{schema}"."{table}"')
    counts[f"{schema}.{table}"] = sum(1 for _ in iter(cursor.fetchone, None))
print(json.dumps({"version": duckdb.__version__, "counts": counts}))
"""


@pytest.fixture(params=["1.0", "1.5"])
def old_python(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Path:
    """An interpreter with a DuckDB of 1.x; it is made once and kept in pytest's cache."""
    line = request.param
    folder = pytestconfig.cache.mkdir(f"duckdb-{line}-python-{sys.version_info.minor}")
    python = folder / "bin" / "python"
    made = folder / "made"
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    if not made.exists():
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [*install, f"duckdb=={line}.*"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                not_run(f"DuckDB {line} cannot be installed: {done.stderr.strip()[-400:]}")
        made.touch()
    return python


def test_older_clients_read_every_table_to_the_end(small: Home, old_python: Path) -> None:
    marts = small.path / "marts.duckdb"
    done = subprocess.run(
        [str(old_python), "-I", "-c", READ, str(marts)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["version"].startswith("1.")
    assert answer["counts"].keys() == {
        f"{schema}.{table}"
        for schema, table in small.marts(
            "select table_schema, table_name from information_schema.tables"
        )
    }
    for table, n_rows in answer["counts"].items():
        assert small.marts(f"select count(*) from {table}") == [(n_rows,)], table
    assert answer["counts"]["shop_marts.fct_forecast_vs_actual"] > 0


def test_measures_are_those_of_the_published_report(small: Home) -> None:
    names = ", ".join(MEASURES)
    found = small.marts(f"select {measure_columns(*MEASURES)} from {REPORT} order by all")
    assert len(found) >= 2
    assert found == small.marts(f"select {names} from {REPORT} order by all")
