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
newest = out.with_name("newest")
newest.mkdir()
con = duckdb.connect()
con.execute("create table sales as from read_parquet(?)", [str(sales)])
(day,) = con.execute("select max(date) from sales").fetchone()
con.execute(f"copy (from sales where date = '{day}') to '{newest}/sales.parquet'")
con.execute(f"copy (from sales where date < '{day}') to '{sales}'")
"""


def sql_seconds(bench: Bench) -> float:
    """Seconds of all nodes of the last build, without unit tests, which have no rows of ours."""
    return sum(
        float(result["execution_time"])
        for result in bench.dbt_results()["results"]
        if not result["unique_id"].startswith("unit_test.")
    )


def make_home(bench: Bench, n_vintages: int, data: Path, mapping: Path) -> None:
    """A home with so many live vintages of two models, all of them built."""
    bench.salescast("ingest", data, "--mapping", mapping)
    bench.salescast("run", "--model", "snaive_52")
    bench.python(Path(__file__).with_name("add_vintages.py"), "1", str(n_vintages - 1))
    bench.salescast("build")


def built(bench: Bench) -> dict[str, Any]:
    """Build, and tell what it took."""
    bench.salescast("build")
    return {"sql_seconds": round(sql_seconds(bench), 2), "slowest_nodes": bench.slowest_nodes(12)}


def make_sales(bench: Bench, stores: int, departments: int, weeks: int) -> tuple[Path, Path, Path]:
    """Make a chain; the folders of its sales but for the newest week, of that week, the mapping."""
    data, mapping = bench.folder / "data", bench.folder / "weekly.yml"
    bench.python("-c", _SIMULATE, data, str(stores), str(departments), str(weeks))
    text = (Path(__file__).parents[1] / "mappings" / "demo.yml").read_text(encoding="utf-8")
    mapping.write_text(text.replace("\ngrain: daily", "\ngrain: weekly"), encoding="utf-8")
    return data, data.with_name("newest"), mapping


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    parser.add_argument("--repeats", type=int, default=3, help="builds with nothing new")
    arguments = parser.parse_args()
    idle: dict[int, list[dict[str, Any]]] = {FEW: [], MANY: []}
    busy: dict[int, dict[str, Any]] = {}
    with open_bench(arguments.work) as few, open_bench(arguments.work) as many:
        benches = {FEW: few, MANY: many}
        data, newest, mapping = make_sales(few, STORES, DEPARTMENTS, WEEKS)
        for n_vintages, bench in benches.items():
            make_home(bench, n_vintages, data, mapping)
        for _ in range(arguments.repeats):
            for n_vintages, bench in benches.items():
                idle[n_vintages].append(built(bench))
        for n_vintages, bench in benches.items():
            bench.salescast("ingest", newest, "--mapping", mapping)
            busy[n_vintages] = built(bench)
    print(json.dumps({"nothing new": idle, "a new week": busy}, indent=1), file=sys.stderr)

    seconds = {n: middle([each["sql_seconds"] for each in idle[n]]) for n in idle}
    ratios = {
        "nothing new": seconds[MANY] / seconds[FEW],
        "a new week": busy[MANY]["sql_seconds"] / busy[FEW]["sql_seconds"],
    }
    figures = [
        info(f"nothing new, {FEW} vintages", seconds[FEW], "s"),
        info(f"nothing new, {MANY} vintages", seconds[MANY], "s"),
        at_most("nothing new, ratio", ratios["nothing new"], MAX_RATIO),
        info(f"a new week, {FEW} vintages", busy[FEW]["sql_seconds"], "s"),
        info(f"a new week, {MANY} vintages", busy[MANY]["sql_seconds"], "s"),
        at_most("a new week, ratio", ratios["a new week"], MAX_RATIO),
    ]
    return finish("vintages", figures, nothing_new=idle, a_new_week=busy)


if __name__ == "__main__":
    sys.exit(main())
