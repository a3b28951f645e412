"""A blend with its members on three windows of Walmart, and what its first and later weeks take.

WAPE, wQL, coverage and bias of each model, coverage of stores, departments and the chain. The first
run of a window has the members forecast at eight earlier cutoffs. The constants of the blend come
from a study that had looked at these windows; weights, bands and corrections are learned before
each cutoff.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from accuracy import (
    CHRISTMAS_CUTOFF,
    CHRISTMAS_HORIZON,
    FAR_CUTOFF,
    FAR_HORIZON,
    FAR_LEAST_WEEKS,
    NEAR_CUTOFF,
    NEAR_HORIZON,
)
from measure import at_most, between, finish, info, open_bench, walmart_folder
from snaive_calendar import made_from, scores

MODEL = "blend"
WINDOWS = (
    (NEAR_CUTOFF, NEAR_HORIZON, 1, 0.0750, ("wql_3", 0.0490)),
    (FAR_CUTOFF, FAR_HORIZON, FAR_LEAST_WEEKS, 0.0885, ("wql_9", 0.0725)),
    (CHRISTMAS_CUTOFF, CHRISTMAS_HORIZON, 1, 0.0960, None),
)
"""Cutoff, weeks ahead, least observed weeks of a scored series, highest WAPE and wQL."""


def coverage_of_totals(home: Path, cutoff: date) -> dict[str, tuple[int, int]]:
    """By level: weeks of totals that p10 to p90 holds, and all of them."""
    connection = duckdb.connect(str(home / "marts.duckdb"), read_only=True)
    try:
        rows = connection.execute(
            """
            select level, sum(n_inside), sum(n_with_band) from (
                select level, n_inside_p10_p90 as n_inside, n_with_band
                from salescast_reports.rpt_forecast_accuracy
                where model_id = $model and cutoff_date = $cutoff and level <> 'store-department'
            ) group by level
            """,
            {"model": MODEL, "cutoff": cutoff},
        ).fetchall()
    finally:
        connection.close()
    return {level: (int(n_inside), int(n)) for level, n_inside, n in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    scored: dict[date, list[dict[str, Any]]] = {}
    totals: dict[date, dict[str, tuple[int, int]]] = {}
    minutes: dict[str, float] = {}
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        for cutoff, horizon, least_weeks, _, _ in WINDOWS:
            week = ("run", "--cutoff", str(cutoff), "--horizon", str(horizon), "--model", MODEL)
            minutes[f"{cutoff}, first"] = bench.salescast(*week).seconds / 60
            scored[cutoff] = scores(bench.home, cutoff, least_weeks)
            totals[cutoff] = coverage_of_totals(bench.home, cutoff)
        minutes[f"{cutoff}, again"] = bench.salescast(*week).seconds / 60
        facts = made_from(bench.home)
    figures = []
    chain = [0, 0]
    for cutoff, horizon, _, wape, wql in WINDOWS:
        window = f"{cutoff}, {horizon} weeks"
        rows = {row["model_id"]: row for row in scored[cutoff] if row["lead_band"] == "all"}
        own = rows.pop(MODEL)
        figures.append(at_most(f"{window}: WAPE", own["wape"], wape))
        if wql is not None:
            figures.append(at_most(f"{window}: {wql[0]}", own[wql[0]], wql[1]))
        figures += [info(f"{window}: WAPE of {name}", row["wape"]) for name, row in rows.items()]
        figures.append(between(f"{window}: inside p10 to p90", own["coverage"], 0.76, 0.84))
        for level in ("store", "department"):
            n_inside, n = totals[cutoff][level]
            figures.append(between(f"{window}: the same, {level}", n_inside / n, 0.76, 0.84))
        chain = [a + b for a, b in zip(chain, totals[cutoff]["chain"], strict=True)]
        figures.append(info(f"{window}: bias", own["bias"]))
    figures.append(between("chain, all windows: the same", chain[0] / chain[1], 0.70, 0.92))
    limits = {"first": 15, "again": 5}
    figures += [
        at_most(f"{name}: a week", value, limits[name.rpartition(" ")[2]], "min")
        for name, value in minutes.items()
    ]
    return finish(
        "blend",
        figures,
        windows={str(cutoff): rows for cutoff, rows in scored.items()},
        windows_seen_in_tuning=True,
        **facts,
    )


if __name__ == "__main__":
    raise SystemExit(main())
