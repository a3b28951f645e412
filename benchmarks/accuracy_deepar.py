"""DeepAR with the settings of `models.toml` on Walmart, through the whole product."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from accuracy import (
    FAR_CUTOFF,
    FAR_HORIZON,
    FAR_LEAST_WEEKS,
    NAIVE_WAPE_FAR,
    NEAR_CUTOFF,
    NEAR_HORIZON,
    backtest,
    score,
)
from measure import (
    Bench,
    Figure,
    at_most,
    below,
    between,
    finish,
    info,
    open_bench,
    walmart_folder,
)

MODEL = "deepar"


def step_seconds(bench: Bench, step: str) -> float:
    """Seconds of a step in the newest batch, all its runs together."""
    attempts = bench.newest_batch()["attempts"]
    return sum(float(attempt["seconds"]) for attempt in attempts if attempt["step"] == step)


def measure_near(bench: Bench) -> tuple[list[Figure], dict[str, Any]]:
    backtest(bench, NEAR_CUTOFF, NEAR_HORIZON, MODEL)
    found = score(bench.home, MODEL, NEAR_CUTOFF)
    at = f"{NEAR_CUTOFF}, {NEAR_HORIZON} weeks"
    train, predict = step_seconds(bench, "train"), step_seconds(bench, "predict")
    figures = [
        at_most(f"{at}: wQL of p10, p50, p90", found.wql, 0.0570),
        at_most(f"{at}: WAPE", found.wape, 0.0870),
        between(f"{at}: share inside p10 to p90", found.coverage, 0.72, 0.86),
        at_most(f"{at}: training", train, 300, "s"),
        info(f"{at}: forecasting", predict, "s"),
    ]
    return figures, asdict(found)


def measure_far(bench: Bench) -> tuple[list[Figure], dict[str, Any]]:
    backtest(bench, FAR_CUTOFF, FAR_HORIZON, MODEL)
    found = score(bench.home, MODEL, FAR_CUTOFF, least_weeks=FAR_LEAST_WEEKS)
    at = f"{FAR_CUTOFF}, {FAR_HORIZON} weeks"
    figures = [
        below(f"{at}: WAPE of {found.n_series:,} series", found.wape, NAIVE_WAPE_FAR),
        info(f"{at}: wQL of p10, p50, p90", found.wql),
        info(f"{at}: share inside p10 to p90", found.coverage),
        info(f"{at}: training", step_seconds(bench, "train"), "s"),
    ]
    return figures, asdict(found)


def main() -> int:
    measures = {NEAR_CUTOFF: measure_near, FAR_CUTOFF: measure_far}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cutoff",
        type=date.fromisoformat,
        action="append",
        choices=list(measures),
        metavar="DATE",
        help=f"only this one of {' and '.join(map(str, measures))}; the result file holds one "
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
        for cutoff in arguments.cutoff or measures:
            found, scores = measures[cutoff](bench)
            figures += found
            detail[str(cutoff)] = scores
    return finish("accuracy_deepar", figures, scores=detail)


if __name__ == "__main__":
    raise SystemExit(main())
