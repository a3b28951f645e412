"""Land copies of a home's newest seasonal naive run as live runs of earlier cutoffs.

A part of vintages.py: it runs in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import argparse
from datetime import timedelta

import duckdb

from salescast.lake import open_lake
from salescast.lake.digest import rows_digest_sql
from salescast.settings import load_settings

MODELS = {"snaive_52": "sql", "deepar": "deepar"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int, help="weeks before the newest cutoff of the latest copy")
    parser.add_argument("last", type=int, help="the same of the earliest copy")
    arguments = parser.parse_args()
    lake = open_lake(load_settings())
    newest = max(
        (row for row in lake.read("runs").to_pylist() if row["model_id"] == "snaive_52"),
        key=lambda row: row["cutoff_date"],
    )
    connection = duckdb.connect()
    rows = lake.scan_sql("forecasts", [newest["run_id"]])
    for weeks in range(arguments.first, arguments.last + 1):
        shift = timedelta(weeks=weeks)
        for model_id, recipe in MODELS.items():
            run_id = f"w{weeks:03d}-{model_id.replace('_', '-')}"
            lake.append_query(
                connection,
                "forecasts",
                f"""
                select * replace (
                    $run_id as run_id, $model_id as model_id,
                    cutoff_date - $days as cutoff_date, week_end_date - $days as week_end_date
                )
                from ({rows}) order by item_id, horizon_weeks
                """,
                {"run_id": run_id, "model_id": model_id, "days": shift.days},
                name=run_id,
            )
            landed = lake.scan_sql("forecasts", [run_id])
            (found,) = connection.execute(
                f"select {rows_digest_sql('forecasts')} from ({landed})"
            ).fetchall()
            cutoff = newest["cutoff_date"] - shift
            lake.append(
                "runs",
                [
                    {
                        **newest,
                        "run_id": run_id,
                        "batch_id": f"w{weeks:03d}",
                        "model_id": model_id,
                        "recipe": recipe,
                        "cutoff_date": cutoff,
                        "newest_week_end_date": cutoff,
                        "landed_at": newest["landed_at"] - shift,
                        "n_fallback_items": 0,
                        "rows_digest": found[0],
                    }
                ],
                name=run_id,
            )


if __name__ == "__main__":
    main()
