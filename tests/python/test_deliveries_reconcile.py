"""Any set of deliveries reconciles, in rows and in sales: the staging SQL beside a plain loop."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from salescast.lake import LAKE_SCHEMAS
from salescast.settings import load_settings
from support.home import REPOSITORY

pytestmark = pytest.mark.dbt

N_CASES = 1_000
"""Cases with each meaning of `duplicates`."""

JUDGED = ("stg_retail__loads", "stg_retail__plausible_dates", "stg_retail__sales_judged")
COMPILED = (*JUDGED, "rpt_loads")


Judgement = tuple[str, str | None]
"""A row's status, and why it was rejected."""


@dataclass
class Row:
    """A row of a file; its key is the case's store with a department and a day."""

    load_id: str
    source_row: int
    store: str
    department: str
    day: str
    sales: str
    line_id: str | None

    @property
    def is_readable(self) -> bool:
        return self.sales != "soon"


@dataclass
class Load:
    """A file of a delivery."""

    load_id: str
    delivery_id: str
    adds: bool
    replaces: str | None = None
    is_retracted: bool = False
    is_old: bool = False
    rows: list[Row] = field(default_factory=list)


def make_case(number: int, chance: random.Random) -> list[Load]:
    """Deliveries of one store that overlap, restate, add, repeat, and are taken back."""
    loads: list[Load] = []
    has_lines = chance.random() < 0.4
    for delivery in range(chance.randint(1, 5)):
        adds = chance.random() < 0.5
        # Files of before there were deliveries are each one by itself.
        is_old = delivery == 0 and chance.random() < 0.3
        for file in range(chance.choice((1, 1, 2, 3))):
            load_id = f"{number:05d}-{delivery}-{file}"
            load = Load(load_id, f"{number:05d}-{delivery}", adds)
            if is_old:
                load.is_old, load.delivery_id, load.adds = True, load_id, False
            elif loads and chance.random() < 0.15:
                # Read anew under a mended mapping, it stays in the place of what it replaces.
                old = chance.choice(loads)
                if not any(each.replaces == old.load_id for each in loads):
                    load.replaces, load.delivery_id, load.adds = (
                        old.load_id,
                        old.delivery_id,
                        old.adds,
                    )
            load.is_retracted = chance.random() < 0.15
            for source_row in range(1, chance.randint(2, 7)):
                load.rows.append(
                    Row(
                        load_id=load_id,
                        source_row=source_row,
                        store=f"case {number}",
                        department=chance.choice("ab"),
                        day=chance.choice(("2026-01-05", "2026-01-06")),
                        sales=chance.choice(("1", "2.5", "-3", "40", "0.1", "soon")),
                        line_id=chance.choice((None, "l1", "l2", "l3", "l4"))
                        if has_lines
                        else None,
                    )
                )
            # A line is a line of its own case.
            for row in load.rows:
                row.line_id = row.line_id and f"{number} {row.line_id}"
            loads.append(load)
    return loads


def judge(loads: list[Load], *, sums: bool) -> dict[tuple[str, int], Judgement]:
    """What becomes of each row and why, delivery after delivery."""
    status: dict[tuple[str, int], Judgement] = {}
    replaced = {load.replaces for load in loads}
    deliveries: dict[str, list[Load]] = defaultdict(list)
    for load in sorted(loads, key=lambda load: load.load_id):
        if load.is_retracted or load.load_id in replaced:
            status |= {(row.load_id, row.source_row): ("retracted", None) for row in load.rows}
        else:
            deliveries[load.delivery_id].append(load)

    # The newest delivery that has a line says what it is.
    line_of: dict[str, str] = {}
    for delivery_id in sorted(deliveries):
        for row in rows_of(deliveries[delivery_id]):
            if row.is_readable and row.line_id:
                line_of[row.line_id] = delivery_id
    counting: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for delivery_id in sorted(deliveries):
        seen_lines: set[str] = set()
        own: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows_of(deliveries[delivery_id]):
            name = (row.load_id, row.source_row)
            if not row.is_readable:
                status[name] = ("rejected", "sales_invalid")
            elif row.line_id and line_of[row.line_id] != delivery_id:
                status[name] = ("superseded", None)
            elif row.line_id and row.line_id in seen_lines:
                status[name] = ("rejected", "duplicate_line")
            else:
                seen_lines |= {row.line_id} if row.line_id else set()
                own[row.department, row.day].append(row)
        for key, rows in own.items():
            if not deliveries[delivery_id][0].adds:
                for row in counting[key]:
                    status[row.load_id, row.source_row] = ("superseded", None)
                counting[key] = []
            for place, row in enumerate(rows):
                status[row.load_id, row.source_row] = (
                    ("accepted", None) if place == 0 or sums else ("rejected", "duplicate_key")
                )
                # A repeated row that does not count is superseded with the others.
                counting[key].append(row)
    return status


def rows_of(loads: list[Load]) -> list[Row]:
    return [row for load in loads for row in load.rows]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of the models, with the relations that it reads, as dbt compiles them."""
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, project_dir=REPOSITORY)
    target = home / "target"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("dbt"), "--quiet", "compile", "--select", *COMPILED),
            *("--target-path", target, "--log-path", home / "logs", "--profiles-dir", REPOSITORY),
        ],
        env={**os.environ, **settings.environment()},
        cwd=REPOSITORY,
        check=True,
    )
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
    return {
        node["name"]: node["compiled_code"].replace('"warehouse".', "")
        for node in nodes
        if node["name"] in COMPILED
    }


@pytest.mark.parametrize("sums", [False, True], ids=["reject", "sum"])
def test_deliveries_reconcile(compiled: dict[str, str], sums: bool) -> None:
    chance = random.Random(20261128)
    cases = [make_case(number, chance) for number in range(N_CASES)]
    with duckdb.connect() as con:
        land(con, [load for case in cases for load in case], sums=sums)
        for name in JUDGED:
            con.execute(f"create table salescast_staging.{name} as {compiled[name]}")
        found = con.execute(
            "select load_id, source_row, row_status, rejection_reason"
            " from salescast_staging.stg_retail__sales_judged"
        ).fetchall()
        by_load = {
            load_id: (
                n,
                dict(zip(STATUSES, ns, strict=True)),
                sales,
                dict(zip(STATUSES, s, strict=True)),
            )
            for load_id, n, ns, sales, s in con.execute(
                f"""
                select load_id, n_rows, [{", ".join(f"n_{s}" for s in STATUSES)}], sales,
                    [{", ".join(f"sales_{s}" for s in STATUSES)}]
                from ({compiled["rpt_loads"]})
                """
            ).fetchall()
        }
    judged: dict[tuple[str, int], Judgement] = {
        (load_id, n): (what, why) for load_id, n, what, why in found
    }
    assert len(judged) == len(found)
    status = {name: what for name, (what, _) in judged.items()}
    for case in cases:
        assert {k: judged[k] for k in keys(case)} == judge(case, sums=sums), case
        for load in case:
            n_rows, counts, sales, sums_of = by_load[load.load_id]
            assert n_rows == sum(counts.values()) == len(load.rows)
            mine = Counter(status[row.load_id, row.source_row] for row in load.rows)
            assert {k: v for k, v in counts.items() if v} == mine
            assert sales == pytest.approx(sum(sums_of.values()))
            for what in STATUSES:
                expected = sum(
                    Decimal(row.sales)
                    for row in load.rows
                    if row.is_readable and status[row.load_id, row.source_row] == what
                )
                assert sums_of[what] == pytest.approx(float(expected))
    # Every status was met, so that an empty comparison does not pass.
    assert set(status.values()) == set(STATUSES)


STATUSES = ("accepted", "rejected", "superseded", "retracted")


def keys(case: list[Load]) -> Iterator[tuple[str, int]]:
    for row in rows_of(case):
        yield row.load_id, row.source_row


def land(con: duckdb.DuckDBPyConnection, loads: list[Load], *, sums: bool) -> None:
    """The lake and the small models that the SQL reads."""
    con.execute("create schema salescast_lake; create schema salescast_staging")
    for table in ("raw_sales", "raw_related", "raw_loads", "raw_retractions"):
        columns = ", ".join(f'"{name}" {kind}' for name, kind in LAKE_SCHEMAS[table].items())
        con.execute(f"create table salescast_lake.{table} ({columns})")
    insert(
        con,
        "raw_sales",
        [
            {
                **{"store": row.store, "department": row.department, "date": row.day},
                **{"sales": row.sales, "line_id": row.line_id, "load_id": row.load_id},
                **{
                    "loaded_at": datetime(2026, 2, 1),
                    "source_file": "f",
                    "source_row": row.source_row,
                },
            }
            for row in rows_of(loads)
        ],
    )
    insert(
        con,
        "raw_loads",
        [
            {
                **{
                    "load_id": load.load_id,
                    "delivery_id": None if load.is_old else load.delivery_id,
                    "table_name": "raw_sales",
                },
                **{"n_rows": len(load.rows), "replaces_load_id": load.replaces, "source_file": "f"},
                "between_deliveries": None
                if load.is_old
                else ("adds" if load.adds else "restates"),
                "sales_sum": float(sum(Decimal(r.sales) for r in load.rows if r.is_readable)),
            }
            for load in loads
        ],
    )
    insert(con, "raw_retractions", [{"load_id": x.load_id} for x in loads if x.is_retracted])
    duplicates = "sum" if sums else "reject"
    con.execute(
        f"""
        create table salescast_staging.stg_retail__settings as
            select 'daily' as grain, 'end' as week_label, date '2000-01-08' as week_anchor,
                '{duplicates}' as duplicates;
        create table salescast_staging.stg_retail__stores (store_id varchar);
        create table salescast_staging.stg_retail__series_renames
            (
                old_store_id varchar, old_department_id varchar,
                store_id varchar, department_id varchar
            );
        """
    )
    for name in ("related_series", "stores", "departments", "series_changes"):
        con.execute(
            f"create table salescast_staging.stg_retail__{name}_judged"
            " (load_id varchar, row_status varchar)"
        )


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    con.register("rows", pa.Table.from_pylist(rows))
    con.execute(f"insert into salescast_lake.{table} by name select * from rows")
    con.unregister("rows")
