"""The calendar's seasonal naive beside the 52-week one on three windows of Walmart.

WAPE, wQL, coverage and bias of each window and lead band, and the seconds that DuckDB takes for one
cutoff, summed over the models on one thread. The constants of the model were chosen in a study that
had looked at these windows; what it learns, it learns before each cutoff.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from accuracy import (
    FAR_CUTOFF,
    FAR_HORIZON,
    FAR_LEAST_WEEKS,
    NEAR_CUTOFF,
    NEAR_HORIZON,
    backtest,
)
from measure import ROOT, Bench, at_most, between, finish, info, open_bench, walmart_folder

from salescast.marts.measures import fact_sums, measure_columns

MODEL, NAIVE = "snaive_calendar", "snaive_52"
CHRISTMAS_CUTOFF = date(2011, 10, 28)
WINDOWS = (
    (NEAR_CUTOFF, NEAR_HORIZON, 1, 0.082),
    (FAR_CUTOFF, FAR_HORIZON, FAR_LEAST_WEEKS, 0.094),
    (CHRISTMAS_CUTOFF, FAR_HORIZON, 1, 0.100),
)
"""Cutoff, weeks ahead, least observed weeks of a scored series in all of the data, highest WAPE."""
MEASURES = ("wape", "wql_3", "wql_9", "coverage", "bias")


def scores(home: Path, cutoff: date, least_weeks: int) -> list[dict[str, Any]]:
    """Measures of both models, for all weeks ahead and by lead band; rows with an actual only."""
    connection = duckdb.connect(str(home / "marts.duckdb"), read_only=True)
    try:
        rows = connection.execute(
            f"""
            with scored as (
                select
                    compared.*,
                    runs.model_id,
                    case
                        when compared.horizon_weeks <= 4 then '1-4'
                        when compared.horizon_weeks <= 13 then '5-13'
                        when compared.horizon_weeks <= 26 then '14-26'
                        else '27-39'
                    end as lead_band
                from salescast_marts.fct_forecast_vs_actual as compared
                inner join salescast_marts.dim_forecast_run as runs using (run_id)
                inner join salescast_marts.dim_series as series using (item_id)
                where
                    runs.is_current
                    and runs.cutoff_date = $cutoff
                    and series.n_observed >= $least_weeks
                    and compared.actual is not null
            ),
            sums as (
                select
                    model_id, coalesce(lead_band, 'all') as lead_band, count(*) as n_scored,
                    max(horizon_weeks) as last_week, {fact_sums(*MEASURES)}
                from scored
                group by grouping sets ((model_id, lead_band), (model_id))
            )
            select model_id, lead_band, n_scored, {measure_columns(*MEASURES)}
            from sums order by model_id, last_week, lead_band
            """,
            {"cutoff": cutoff, "least_weeks": least_weeks},
        ).fetchall()
    finally:
        connection.close()
    names = ("model_id", "lead_band", "n_rows", *MEASURES)
    return [dict(zip(names, row, strict=True)) for row in rows]


def seconds_of_models(bench: Bench) -> dict[str, float]:
    """Seconds of DuckDB for each model of the newest cutoff, on one thread."""
    written = bench.home / "dbt"
    bench.python(
        *("-m", "dbt.cli.main", "run", "--selector", MODEL, "--threads", "1"),
        *("--project-dir", ROOT, "--profiles-dir", ROOT),
        *("--target-path", written / "target", "--log-path", written / "logs"),
    )
    return {
        str(result["unique_id"]).rpartition(".")[2]: round(float(result["execution_time"]), 2)
        for result in bench.dbt_results()["results"]
        if str(result["unique_id"]).startswith("model.")
    }


def made_from(home: Path) -> dict[str, str]:
    """The data and the program of the newest run."""
    connection = duckdb.connect(str(home / "marts.duckdb"), read_only=True)
    try:
        row = connection.execute(
            "select data_hash, code_version from salescast_marts.dim_forecast_run"
            " order by run_id desc limit 1"
        ).fetchone()
    finally:
        connection.close()
    assert row is not None
    return {"data_hash": str(row[0]), "code_version": str(row[1])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    variables = {"SALESCAST_THREADS": "1"}
    with open_bench(arguments.work, nice=arguments.nice, variables=variables) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        for cutoff, horizon, _, _ in WINDOWS:
            backtest(bench, cutoff, horizon, MODEL)
        scored = {cutoff: scores(bench.home, cutoff, least) for cutoff, _, least, _ in WINDOWS}
        seconds = seconds_of_models(bench)
        facts = made_from(bench.home)
    figures = []
    for cutoff, horizon, _, highest in WINDOWS:
        rows = {row["model_id"]: row for row in scored[cutoff] if row["lead_band"] == "all"}
        window, own = f"{cutoff}, {horizon} weeks", rows[MODEL]
        figures += [
            at_most(f"{window}: WAPE", own["wape"], highest),
            info(f"{window}: WAPE of {NAIVE}", rows[NAIVE]["wape"]),
            info(f"{window}: wQL of p10, p50, p90", own["wql_3"]),
            info(f"{window}: wQL of nine deciles", own["wql_9"]),
            between(f"{window}: share inside p10 to p90", own["coverage"], 0.75, 0.83),
            info(f"{window}: bias", own["bias"]),
        ]
    figures.append(at_most("one cutoff in DuckDB", sum(seconds.values()), 15, "s"))
    return finish(
        "snaive_calendar",
        figures,
        windows={str(cutoff): rows for cutoff, rows in scored.items()},
        seconds_by_model=seconds,
        windows_seen_in_tuning=True,
        **facts,
    )


if __name__ == "__main__":
    raise SystemExit(main())
