"""Backtests of a trained model at several cutoffs: accuracy by weeks ahead, processor time."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from accuracy import backtest, run_facts, score, score_by_lead
from measure import ROOT, Bench, Figure, at_most, between, finish, info, open_bench, walmart_folder


@dataclass(frozen=True)
class Window:
    """What is forecast from a cutoff, and how well it must be.

    Attributes:
        horizon: Weeks ahead.
        least_weeks: Least weeks of a series that is scored.
        largest_wape: Largest WAPE.
        largest_wql_3: Largest wQL of p10, p50 and p90; None without a target.
        largest_wql_9: Largest wQL of the nine deciles; None without a target.
    """

    horizon: int
    least_weeks: int
    largest_wape: float
    largest_wql_3: float | None = None
    largest_wql_9: float | None = None


@dataclass(frozen=True)
class Study:
    """One model's windows.

    Attributes:
        model: The model_id, and the name of the result file.
        windows: By cutoff.
        largest_seconds: Largest processor time of training and forecasting, with reading.
        fitting: What the algorithm does in training, for the figure's name.
        tuning: How its settings were chosen.
    """

    model: str
    windows: Mapping[date, Window]
    largest_seconds: float
    fitting: str
    tuning: str


def step_seconds(bench: Bench, *steps: str) -> float:
    """Seconds of steps in the newest batch."""
    attempts = bench.newest_batch()["attempts"]
    return sum(float(attempt["seconds"]) for attempt in attempts if attempt["step"] in steps)


def time_parts(bench: Bench, model: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Processor time of the algorithm's parts on the files of the newest batch's run."""
    record = bench.newest_batch()
    (run_id,) = (run["run_id"] for run in record["runs"] if run["model_id"] == model)
    settings = {**facts["hyperparameters"]}
    timed = bench.python(
        ROOT / "benchmarks" / "algorithm_time.py",
        settings.pop("algorithm"),
        json.dumps(settings),
        bench.home / "batches" / record["batch_id"] / run_id,
    )
    found: dict[str, Any] = json.loads(timed.stdout.splitlines()[-1])
    return found


def measure(bench: Bench, study: Study, cutoff: date) -> tuple[list[Figure], dict[str, Any]]:
    """Make the backtest of a cutoff and score it."""
    window, model = study.windows[cutoff], study.model
    horizon, least_weeks = window.horizon, window.least_weeks
    backtest(bench, cutoff, horizon, model)
    found = score(bench.home, model, cutoff, least_weeks=least_weeks)
    whole, *by_lead = score_by_lead(
        bench.home, model, cutoff, least_weeks=least_weeks, bands=[(1, horizon)]
    ) + score_by_lead(bench.home, model, cutoff, least_weeks=least_weeks)
    facts = run_facts(bench.home, model, cutoff)
    parts = time_parts(bench, model, facts)
    seconds = parts["cpu_seconds"]
    at = f"{cutoff}, {horizon} weeks"
    figures = [
        at_most(f"{at}: WAPE of {found.n_series:,} series", found.wape, window.largest_wape),
        _held(f"{at}: wQL of p10, p50, p90", found.wql, window.largest_wql_3),
        _held(f"{at}: wQL of nine deciles", whole.wql_9, window.largest_wql_9),
        between(f"{at}: share inside p10 to p90", found.coverage, 0.75, 0.85),
        info(f"{at}: bias", whole.bias),
        *(
            info(f"{at}: {what}, weeks {band.first} to {band.last}", value)
            for band in by_lead
            for what, value in (("share inside", band.coverage), ("bias", band.bias))
        ),
        info(f"{at}: lengths of {parts['n_series']:,} series", parts["n_lengths"]),
        at_most(
            f"{at}: processor time, with reading",
            sum(seconds.values()),
            study.largest_seconds,
            "s",
        ),
        info(f"{at}: of it {study.fitting}", seconds["fit"], "s"),
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


def _held(name: str, value: float, largest: float | None) -> Figure:
    return info(name, value) if largest is None else at_most(name, value, largest)


def run_study(study: Study, description: str | None) -> int:
    """Measure what the command line asks for and write the result; returns the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--cutoff",
        type=date.fromisoformat,
        action="append",
        choices=list(study.windows),
        metavar="DATE",
        help=f"only this one of {', '.join(map(str, study.windows))}; the result file holds one "
        "measurement, so leave it out for the file to be kept",
    )
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    figures: list[Figure] = []
    detail: dict[str, Any] = {}
    # As the local forecaster sets it, for the timed parts too.
    one = {"OPENBLAS_NUM_THREADS": "1"}
    with open_bench(arguments.work, nice=arguments.nice, variables=one) as bench:
        bench.salescast("ingest", data, "--mapping", "walmart")
        for cutoff in arguments.cutoff or study.windows:
            found, facts = measure(bench, study, cutoff)
            figures += found
            detail[str(cutoff)] = facts
    return finish(study.model, figures, windows=detail, tuning=study.tuning)
