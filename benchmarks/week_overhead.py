"""What a Walmart week costs besides training and forecasting, from raw files to published marts.

Every step of the week runs, DeepAR's too; its training and forecasting are measured and left out,
so by default a network that is trained in a moment stands in for that of `models.toml`.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from measure import (
    Bench,
    Figure,
    Measured,
    at_most,
    finish,
    info,
    open_bench,
    project_with_models,
    walmart_folder,
)

FORECASTER_STEPS = ("train", "predict")
QUICK_MODELS = """
[snaive_52]
recipe = "sql"
relation = "baseline_snaive_52"

[deepar]
recipe = "deepar"

[deepar.hyperparameters]
time_freq = "W"
context_length = 4
epochs = 1
mini_batch_size = 256
num_cells = 4
num_layers = 1
"""
_DBT_SECONDS = re.compile(r"nodes in ([0-9.]+) s of dbt's own")


def week(bench: Bench, arguments: list[str]) -> dict[str, Any]:
    """Run a week; returns its seconds by step, dbt's own, and its memory."""
    calls_before = dbt_calls(bench)
    run = bench.salescast("run", *arguments)
    attempts = bench.newest_batch()["attempts"]
    builds = [_DBT_SECONDS.search(attempt["detail"]) for attempt in attempts]
    forecaster = sum(a["seconds"] for a in attempts if a["step"] in FORECASTER_STEPS)
    return {
        "run": run,
        "overhead": run.seconds - forecaster,
        "forecaster": forecaster,
        "dbt_calls": dbt_calls(bench) - calls_before,
        "dbt_seconds": sum(float(found[1]) for found in builds if found),
        "steps": [
            {"step": a["step"], "run": a["run_id"] is not None, "seconds": a["seconds"]}
            for a in attempts
        ],
    }


def dbt_calls(bench: Bench) -> int:
    """Invocations in dbt's own log of this home."""
    log = bench.home / "dbt" / "logs" / "dbt.log"
    if not log.is_file():
        return 0
    return len(re.findall(r"Running with dbt=", log.read_text(encoding="utf-8")))


def figures_of(name: str, ingest: Measured | None, done: dict[str, Any]) -> list[Figure]:
    run: Measured = done["run"]
    seconds = done["overhead"] + (ingest.seconds if ingest else 0.0)
    what = "ingest + run" if ingest else "run"
    memory = max(run.tree_without_forecaster_mib, ingest.tree_mib if ingest else 0.0)
    return [
        at_most(f"{name}: {what} without train and predict", seconds, 45, "s"),
        at_most(f"{name}: dbt invocations", done["dbt_calls"], 2),
        at_most(f"{name}: dbt's own seconds", done["dbt_seconds"], 12, "s"),
        at_most(f"{name}: peak memory without the DeepAR program", memory, 2048, "MiB"),
        info(f"{name}: peak memory with the DeepAR program", run.tree_mib, "MiB"),
        info(f"{name}: train and predict", done["forecaster"], "s"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--with-deepar", action="store_true", help="train DeepAR as models.toml says"
    )
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    data = walmart_folder()
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        if not arguments.with_deepar:
            project = project_with_models(bench.folder, QUICK_MODELS)
            bench = replace(bench, variables={"SALESCAST_PROJECT_DIR": str(project)})
        ingest = bench.salescast("ingest", data, "--mapping", "walmart")
        cutoff = ["--cutoff", "2012-07-27", "--horizon", "13"]
        first = week(bench, cutoff)
        slowest = bench.slowest_nodes()
        second = week(bench, cutoff)
    figures = [
        *figures_of("first week", ingest, first),
        *(replace(f, target="", passed=None) for f in figures_of("next week", None, second)),
    ]
    return finish(
        "week_overhead",
        figures,
        ingest=ingest.facts(),
        weeks=[{**each, "run": each["run"].facts()} for each in (first, second)],
        slowest_nodes_after_predict=slowest,
        deepar="as models.toml" if arguments.with_deepar else "quick stand-in",
    )


if __name__ == "__main__":
    raise SystemExit(main())
