"""Sales with the troubles that SQL decides on: both engines judge them alike."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from local_aws.stack import Stack
from salescast.cli import cli
from support.comparison import compare
from support.warehouse import NO_TESTS, Athena

HEADER = "store,department,date,sales,receipt,is_holiday\n"
FIRST = date(2025, 6, 2)
N_DAYS = 7 * 70
LAST = FIRST + timedelta(days=N_DAYS - 1)
SPELLINGS = ("7", '"=""7"""', "7\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}7", "\t7")
CAFE = ("Café", unicodedata.normalize("NFD", "Café"))

MAPPING = {
    "name": "troubles",
    "grain": "daily",
    "week_ends_on": "sunday",
    "missing_means": "unknown",
    "duplicates": "sum",
    "deliveries": "adds",
    "tables": {
        "sales": {
            "file": "sales*.csv",
            "columns": {name: name for name in ("store", "department", "date", "sales")}
            | {"is_holiday": "is_holiday"},
            "optional": ["is_holiday"],
            "line_id": ["receipt"],
        },
        "series_changes": {
            "file": "changes*.csv",
            "columns": {
                name: name
                for name in ("store", "department", "renamed_from", "closed_on", "still_sold")
            },
        },
    },
}
JUDGED = (
    *("stg_retail__sales_judged", "stg_retail__plausible_dates", "stg_retail__look_alikes"),
    *("stg_retail__row_problems", "stg_retail__series_renames", "int_week__part_weeks"),
    *("int_sales__part_weeks", "int_sales__filled", "exp_series", "exp_plausible_range"),
    *("rpt_loads", "rpt_rejected_rows", "rpt_part_weeks", "rpt_look_alikes", "rpt_row_problems"),
    *("fct_weekly_sales_aggregate", "dim_series"),
)


def write_deliveries(folder: Path) -> list[Path]:
    """Three folders to land in turn; the second repeats lines, the third is taken back."""
    rows = []
    for day in range(N_DAYS):
        when = FIRST + timedelta(days=day)
        keys = [(SPELLINGS[day % 5], "a"), (CAFE[day % 2], "a"), ("1", "a"), ("01", "a")]
        # A store whose name changed, one that is late, an article that is gone.
        keys.append(("old name" if day < 300 else "new name", "a"))
        if when <= LAST - timedelta(days=4):
            keys.append(("late", "a"))
        if day < 120:
            keys.append(("1", "gone"))
        rows += [
            f"{store},{department},{when},{10 + day % 7}.5,{day}-{n},{day % 30 == 0}"
            for n, (store, department) in enumerate(keys)
        ]
    troubles = [
        "1,a,2002-06-03,5,far,false",
        "1,a,2025-07-01,-3,refund,perhaps",
        "1,a,2025-07-02,soon,unreadable,false",
        ",a,2025-07-02,1,keyless,false",
        "1,a,2025-07-03",
    ]
    again = [*rows[100:140], "1,a,2025-07-04,2.25,more,false"]
    files = [folder / str(n) / f"sales_{n}.csv" for n in (1, 2, 3)]
    for file, lines in zip(files, (rows + troubles, again, ["1,a,2025-08-01,99,no,"]), strict=True):
        file.parent.mkdir()
        file.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    (folder / "1" / "changes.csv").write_text(
        "store,department,renamed_from,closed_on,still_sold\nnew name,,old name,,\n",
        encoding="utf-8",
    )
    return [file.parent for file in files]


@pytest.mark.timeout(1200)
def test_troubles_are_judged_the_same(stack: Stack, tmp_path: Path) -> None:
    home = tmp_path / "duckdb"
    athena = Athena(stack, "troubles", tmp_path / "athena", variables=NO_TESTS)
    duck = {
        "SALESCAST_HOME": str(home),
        "SALESCAST_SCHEMA": athena.name,
        "SALESCAST_PROJECT_DIR": str(athena.project),
        **NO_TESTS,
    }

    def salescast(*arguments: str | Path) -> str:
        result = CliRunner(env=duck).invoke(cli, [str(each) for each in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    mapping = tmp_path / "troubles.yml"
    mapping.write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
    for folder in write_deliveries(tmp_path):
        salescast("ingest", folder, "--mapping", mapping, "--yes")
    with duckdb.connect() as connection:
        loads = f"read_parquet('{home}/lake/raw_loads/*.parquet')"
        query = f"select load_id from {loads} where source_file = 'sales_3.csv'"
        ((load_id,),) = connection.execute(query).fetchall()
    salescast("ingest", "--retract", load_id, "--reason", "a trial")
    salescast("build")

    athena.copy_lake(home / "lake")
    athena.dbt("build", "--select", *(f"+{name}" for name in JUDGED))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        places = dict(
            connection.execute(
                "select table_name, table_schema from information_schema.tables"
                " where table_schema like 'troubles_%'"
            ).fetchall()
        )
        statuses = Counter(
            connection.execute(
                "select row_status, rejection_reason from troubles_staging.stg_retail__sales_judged"
            ).fetchall()
        )
        stores = connection.execute(
            "select distinct store_id from troubles_intermediate.int_sales__filled order by 1"
        ).fetchall()
        found = {
            name: compare(
                connection,
                f'"{places[name]}"."{name}"',
                athena.unload(f'select * from "{places[name]}"."{name}"'),
            )
            for name in JUDGED
        }
    assert {name: each for name, each in found.items() if each} == {}
    # The troubles are there: as many as were written.
    assert {status: n for status, n in statuses.items() if status[0] != "accepted"} == {
        ("rejected", "date_far_from_the_rest"): 1,
        ("rejected", "sales_invalid"): 1,
        ("rejected", "store_missing"): 1,
        ("rejected", "line_unreadable"): 1,
        ("superseded", None): 40,
        ("retracted", None): 1,
    }
    assert stores == [("01",), ("1",), ("7",), ("Café",), ("late",), ("new name",)]
