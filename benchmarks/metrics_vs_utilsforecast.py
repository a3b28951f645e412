"""The metrics of the reports against utilsforecast, on the same rows of a landed backtest."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from measure import Bench, Figure, at_least, at_most, finish, info, open_bench, walmart_folder
from utilsforecast import losses

SEASON = 52
MAX_DIFFERENCE = 1e-9
METRICS = ("wape", "wql_3", "wql_9", "rmse", "mase", "coverage", "bias")
_BAND = """
case
    when horizon_weeks <= 4 then '1-4'
    when horizon_weeks <= 13 then '5-13'
    when horizon_weeks <= 26 then '14-26'
    else '27+'
end
"""


def land_backtest(bench: Bench, demo: bool) -> None:
    """Land sales and a backtest of the seasonal naive."""
    if demo:
        bench.salescast("simulate", bench.folder / "demo")
        bench.salescast("ingest", bench.folder / "demo", "--mapping", "demo")
        cutoffs = ["--cutoff", "2026-01-31", "--cutoff", "2026-07-25"]
    else:
        bench.salescast("ingest", walmart_folder(), "--mapping", "walmart")
        cutoffs = ["--cutoff", "2012-01-27", "--cutoff", "2012-07-27"]
    bench.salescast("backtest", *cutoffs, "--horizon", "13", "--model", "snaive_52")


def read(home: Path, sql: str) -> pd.DataFrame:
    """Rows of the published marts."""
    connection = duckdb.connect(str(home / "marts.duckdb"), read_only=True)
    try:
        return connection.execute(sql).df()
    finally:
        connection.close()


def independent(rows: pd.DataFrame, history: pd.DataFrame) -> dict[str, float]:
    """The metrics of one row of the report, computed by utilsforecast.

    Args:
        rows: item_id, week, actual, mean and the quantiles of the compared rows.
        history: item_id, week and sales up to the cutoff, one row a week, unobserved ones null.

    Returns:
        Pooled metrics treat all rows as one series; mase is a mean over series by their rows.
    """
    quantiles = [f"p{n}0" for n in range(1, 10)]
    pooled = rows.rename(columns={"actual": "y"}).assign(unique_id="all")
    pooled["p50-lo-80"], pooled["p50-hi-80"] = pooled["p10"], pooled["p90"]

    def crps(columns: list[str]) -> float:
        levels = np.array([int(column[1:]) / 100 for column in columns])
        found = losses.scaled_crps(pooled, {"crps": columns}, levels)
        return float(found["crps"].iloc[0])

    items = rows.rename(columns={"item_id": "unique_id", "actual": "y", "week": "ds"})
    seen = history.rename(columns={"item_id": "unique_id", "sales": "y", "week": "ds"})
    seen = seen[seen["unique_id"].isin(items["unique_id"].unique())]
    scaled = losses.mase(items, ["p50"], SEASON, seen).set_index("unique_id")["p50"]
    # A series without a scale (no year of history, or one like the next) has no MASE.
    scaled = scaled.replace([np.inf, -np.inf], np.nan).dropna()
    n_rows = items.groupby("unique_id").size()[scaled.index]
    return {
        "wape": float(losses.wape(pooled, ["p50"])["p50"].iloc[0]),
        "wql_3": crps(["p10", "p50", "p90"]),
        "wql_9": crps(quantiles),
        "rmse": float(losses.rmse(pooled, ["mean"])["mean"].iloc[0]),
        "mase": float(np.average(scaled, weights=n_rows)) if len(scaled) else float("nan"),
        "coverage": float(losses.coverage(pooled, ["p50"], 80)["p50"].iloc[0]),
        "bias": float(losses.bias(pooled, ["p50"])["p50"].iloc[0] / pooled["y"].abs().mean()),
    }


def compare(home: Path) -> list[dict[str, Any]]:
    """Each row of rpt_forecast_accuracy of store-department series with its independent twin."""
    report = read(
        home,
        f"""
        select kind, model_id, cutoff_date, horizon_band, n_rows, {", ".join(METRICS)}
        from salescast_reports.rpt_forecast_accuracy
        where level = 'store-department'
        order by cutoff_date, kind, model_id, horizon_band
        """,
    )
    facts = read(
        home,
        f"""
        select
            runs.kind, runs.model_id, runs.cutoff_date, {_BAND} as horizon_band,
            compared.item_id, compared.week_end_date as week, compared.actual, compared.mean,
            {", ".join(f"compared.p{n}0" for n in range(1, 10))}
        from salescast_marts.fct_forecast_vs_actual as compared
        inner join salescast_marts.dim_forecast_run as runs on compared.run_id = runs.run_id
        where runs.is_current and compared.actual is not null
        """,
    )
    sales = read(
        home,
        """
        select item_id, week_end_date as week, sales
        from salescast_marts.fct_weekly_sales order by item_id, week_end_date
        """,
    )
    key = ["kind", "model_id", "cutoff_date", "horizon_band"]
    groups = dict(iter(facts.groupby(key)))
    pairs = []
    for row in report.to_dict("records"):
        rows = groups.pop(tuple(row[name] for name in key)).drop(columns=key)
        assert len(rows) == row["n_rows"]
        theirs = independent(rows, sales[sales["week"] <= row["cutoff_date"]])
        pairs.append({"ours": row, "theirs": theirs})
    assert not groups, "rows that the report leaves out"
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--demo", action="store_true", help="made-up data instead of Walmart")
    source.add_argument("--home", type=Path, help="a home with published marts instead")
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    if arguments.home:
        pairs = compare(arguments.home)
    else:
        with open_bench(arguments.work, nice=arguments.nice) as bench:
            land_backtest(bench, arguments.demo)
            pairs = compare(bench.home)
    figures: list[Figure] = [
        at_least("rows of the report compared", len(pairs), 1),
        info("forecast rows in them", sum(int(pair["ours"]["n_rows"]) for pair in pairs)),
    ]
    for metric in METRICS:
        worst = max(abs(pair["ours"][metric] - pair["theirs"][metric]) for pair in pairs)
        figures.append(at_most(f"{metric}: largest difference", worst, MAX_DIFFERENCE))
    first = pairs[0]
    return finish(
        "metrics_vs_utilsforecast",
        figures,
        source="a home" if arguments.home else "demo" if arguments.demo else "walmart",
        example={
            "of": {
                name: str(value) if isinstance(value, date) else value
                for name, value in first["ours"].items()
                if name in ("model_id", "kind", "horizon_band", "n_rows")
            },
            "ours": {metric: first["ours"][metric] for metric in METRICS},
            "utilsforecast": first["theirs"],
        },
    )


if __name__ == "__main__":
    raise SystemExit(main())
