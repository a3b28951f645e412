"""What five cutoffs cost against one: the build before prediction and the exports, on Walmart."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from measure import Bench, at_most, finish, info, middle, open_bench, walmart_folder

from salescast.lake import Lake, sortable_id, utc_naive

NEWEST = date(2012, 7, 27)
HORIZON = 13
CUTOFFS = {n: [NEWEST - timedelta(weeks=HORIZON * back) for back in range(n)] for n in (1, 5)}
MAX_RATIO = 2.0


def request_cutoffs(home: Path, cutoffs: Sequence[date]) -> None:
    """Ask for cutoffs as the step `request` of a batch does."""
    now = datetime.now(UTC)
    request_id = sortable_id(now)
    rows = [
        {
            "request_id": request_id,
            "requested_at": utc_naive(now),
            "cutoff_date": cutoff,
            "weeks_back": 0,
            "kind": "backtest",
            "horizon_weeks": HORIZON,
        }
        for cutoff in cutoffs
    ]
    Lake(home / "lake").append("requested_cutoffs", rows, name=request_id)


def measure_once(bench: Bench, cutoffs: Sequence[date]) -> dict[str, float]:
    """Build and export for these cutoffs; returns seconds."""
    request_cutoffs(bench.home, cutoffs)
    build = bench.salescast("build", "--selector", "pre_predict", "--json")
    exports = bench.python(Path(__file__).with_name("export_files.py"), bench.folder / "exports")
    written = json.loads(exports.stdout)
    assert written["n_cutoffs"] == len(cutoffs)
    dbt_seconds = float(json.loads(build.stdout)["seconds"])
    return {
        "build wall": build.seconds,
        "export wall": exports.seconds,
        "wall": build.seconds + exports.seconds,
        "dbt's own": dbt_seconds,
        "exports' own": sum(written["seconds"].values()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, alternating")
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    measured: dict[int, list[dict[str, float]]] = {n: [] for n in CUTOFFS}
    slowest: list[dict[str, Any]] = []
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        # The first build also parses the project: that is the same for both.
        bench.salescast("build", "--selector", "pre_predict")
        for _ in range(arguments.rounds):
            for n, cutoffs in CUTOFFS.items():
                measured[n].append(measure_once(bench, cutoffs))
                slowest = bench.slowest_nodes()
    medians = {
        n: {name: middle([each[name] for each in runs]) for name in runs[0]}
        for n, runs in measured.items()
    }
    figures = []
    for name in ("wall", "dbt's own", "exports' own"):
        one, five = medians[1][name], medians[5][name]
        figures += [info(f"{name}, 1 cutoff", one, "s"), info(f"{name}, 5 cutoffs", five, "s")]
        if name == "exports' own":
            figures.append(info(f"{name}, ratio", five / one))
        else:
            figures.append(at_most(f"{name}, ratio", five / one, MAX_RATIO))
    return finish(
        "backtest_cutoffs",
        figures,
        rounds={str(n): runs for n, runs in measured.items()},
        slowest_nodes_of_5_cutoffs=slowest,
    )


if __name__ == "__main__":
    raise SystemExit(main())
