"""What a landing counted of its rows, Athena finds in them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from local_aws.stack import Stack
from salescast.lake import LAKE_SCHEMAS, Lake
from salescast.lake.digest import rows_digest_sql
from salescast.quantiles import QUANTILE_COLUMNS
from support.warehouse import Athena

MOMENT = datetime(2026, 11, 22, 13, 14, 15)
CUTOFF = date(2026, 11, 21)
TEXTS = (None, "", "1", "Café", "a=b\x1fc", "汉字 \N{BLACK SUN WITH RAYS}")
NUMBERS = (0.0, -0.0, 0.1, 1e-300, 12345.6, 1e15, -3.5)
CHECKED = (
    *("assert_lake_files_are_as_landed", "assert_lake_rows_have_a_record"),
    *("stg_forecasts__runs", "stg_forecasts__forecasts", "stg_forecasts__fallback_items"),
    "stg_forecasts__total_bands",
    *("stg_forecasts__withdrawals", "stg_forecasts__checked_runs"),
)
# It reads marts, which are not built here.
LEFT_OUT = (
    *("--exclude-resource-type", "unit_test"),
    *("--exclude", "assert_forecast_marts_hold_what_landed"),
)


def row_of(table: str, number: int) -> dict[str, Any]:
    """A row whose texts and numbers are other ones in each column."""
    row: dict[str, Any] = {}
    for place, (name, kind) in enumerate(LAKE_SCHEMAS[table].items()):
        if kind == "varchar":
            row[name] = TEXTS[(number + place) % len(TEXTS)]
        elif kind == "double":
            row[name] = NUMBERS[(number + place) % len(NUMBERS)]
        elif kind == "timestamp":
            row[name] = MOMENT
    return row


def land_rows(lake: Lake) -> None:
    """A load of each kind of table with odd texts, and a run with odd numbers."""
    tables = [name for name in LAKE_SCHEMAS if "source_row" in LAKE_SCHEMAS[name]]
    for table in tables:
        load = {"load_id": f"load {table}", "schema_version": 1}
        rows = [row_of(table, n) | load | {"source_row": n} for n in range(6)]
        lake.append(table, rows, table)
    rows = [
        {name: NUMBERS[n + 1] for name in ("mean", *QUANTILE_COLUMNS)}
        | {"run_id": "r", "model_id": "m", "item_id": TEXTS[3], "cutoff_date": CUTOFF}
        | {"week_end_date": CUTOFF + timedelta(weeks=n), "horizon_weeks": n}
        for n in range(1, 6)
    ]
    lake.append("forecasts", rows, "r")
    with duckdb.connect() as connection:

        def digest(table: str) -> int:
            query = f"select {rows_digest_sql(table)} from ({lake.scan_sql(table)})"
            ((found,),) = connection.execute(query).fetchall()
            return int(found)

        loads = [
            row_of("raw_loads", 0)
            | {"load_id": f"load {table}", "table_name": table, "n_rows": 6}
            | {"rows_digest": digest(table), "replaces_load_id": None}
            for table in tables
        ]
        run = row_of("runs", 0) | {"run_id": "r", "model_id": "m", "cutoff_date": CUTOFF}
        run |= {"prediction_length": 5, "n_items": 1, "n_fallback_items": 0, "n_rows": 5}
        lake.append("raw_loads", loads, "loads")
        lake.append("runs", [run | {"rows_digest": digest("forecasts")}], "r")


def test_both_engines_count_the_same_of_rows(stack: Stack, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    land_rows(lake)
    athena = Athena(stack, "digests", tmp_path / "athena")
    athena.copy_lake(lake.root)
    athena.dbt("build", "--select", *CHECKED, *LEFT_OUT)
    for table, column in (("raw_departments", "category"), ("forecasts", "p50")):
        (file,) = lake.files(table)
        rows = pq.read_table(file)
        place = rows.schema.get_field_index(column)
        exchanged = rows[column].take([1, 0, *range(2, rows.num_rows)])
        pq.write_table(rows.set_column(place, column, exchanged), file)
    athena.copy_lake(lake.root)
    printed = athena.dbt("test", "--select", *CHECKED, *LEFT_OUT, code=1)
    for name in ("assert_lake_files_are_as_landed", "assert_landed_runs_are_whole"):
        assert f"FAIL 1 {name}" in printed
