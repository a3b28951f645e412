"""The training file of Walmart: the warehouse's export against pandas and json.dumps.

Both sides write the same records, which is checked, from the same built warehouse, alternating.

Like for like, "from flat tables": both sides begin at `int_sales__filled` (one row an item and
week) and at the features in rows (one a week), and connect and write inside the measured time.
Ours is the SQL of `int_sales__target_arrays` and `int_features__arrays`, then the product's export.
pandas fetches a frame of one row an item and week with the features as columns, groups it by item
and dumps each record. "Features cut a store" is a tuned pandas that groups each store's features
once.

"The step as it runs" is the product's export alone, for which the build has made the arrays.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, Literal

import duckdb
import pandas as pd
from backtest_cutoffs import HORIZON, NEWEST, request_cutoffs
from measure import (
    Bench,
    Figure,
    at_least,
    equal,
    finish,
    info,
    middle,
    open_bench,
    walmart_folder,
)

from salescast.settings import Settings, load_settings
from salescast.warehouse import open_warehouse

MIN_RATIO = 10.0
# DuckDB's own level for gzip.
GZIP_LEVEL = 6
_FEATURE_ROWS = """
select register.feature_idx, register.feature_name, '' as store_id, rows.week_idx,
    rows.feature_value
from salescast_intermediate.int_features__calendar as rows
inner join salescast_intermediate.int_features__register as register
    on rows.feature_name = register.feature_name and register.feature_level = 'chain'
union all
select register.feature_idx, register.feature_name, rows.store_id, rows.week_idx,
    round(rows.series_value, 6)
from salescast_intermediate.int_related__weekly as rows
inner join salescast_intermediate.int_features__register as register
    on rows.series_name = register.feature_name and register.feature_level = 'store'
"""

_SALES_ROWS = """
select filled.item_id, filled.week_idx, filled.sales, series.store_id,
    series.store_code, series.department_code, series.first_week_idx,
    cast(series.first_week_end_date as varchar) || ' 00:00:00' as series_start
from salescast_intermediate.int_sales__filled as filled
inner join salescast_exports.exp_series as series
    on filled.item_id = series.item_id and filled.week_idx <= series.cutoff_week_idx
where series.cutoff_date = ? and series.treatment = 'trained'
"""


@dataclass(frozen=True)
class Task:
    """What both sides work on."""

    settings: Settings
    compiled: Path
    folder: Path
    cutoff: date


def by_product(task: Task, to: Path) -> None:
    """The export step as the product does it."""
    open_warehouse(task.settings).export_training(task.cutoff, to)


def by_product_from_flat(task: Task, to: Path) -> None:
    """The arrays by the models' own SQL, then the export step."""
    with connect(task) as connection:
        for model in ("sales/int_sales__target_arrays", "features/int_features__arrays"):
            name = Path(model).name
            sql = (task.compiled / f"{model}.sql").read_text(encoding="utf-8")
            connection.execute(f"create temp table {name} as {sql}")
    by_product(task, to)


def by_pandas(task: Task, to: Path) -> None:
    """Fetch one row an item and week with the features as columns, group by item and dump."""
    with connect(task) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select feature_name from salescast_intermediate.int_features__register"
                " order by feature_idx"
            ).fetchall()
        ]
        columns = ", ".join(
            f'max(feature_value) filter (where feature_name = {quoted(name)}) as "{name}"'
            for name in names
        )
        rows = connection.execute(
            f"""
            with
            features as ({_FEATURE_ROWS}),
            wide as (
                select stores.store_id, features.week_idx, {columns}
                from features
                inner join (select distinct store_id from salescast_exports.exp_series) as stores
                    on features.store_id in ('', stores.store_id)
                group by 1, 2
            )
            select sales.*, wide.* exclude (store_id, week_idx)
            from ({_SALES_ROWS}) as sales
            inner join wide
                on sales.store_id = wide.store_id and sales.week_idx = wide.week_idx
            """,
            [task.cutoff],
        ).df()
    rows = rows.sort_values(["item_id", "week_idx"])
    with open_text(to, "wt") as file:
        for _, item in rows.groupby("item_id", sort=False):
            record = {
                **head(item),
                "dynamic_feat": [item[name].tolist() for name in names],
            }
            file.write(json.dumps(record) + "\n")


def by_tuned_pandas(task: Task, to: Path) -> None:
    """The same, but each store's features are grouped once and cut for its items."""
    with connect(task) as connection:
        sales = connection.execute(_SALES_ROWS, [task.cutoff]).df()
        features = connection.execute(_FEATURE_ROWS).df()
    features = features.sort_values(["store_id", "feature_idx", "week_idx"])
    arrays: dict[str, dict[int, list[float]]] = {}
    for (store, index), rows in features.groupby(["store_id", "feature_idx"], sort=False):
        arrays.setdefault(store, {})[index] = rows["feature_value"].tolist()
    sales = sales.sort_values(["item_id", "week_idx"])
    with open_text(to, "wt") as file:
        for _, item in sales.groupby("item_id", sort=False):
            first = int(item["first_week_idx"].iloc[0])
            own = {**arrays.get("", {}), **arrays.get(item["store_id"].iloc[0], {})}
            record = {
                **head(item),
                "dynamic_feat": [own[i][first : first + len(item)] for i in sorted(own)],
            }
            file.write(json.dumps(record) + "\n")


def head(item: pd.DataFrame) -> dict[str, Any]:
    """The fields of a record that come from the item's own rows."""
    first = item.iloc[0]
    return {
        "start": first["series_start"],
        "target": [None if value != value else value for value in item["sales"].tolist()],
        "cat": [int(first["store_code"]), int(first["department_code"])],
    }


def connect(task: Task) -> duckdb.DuckDBPyConnection:
    """The warehouse, read only, with the product's limits."""
    return duckdb.connect(
        str(task.settings.warehouse_file),
        read_only=True,
        config={"threads": task.settings.threads, "memory_limit": task.settings.memory_limit},
    )


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def open_text(path: Path, mode: Literal["rt", "wt"]) -> IO[str]:
    """Open a text file, gzipped if its name says so."""
    if path.suffix == ".gz":
        return gzip.open(path, mode, compresslevel=GZIP_LEVEL, encoding="utf-8")
    return path.open(mode, encoding="utf-8")


def lines(path: Path) -> Iterator[str]:
    """Records of a written file in one spelling, for comparison."""
    with open_text(path, "rt") as file:
        for line in file:
            yield json.dumps(json.loads(line, parse_int=float), sort_keys=True)


def prepare(bench: Bench, data: Path) -> Task:
    """Build the warehouse of one cutoff."""
    bench.salescast("ingest", data, "--mapping", "walmart")
    request_cutoffs(bench.home, [NEWEST])
    bench.salescast("build", "--selector", "pre_predict")
    return Task(
        settings=load_settings(home=bench.home),
        compiled=bench.home / "dbt/target/compiled/salescast/models/intermediate",
        folder=bench.folder,
        cutoff=NEWEST,
    )


def by_name(measured: dict[tuple[str, str], list[float]]) -> dict[str, list[float]]:
    """Measurements as a result file holds them."""
    return {
        f"train{ending}: {side}": [round(value, 3) for value in values]
        for (ending, side), values in measured.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, alternating")
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    os.nice(arguments.nice)
    sides: dict[str, Callable[[Task, Path], None]] = {
        "ours, from flat tables": by_product_from_flat,
        "ours, the step as it runs": by_product,
        "pandas, from flat tables": by_pandas,
        "pandas, features cut a store": by_tuned_pandas,
    }
    seconds: dict[tuple[str, str], list[float]] = {}
    cpu: dict[tuple[str, str], list[float]] = {}
    with open_bench(arguments.work) as bench:
        task = prepare(bench, data)
        for _ in range(arguments.rounds):
            for ending in (".json", ".json.gz"):
                for side, write in sides.items():
                    to = task.folder / f"{write.__name__}{ending}"
                    to.unlink(missing_ok=True)
                    wall, busy = time.perf_counter(), time.process_time()
                    write(task, to)
                    seconds.setdefault((ending, side), []).append(time.perf_counter() - wall)
                    cpu.setdefault((ending, side), []).append(time.process_time() - busy)
        written = {
            side: sorted(lines(task.folder / f"{write.__name__}{ending}"))
            for ending in (".json", ".json.gz")
            for side, write in ((f"{s} {ending}", w) for s, w in sides.items())
        }
    figures: list[Figure] = []
    medians = {key: middle(values) for key, values in seconds.items()}
    for ending in (".json", ".json.gz"):
        figures += [info(f"train{ending}: {side}", medians[ending, side], "s") for side in sides]
        flat, step, plain, tuned = (medians[ending, side] for side in sides)
        name = f"train{ending}: pandas / the step as it runs"
        figures += [
            at_least(name, plain / step, MIN_RATIO)
            if ending == ".json"
            else info(name, plain / step),
            info(f"train{ending}: pandas / ours, both from flat tables", plain / flat),
            info(f"train{ending}: pandas, features cut a store / ours", tuned / flat),
        ]
    reference, *others = written.values()
    n_different = sum(other != reference for other in others)
    figures.append(equal("files whose records differ", n_different, 0))
    return finish(
        "export_vs_pandas",
        figures,
        n_records=len(reference),
        horizon=HORIZON,
        pandas=pd.__version__,
        gzip_level=GZIP_LEVEL,
        seconds=by_name(seconds),
        cpu_seconds_of_all_threads=by_name(cpu),
    )


if __name__ == "__main__":
    raise SystemExit(main())
