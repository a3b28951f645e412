"""A wrong number planted in any step from the lake to the reports fails or warns in `dbt build`.

One home is built once. A fault (a row dropped, doubled, moved to another day, another number) is
then planted in one relation; everything after it is built again from it, as a build with a changed
model or a changed table would do, and the project's own tests are asked. All of that happens in a
transaction on a copy, with the statements that dbt compiled.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.home import Home
from support.sources import amount, write_csv, write_mapping

FIRST = date(2025, 1, 1)
DATES = [FIRST + timedelta(days=n) for n in range(7 * 34)]
HEADER = ("store", "department", "date", "sales")
DAILY, WEEKLY = "interval '1' day", "interval '7' day"
TOLD = {"assert_sales_are_of_known_stores"}
"""Warnings of the home as it is."""


@dataclass(frozen=True)
class Step:
    """A relation of the flow, with columns that a fault may change.

    rows: which rows a fault may hit, as SQL.
    moved: the column of dates that a fault moves, and by how much.
    number: the column that a fault changes; null for one that holds none.
    """

    rows: str
    moved: str | None = None
    by: str = DAILY
    number: str | None = None


STEPS = {
    "raw_sales": Step("try_cast(sales as double) > 1", "date", number="sales"),
    "raw_related": Step("true", "date"),
    "stg_retail__sales_judged": Step("row_status = 'accepted'", "sales_date", number="sales"),
    "stg_retail__sales": Step("sales > 1", "sales_date", number="sales"),
    "int_sales__weekly": Step("sales > 1", "week_end_date", WEEKLY, number="sales"),
    "int_sales__series": Step("true", "first_week_end_date", WEEKLY),
    "int_week__bounds": Step("true", "first_week_end_date", WEEKLY),
    "int_week__spine": Step("week_idx = 9", "week_end_date", WEEKLY),
    "int_sales__filled": Step("sales > 1", "week_end_date", WEEKLY, number="sales"),
    "int_sales__target_arrays": Step("true", number="target"),
    "exp_series": Step("treatment = 'trained'", "first_week_end_date", WEEKLY, number="n_weeks"),
    "exp_deepar__train": Step("true", number="target"),
    "exp_deepar__inference": Step("true", number="target"),
    "fct_weekly_sales": Step("sales > 1", "week_end_date", WEEKLY, number="sales"),
    "dim_week": Step("is_complete", "week_end_date", WEEKLY),
    "dim_series": Step("true", "first_week_end_date", WEEKLY, number="n_observed"),
    "stg_forecasts__forecasts": Step("true", "week_end_date", WEEKLY),
    "fct_forecast": Step("true", "week_end_date", WEEKLY, number="mean"),
    "fct_forecast_vs_actual": Step("actual > 1", "week_end_date", WEEKLY, number="actual"),
    "fct_forecast_aggregate": Step("level = 'chain'", number="mean"),
    "fct_forecast_vs_actual_aggregate": Step("level = 'chain'", number="actual"),
    "rpt_forecast_latest": Step("actual > 1", "week_end_date", WEEKLY, number="actual"),
    "rpt_forecast_accuracy": Step("level = 'store-department'", number="sum_abs_error"),
    "rpt_error_histogram": Step("true", number="sum_abs_actual"),
}
"""Where a fault is planted; of these relations each kind that its columns allow."""


def faulted(name: str, kind: str) -> str | None:
    """A select of the relation `sound` with one fault; None where it has no such column."""
    if kind == "none":
        return "select * from sound"
    step = STEPS[name]
    rows = f"coalesce({step.rows}, false)"
    numbered = (
        f"with numbered as (select *, if({rows}, row_number() over (order by not {rows},"
        " md5(sound::varchar)), 0) as place from sound) "
    )
    if kind == "dropped":
        return numbered + "select * exclude (place) from numbered where place <> 1"
    if kind == "doubled":
        every = "select * exclude (place) from numbered"
        return numbered + f"{every} union all {every} where place = 1"
    if kind == "all doubled":
        return "select * from sound union all select * from sound"
    column = step.moved if kind == "moved" else step.number
    if column is None:
        return None
    if kind == "moved":
        value = f"cast(cast({column} as date) + {step.by} as date)"
    elif column == "target":
        value = "list_concat(target[:-2], [coalesce(target[-1], 0) + 1])"
    else:
        value = f"cast({column} as double) + 1"
    if name.startswith("raw_"):
        value = f"cast({value} as varchar)"
    replaced = f"if(place = 1, {value}, {column}) as {column}"
    return numbered + f"select * exclude (place) replace ({replaced}) from numbered"


@dataclass
class Copy:
    """A copy of the warehouse, with the statements of its models and tests."""

    connection: duckdb.DuckDBPyConnection
    nodes: dict[str, dict[str, Any]]
    children: dict[str, list[str]]

    def plant(self, name: str, kind: str) -> list[str]:
        """Names of the tests that fail or warn at a fault; the copy is as before afterwards."""
        (unique_id,) = [
            each
            for each, node in self.nodes.items()
            if node["name"] == name and not each.startswith("test.")
        ]
        relation = self.nodes[unique_id]["relation_name"]
        self.connection.execute("begin")
        try:
            self.connection.execute(f"create temp table sound as select * from {relation}")
            self.connection.execute(f"create temp table planted as {faulted(name, kind)}")
            changed = [
                self._rows(f"select * from {one} except all select * from {other} limit 1")
                for one, other in (("planted", "sound"), ("sound", "planted"))
            ]
            assert any(changed) == (kind != "none"), f"{kind} in {name}"
            self._replace(relation, "select * from planted")
            later = self._after(unique_id)
            for node in [self.nodes[each] for each in later if each.startswith("model.")]:
                self._replace(node["relation_name"], node["compiled_code"])
            return self.failing(later)
        finally:
            self.connection.execute("rollback")

    def failing(self, unique_ids: list[str]) -> list[str]:
        """Names of the data tests among some nodes that find a row."""
        return [
            self.nodes[each]["name"]
            for each in unique_ids
            if each.startswith("test.")
            and self._rows(f"select 1 from ({self.nodes[each]['compiled_code']}) limit 1")
        ]

    def _after(self, unique_id: str) -> list[str]:
        """All nodes that read a node, the nearest first."""
        depth = {unique_id: 0}
        waiting = [unique_id]
        while waiting:
            parent = waiting.pop()
            for child in self.children.get(parent, ()):
                if child in self.nodes and depth.get(child, -1) <= depth[parent]:
                    depth[child] = depth[parent] + 1
                    waiting.append(child)
        return sorted(depth, key=lambda each: depth[each])[1:]

    def _replace(self, relation: str, sql: str) -> None:
        """Put a table where a view or a table was."""
        schema, name = (part.strip('"') for part in relation.split(".")[-2:])
        found = (
            "select if(table_type = 'VIEW', 'view', 'table') from information_schema.tables"
            " where table_catalog = current_catalog() and table_schema = ? and table_name = ?"
        )
        for (kind,) in self._rows(found, schema, name):
            self.connection.execute(f"drop {kind} {relation}")
        self.connection.execute(f"create table {relation} as {sql}")

    def _rows(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, list(parameters)).fetchall()


def land(home: Home, folder: Path) -> None:
    """Daily sales that begin and end inside a week, rows that do not count, and a correction."""
    rows: list[tuple[Any, ...]] = [
        (store, department, day, amount(100, number))
        for store in ("7", "8")
        for department in ("a", "b")
        for number, day in enumerate(DATES)
    ]
    rows += [("7", "a", "2025-02-30", "5"), ("9", "a", FIRST, "5"), ("7", "a", FIRST, "5")]
    write_csv(folder / "sales_1.csv", HEADER, rows)
    write_csv(folder / "stores.csv", ["store"], [["7"], ["8"]])
    write_csv(
        folder / "related.csv",
        ("store", "date", "promotion"),
        [(store, day, n % 2) for store in ("7", "8") for n, day in enumerate(DATES)],
    )
    mapping = write_mapping(
        folder / "faults.yml", grain="daily", week_ends_on="sunday", series={"promotion": {}}
    )
    home.command("ingest", folder, "--mapping", mapping)
    write_csv(folder / "sales_2.csv", HEADER, [("7", "a", DATES[30], "50")])
    home.command("ingest", folder, "--mapping", mapping, "--yes")


@pytest.fixture(scope="module")
def home(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home("faults")
    land(home, tmp_path_factory.mktemp("faults_source"))
    home.command("run", "--model", "snaive_52", "--horizon", "4", "--backtests", "1")
    return home


@pytest.fixture(scope="module")
def copy(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("faults_copy")
    # With --full-refresh the facts' statements make all of their rows.
    subprocess.run(
        [
            *(sys.executable, "-m", "salescast.warehouse.dbt_program"),
            *("--quiet", "compile", "--full-refresh"),
            *("--project-dir", str(home.project), "--profiles-dir", str(home.project)),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
        ],
        env={**os.environ, **home.environment},
        cwd=home.project,
        check=True,
    )
    manifest = json.loads((folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    shutil.copy(home.path / "warehouse.duckdb", folder / "warehouse.duckdb")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        nodes = manifest["nodes"] | manifest["sources"]
        yield Copy(connection, nodes, manifest["child_map"])


def test_nothing_fails_where_nothing_is_planted(copy: Copy) -> None:
    tests = [each for each in copy.nodes if each.startswith("test.")]
    assert len(tests) > 80
    assert set(copy.failing(tests)) == TOLD
    for name in STEPS:
        assert set(copy.plant(name, "none")) <= TOLD


def test_a_build_stops_at_a_row_that_is_doubled_in_the_lake(home: Home, tmp_path: Path) -> None:
    hurt = Home(tmp_path / "home", home.project)
    shutil.copytree(home.path, hurt.path)
    file = hurt.lake.files("raw_sales")[0]
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), file)
    printed = hurt.command("build", code=1)
    assert "test assert_every_landed_row_is_judged" in printed
    assert "a Parquet file may have been removed, copied or written by hand" in " ".join(
        printed.split()
    )


@pytest.mark.parametrize("kind", ["dropped", "doubled", "all doubled", "moved", "changed"])
def test_a_planted_fault_is_found_by_a_test_that_ships(copy: Copy, kind: str) -> None:
    unseen = [
        name
        for name in STEPS
        if faulted(name, kind) is not None and not set(copy.plant(name, kind)) - TOLD
    ]
    assert not unseen
