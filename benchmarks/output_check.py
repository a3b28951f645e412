"""A run's files at 10,000 to 100,000 series: seconds and memory of what surrounds a transform.

The series are made up, 104 to 156 weeks of them, and so is the transform's output, 39 weeks ahead
with eleven quantiles. What the build of a warehouse takes is measured by scale.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measure import Bench, Figure, at_most, finish, info, open_bench

SIZES = (10_000, 30_000, 100_000)
STEPS = ("data", "export", "manifest", "answer", "check", "load")
TOLD = {
    "export": "export",
    "manifest": "manifest",
    "check": "output check",
    "load": "load",
}
MAX_RATIO = 1.25
MAX_MIB = 2048.0


def measure_size(bench: Bench, n_series: int) -> dict[str, Any]:
    """Each step in a process of its own."""
    script = Path(__file__).with_name("output_check_step.py")
    steps = {}
    for step in STEPS:
        measured = bench.python(script, step, str(n_series))
        own = json.loads(measured.stdout)
        steps[step] = {**measured.facts(), **{name: round(own[name], 2) for name in own}}
    run = bench.home / "run"
    return {
        "n_series": n_series,
        "inference_bytes": (run / "inference" / "inference.json").stat().st_size,
        "output_bytes": (run / "output" / "inference.json.out").stat().st_size,
        "steps": {step: steps[step] for step in TOLD},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    parser.add_argument("--memory-limit", default="3GB", help="SALESCAST_MEMORY_LIMIT")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()

    measured = []
    for n_series in SIZES:
        variables = {"SALESCAST_MEMORY_LIMIT": arguments.memory_limit}
        with open_bench(arguments.work, nice=arguments.nice, variables=variables) as bench:
            measured.append(measure_size(bench, n_series))
            print(json.dumps(measured[-1], indent=1), file=sys.stderr)

    figures: list[Figure] = []
    least, *_, most = measured
    for step, name in TOLD.items():
        for size in measured:
            figures.append(
                info(f"{name}, {size['n_series']:,} series", size["steps"][step]["seconds"], "s")
            )
        # Processor time, which a busy machine hardly changes.
        a_series = [
            size["steps"][step]["own_cpu_seconds"] / size["n_series"] for size in (least, most)
        ]
        figures += [
            at_most(
                f"{name}, processor seconds a series at {SIZES[-1]:,} over {SIZES[0]:,}",
                a_series[1] / a_series[0],
                MAX_RATIO,
            ),
            at_most(
                f"{name}, peak memory, {most['n_series']:,} series",
                most["steps"][step]["process_mib"],
                MAX_MIB,
                "MiB",
            ),
        ]
    return finish("output_check", figures, memory_limit=arguments.memory_limit, sizes=measured)


if __name__ == "__main__":
    raise SystemExit(main())
