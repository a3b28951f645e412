"""A wrong number planted in any step from the lake to the reports fails or warns in `dbt build`.

One home is built once. A fault (a row dropped, doubled, moved to another day, another number) is
then planted in one relation; everything after it is built again from it, as a build with a changed
model or a changed table would do, and the project's own tests are asked. All of that happens in a
transaction on a copy, with the statements that dbt compiled.

The same faults, and a file copied, gone or cut off, are planted in the files of a copy of the lake.
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

from salescast.lake import LAKE_SCHEMAS, Lake
from salescast.warehouse import open_warehouse
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


TESTS_OF_THE_LAKE = (
    "assert_lake_files_are_as_landed",
    "assert_lake_rows_have_a_record",
    "assert_landed_runs_are_whole",
)
"""Tests that read the lake, or views of it, and nothing that is built."""

OF_LANDING = {"load_id", "loaded_at", "source_file", "run_id", "schema_version"}
"""Columns that name the landing of a row and not what it holds."""


def changed(table: pa.Table, column: str) -> pa.Table:
    """A table in which one value of a column is another."""
    values = table[column].to_pylist()
    place = len(values) // 2
    value = values[place]
    if isinstance(value, date):
        values[place] = value + timedelta(days=1)
    elif isinstance(value, int | float):
        values[place] = value + 1
    else:
        values[place] = "1" if value is None else f"{value}1"
    return with_values(table, column, values)


def exchanged(table: pa.Table, column: str) -> pa.Table | None:
    """A table in which two rows have each other's value; None where all values are alike."""
    values = table[column].to_pylist()
    other = next((n for n, value in enumerate(values) if value != values[0]), None)
    if other is None:
        return None
    values[0], values[other] = values[other], values[0]
    return with_values(table, column, values)


def with_values(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pa.array(values, table.schema.field(column).type))


def file_faults(table: str, file: Path) -> Iterator[str]:
    """Plant one fault after the other in a file of the lake, and name each."""
    sound = file.read_bytes()
    rows = pq.read_table(file)
    for what, hurt in {
        "a row dropped": rows.slice(1),
        "a row doubled": pa.concat_tables([rows, rows.slice(0, 1)]),
    }.items():
        pq.write_table(hurt, file)
        yield what
    for column in [name for name in LAKE_SCHEMAS[table] if name not in OF_LANDING]:
        for how in (changed, exchanged):
            hurt = how(rows, column)
            if hurt is not None:
                pq.write_table(hurt, file)
                yield f"{column} {how.__name__}"
    file.write_bytes(sound)
    twin = file.with_name("copy.parquet")
    shutil.copy(file, twin)
    yield "the file doubled"
    twin.unlink()
    file.unlink()
    yield "the file gone"
    file.write_bytes(sound)


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
    parents: dict[str, list[str]]

    def plant(self, name: str, kind: str) -> list[str]:
        """Names of the tests that fail or warn at a fault; the copy is as before afterwards."""
        unique_id = self._unique_id(name)
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

    def with_rows(self, name: str, rows: str) -> list[str]:
        """Names of the tests that fail or warn where a model has other rows."""
        unique_id = self._unique_id(name)
        self.connection.execute("begin")
        try:
            self._replace(self.nodes[unique_id]["relation_name"], rows)
            return self.failing(self.children[unique_id])
        finally:
            self.connection.execute("rollback")

    def read_lake(self, table: str, rows: str) -> list[str]:
        """Names of the tests of the lake itself that fail or warn where a table has other rows."""
        unique_id = self._unique_id(table)
        self.connection.execute("begin")
        try:
            self._replace(self.nodes[unique_id]["relation_name"], rows)
            tests = [self._unique_id(name) for name in TESTS_OF_THE_LAKE]
            for test in tests:
                assert all(self._shows_the_lake(each) for each in self.parents[test]), test
            return self.failing(tests)
        finally:
            self.connection.execute("rollback")

    def _unique_id(self, name: str) -> str:
        (unique_id,) = [
            each
            for each, node in self.nodes.items()
            if node["name"] == name and node["resource_type"] in ("model", "source", "test")
        ]
        return unique_id

    def _shows_the_lake(self, unique_id: str) -> bool:
        """Whether a relation is a source or a view, which need not be built again."""
        node = self.nodes[unique_id]
        return node["resource_type"] == "source" or node["config"]["materialized"] == "view"

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
    # All that comes after a fault is built again, which takes all that stands beside it.
    open_warehouse(home.settings).build(None)
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
        yield Copy(connection, nodes, manifest["child_map"], manifest["parent_map"])


@pytest.fixture
def hurt_lake(home: Home, tmp_path: Path) -> Lake:
    """A copy of the home's lake, to plant faults in."""
    shutil.copytree(home.lake.root, tmp_path / "home" / "lake")
    return Lake(tmp_path / "home" / "lake")


def test_nothing_fails_where_nothing_is_planted(copy: Copy) -> None:
    tests = [each for each in copy.nodes if each.startswith("test.")]
    assert len(tests) > 80
    assert set(copy.failing(tests)) == TOLD
    for name in STEPS:
        assert set(copy.plant(name, "none")) <= TOLD


def test_a_build_stops_at_a_changed_file_of_the_lake(home: Home, hurt_lake: Lake) -> None:
    hurt = Home(hurt_lake.root.parent, home.project)
    shutil.copy(home.path / "warehouse.duckdb", hurt.path)
    file = hurt_lake.files("raw_related")[0]
    sound = file.read_bytes()
    pq.write_table(changed(pq.read_table(file), "value"), file)
    printed = " ".join(hurt.command("build", code=1).split())
    assert "test assert_lake_files_are_as_landed" in printed
    assert (
        "rows or values were changed, or a file was removed, copied or written by hand" in printed
    )
    file.write_bytes(sound[: len(sound) // 2])
    assert file.name in hurt.command("build", code=1)


@pytest.mark.parametrize("kind", ["dropped", "doubled", "all doubled", "moved", "changed"])
def test_a_planted_fault_is_found_by_a_test_that_ships(copy: Copy, kind: str) -> None:
    unseen = [
        name
        for name in STEPS
        if faulted(name, kind) is not None and not set(copy.plant(name, kind)) - TOLD
    ]
    assert not unseen


@pytest.mark.parametrize("table", ["raw_sales", "raw_related", "raw_stores", "forecasts"])
def test_a_fault_in_a_file_of_the_lake_is_found_by_a_test_that_ships(
    copy: Copy, hurt_lake: Lake, table: str
) -> None:
    file = hurt_lake.files(table)[0]
    assert copy.read_lake(table, hurt_lake.scan_sql(table)) == []
    faults = {
        what: copy.read_lake(table, hurt_lake.scan_sql(table)) for what in file_faults(table, file)
    }
    assert len(faults) > 10
    assert [what for what, tests in faults.items() if not tests] == []


def test_rows_without_a_record_are_told_unless_they_landed_again(
    copy: Copy, hurt_lake: Lake
) -> None:
    rows = pq.read_table(hurt_lake.files("raw_sales")[0])
    alike = pa.array(["killed"] * rows.num_rows)
    landed_again = rows.set_column(rows.schema.get_field_index("load_id"), "load_id", alike)
    path = hurt_lake.folder("raw_sales") / "killed.parquet"
    pq.write_table(landed_again, path)
    assert copy.read_lake("raw_sales", hurt_lake.scan_sql("raw_sales")) == []
    pq.write_table(changed(landed_again, "sales"), path)
    told = ["assert_lake_rows_have_a_record"]
    assert copy.read_lake("raw_sales", hurt_lake.scan_sql("raw_sales")) == told
    hurt_lake.files("raw_loads")[0].unlink()
    assert copy.read_lake("raw_loads", hurt_lake.scan_sql("raw_loads")) == told


def test_lost_bands_of_totals_are_told(copy: Copy, hurt_lake: Lake) -> None:
    rows = f"select * replace (5 as n_total_bands) from ({hurt_lake.scan_sql('runs')})"
    assert copy.read_lake("runs", rows) == ["assert_landed_runs_are_whole"]


def test_a_lake_of_earlier_versions_passes(copy: Copy, hurt_lake: Lake) -> None:
    later = {"rows_digest", "n_total_bands"}
    for table in ("raw_loads", "runs"):
        for file in hurt_lake.files(table):
            rows = pq.read_table(file)
            pq.write_table(rows.drop_columns(later & set(rows.column_names)), file)
        assert copy.read_lake(table, hurt_lake.scan_sql(table)) == []


@pytest.mark.parametrize(
    ("opened_on", "closed_on", "told"),
    [
        ("null", f"date '{DATES[20]}'", True),
        ("date '2062-01-01'", "null", True),
        (f"date '{DATES[-1]}'", f"date '{DATES[20]}'", True),
        (f"date '{DATES[0]}'", f"date '{DATES[-1]}'", False),
    ],
)
def test_sales_in_a_week_that_is_said_to_be_closed_are_told(
    copy: Copy, opened_on: str, closed_on: str, told: bool
) -> None:
    (series,) = [
        node["relation_name"] for node in copy.nodes.values() if node["name"] == "int_sales__series"
    ]
    said = (
        f"select item_id, 'store' as said_of, cast({opened_on} as date) as opened_on,"
        f" cast({closed_on} as date) as closed_on, false as is_still_sold from {series}"
    )
    failing = copy.with_rows("int_sales__statements", said)
    assert ("assert_closed_series_do_not_sell" in failing) == told


@pytest.mark.parametrize("column", ["model_id", "cutoff_date", "n_items", "n_rows"])
def test_a_changed_record_of_a_run_is_found(copy: Copy, hurt_lake: Lake, column: str) -> None:
    file = hurt_lake.files("runs")[0]
    pq.write_table(changed(pq.read_table(file), column), file)
    told = ["assert_landed_runs_are_whole"]
    assert copy.read_lake("runs", hurt_lake.scan_sql("runs")) == told
