"""What a build costs with age: seconds of SQL with 2 and with 52 vintages of 3,000 series."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measure import Bench, at_most, finish, info, middle, open_bench

STORES, DEPARTMENTS, WEEKS = 30, 100, 150
FEW, MANY = 2, 52
QUARTER = 13
MAX_RATIO = 1.5
_SIMULATE = """
import sys
from pathlib import Path
import duckdb
from salescast.simulate import simulate
out = Path(sys.argv[1])
simulate(out, stores=int(sys.argv[2]), departments=int(sys.argv[3]), weeks=int(sys.argv[4]),
         grain="weekly", file_format="parquet", defects=False)
sales = out / "sales.parquet"
con = duckdb.connect()
con.execute("create table sales as from read_parquet(?)", [str(sales)])
days = con.execute("select distinct date from sales order by date desc limit ?", [int(sys.argv[5])])
days = sorted(day for (day,) in days.fetchall())
for n, day in enumerate(days):
    newest = out.with_name(f"newest_{n}")
    newest.mkdir()
    con.execute(f"copy (from sales where date = '{day}') to '{newest}/sales.parquet'")
con.execute(f"copy (from sales where date < '{days[0]}') to '{sales}'")
"""


def sql_seconds(bench: Bench) -> float:
    """Seconds of all nodes of the last build, without unit tests, which have no rows of ours."""
    return sum(
        float(result["execution_time"])
        for result in bench.dbt_results()["results"]
        if not result["unique_id"].startswith("unit_test.")
    )


def make_home(bench: Bench, n_vintages: int, data: Path, mapping: Path) -> None:
    """A home with so many live vintages of two models, built a quarter of a year at a time.

    What one build lands shares files, on Athena; a home that has grown has a build for each week.
    """
    bench.salescast("ingest", data, "--mapping", mapping)
    bench.salescast("run", "--model", "snaive_52")
    for oldest in range(n_vintages - 1, 0, -QUARTER):
        newest = max(1, oldest - QUARTER + 1)
        bench.python(Path(__file__).with_name("add_vintages.py"), str(newest), str(oldest))
        bench.salescast("build")


def built(bench: Bench) -> dict[str, Any]:
    """Build, and tell what it took."""
    bench.salescast("build")
    return {"sql_seconds": round(sql_seconds(bench), 2), "slowest_nodes": bench.slowest_nodes(12)}


def make_sales(
    bench: Bench, stores: int, departments: int, weeks: int, n_newest: int
) -> tuple[Path, list[Path], Path]:
    """Make a chain; folders of its older sales and of each of the newest weeks, and the mapping."""
    data, mapping = bench.folder / "data", bench.folder / "weekly.yml"
    bench.python("-c", _SIMULATE, data, str(stores), str(departments), str(weeks), str(n_newest))
    text = (Path(__file__).parents[1] / "mappings" / "demo.yml").read_text(encoding="utf-8")
    mapping.write_text(text.replace("\ngrain: daily", "\ngrain: weekly"), encoding="utf-8")
    newest = [data.with_name(f"newest_{n}") for n in range(n_newest)]
    return data, newest, mapping


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    parser.add_argument(
        "--repeats", type=int, default=3, help="builds with nothing new, and new weeks"
    )
    arguments = parser.parse_args()
    idle: dict[int, list[dict[str, Any]]] = {FEW: [], MANY: []}
    busy: dict[int, list[dict[str, Any]]] = {FEW: [], MANY: []}
    with open_bench(arguments.work) as few, open_bench(arguments.work) as many:
        benches = {FEW: few, MANY: many}
        data, newest, mapping = make_sales(few, STORES, DEPARTMENTS, WEEKS, arguments.repeats)
        for n_vintages, bench in benches.items():
            make_home(bench, n_vintages, data, mapping)
        for _ in range(arguments.repeats):
            for n_vintages, bench in benches.items():
                idle[n_vintages].append(built(bench))
        for week in newest:
            for n_vintages, bench in benches.items():
                bench.salescast("ingest", week, "--mapping", mapping)
                busy[n_vintages].append(built(bench))
    print(json.dumps({"nothing new": idle, "a new week": busy}, indent=1), file=sys.stderr)

    figures = []
    for what, builds in (("nothing new", idle), ("a new week", busy)):
        seconds = {n: middle([each["sql_seconds"] for each in builds[n]]) for n in builds}
        figures += [
            info(f"{what}, {FEW} vintages", seconds[FEW], "s"),
            info(f"{what}, {MANY} vintages", seconds[MANY], "s"),
            at_most(f"{what}, ratio", seconds[MANY] / seconds[FEW], MAX_RATIO),
        ]
    return finish("vintages", figures, nothing_new=idle, a_new_week=busy)


if __name__ == "__main__":
    sys.exit(main())
