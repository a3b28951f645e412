"""MSTL with ETS on Walmart as `models.toml` sets it, through the whole product, at 3 cutoffs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from accuracy import (
    CHRISTMAS_CUTOFF,
    CHRISTMAS_HORIZON,
    FAR_CUTOFF,
    FAR_HORIZON,
    FAR_LEAST_WEEKS,
    NEAR_CUTOFF,
    NEAR_HORIZON,
    backtest,
    run_facts,
    score,
    score_by_lead,
)
from measure import ROOT, Bench, Figure, at_most, between, finish, info, open_bench, walmart_folder

MODEL = "mstl_ets"
WINDOWS = {
    NEAR_CUTOFF: (NEAR_HORIZON, 1, 0.083),
    FAR_CUTOFF: (FAR_HORIZON, FAR_LEAST_WEEKS, 0.097),
    CHRISTMAS_CUTOFF: (CHRISTMAS_HORIZON, 1, 0.107),
}
"""Weeks ahead, least weeks of a series that is scored, and the largest WAPE, by cutoff."""

LARGEST_SECONDS = 10
TUNING = (
    "The grid of smoothing and the rule of the widths were chosen with these windows in view; "
    "what a run fits, it fits on weeks before its cutoff."
)


def step_seconds(bench: Bench, *steps: str) -> float:
    """Seconds of steps in the newest batch."""
    attempts = bench.newest_batch()["attempts"]
    return sum(float(attempt["seconds"]) for attempt in attempts if attempt["step"] in steps)


def time_parts(bench: Bench, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Processor time of the algorithm's parts on the files of the newest batch's run."""
    record = bench.newest_batch()
    (run_id,) = (run["run_id"] for run in record["runs"] if run["model_id"] == MODEL)
    settings = {**facts["hyperparameters"]}
    timed = bench.python(
        ROOT / "benchmarks" / "algorithm_time.py",
        settings.pop("algorithm"),
        json.dumps(settings),
        bench.home / "batches" / record["batch_id"] / run_id,
    )
    found: dict[str, Any] = json.loads(timed.stdout.splitlines()[-1])
    return found


def measure(bench: Bench, cutoff: date) -> tuple[list[Figure], dict[str, Any]]:
    """Make the backtest of a cutoff and score it."""
    horizon, least_weeks, largest_wape = WINDOWS[cutoff]
    backtest(bench, cutoff, horizon, MODEL)
    found = score(bench.home, MODEL, cutoff, least_weeks=least_weeks)
    whole, *by_lead = score_by_lead(
        bench.home, MODEL, cutoff, least_weeks=least_weeks, bands=[(1, horizon)]
    ) + score_by_lead(bench.home, MODEL, cutoff, least_weeks=least_weeks)
    facts = run_facts(bench.home, MODEL, cutoff)
    parts = time_parts(bench, facts)
    seconds = parts["cpu_seconds"]
    at = f"{cutoff}, {horizon} weeks"
    figures = [
        at_most(f"{at}: WAPE of {found.n_series:,} series", found.wape, largest_wape),
        info(f"{at}: wQL of p10, p50, p90", found.wql),
        info(f"{at}: wQL of nine deciles", whole.wql_9),
        between(f"{at}: share inside p10 to p90", found.coverage, 0.75, 0.85),
        info(f"{at}: bias", whole.bias),
        *(
            info(f"{at}: {what}, weeks {band.first} to {band.last}", value)
            for band in by_lead
            for what, value in (("share inside", band.coverage), ("bias", band.bias))
        ),
        info(f"{at}: lengths of {parts['n_series']:,} series", parts["n_lengths"]),
        at_most(f"{at}: processor time, with reading", sum(seconds.values()), LARGEST_SECONDS, "s"),
        info(f"{at}: of it learning the widths", seconds["fit"], "s"),
        info(f"{at}: of it forecasting", seconds["forecast"], "s"),
        info(f"{at}: steps train and predict", step_seconds(bench, "train", "predict"), "s"),
    ]
    detail = {
        "score": asdict(found),
        "by_lead": [asdict(band) for band in by_lead],
        "run": facts,
        "time": parts,
    }
    return figures, detail


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cutoff",
        type=date.fromisoformat,
        action="append",
        choices=list(WINDOWS),
        metavar="DATE",
        help=f"only this one of {', '.join(map(str, WINDOWS))}; the result file holds one "
        "measurement, so leave it out for the file to be kept",
    )
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    figures: list[Figure] = []
    detail: dict[str, Any] = {}
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        for cutoff in arguments.cutoff or WINDOWS:
            found, facts = measure(bench, cutoff)
            figures += found
            detail[str(cutoff)] = facts
    return finish("mstl_ets", figures, windows=detail, tuning=TUNING)


if __name__ == "__main__":
    raise SystemExit(main())
