"""The seasonal naive on Walmart, through the whole product, at two cutoffs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

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
from measure import at_most, equal, finish, info, near, open_bench, walmart_folder

MODEL = "snaive_52"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        backtest(bench, NEAR_CUTOFF, NEAR_HORIZON, MODEL)
        backtest(bench, FAR_CUTOFF, FAR_HORIZON, MODEL)
        close = score(bench.home, MODEL, NEAR_CUTOFF)
        far = score(bench.home, MODEL, FAR_CUTOFF, least_weeks=FAR_LEAST_WEEKS)
    at_near = f"{NEAR_CUTOFF}, {NEAR_HORIZON} weeks"
    at_far = f"{FAR_CUTOFF}, {FAR_HORIZON} weeks"
    return finish(
        "accuracy_snaive",
        [
            equal(f"{at_near}: rows", close.n_rows, 38_508),
            near(f"{at_near}: WAPE", close.wape, 0.1070, 0.0005),
            at_most(f"{at_near}: wQL of p10, p50, p90", close.wql, 0.072),
            info(f"{at_near}: share inside p10 to p90", close.coverage),
            equal(f"{at_far}: series", far.n_series, 2_936),
            equal(f"{at_far}: rows", far.n_rows, 112_842),
            near(f"{at_far}: WAPE", far.wape, NAIVE_WAPE_FAR, 0.0005),
            near(f"{at_far}: WAPE of the last value", far.last_value_wape, 0.1967, 0.0005),
            info(f"{at_far}: wQL of p10, p50, p90", far.wql),
        ],
        near=asdict(close),
        far=asdict(far),
    )


if __name__ == "__main__":
    raise SystemExit(main())
