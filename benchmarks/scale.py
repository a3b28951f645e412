"""The warehouse at 10,000 and 100,000 series of 150 weeks: seconds and memory of each step."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from measure import Bench, Figure, at_most, finish, info, open_bench

SIZES = (10_000, 100_000)
DEPARTMENTS = 100
WEEKS = 150
MAX_RATIO = 12.0
MAX_MIB = 4096.0
_SIMULATE = """
import sys
from pathlib import Path
from salescast.simulate import simulate
simulate(Path(sys.argv[1]), stores=int(sys.argv[2]), departments=int(sys.argv[3]),
         weeks=int(sys.argv[4]), grain="weekly", file_format="parquet", defects=False)
"""


def measure_size(bench: Bench, n_series: int, data: Path) -> dict[str, Any]:
    """Land a made-up chain, build what a forecast is made from, and export it."""
    if not (data / "sales.parquet").exists():
        stores = n_series // DEPARTMENTS
        bench.python("-c", _SIMULATE, data, str(stores), str(DEPARTMENTS), str(WEEKS))
    mapping = bench.folder / "weekly.yml"
    text = (Path(__file__).parents[1] / "mappings" / "demo.yml").read_text(encoding="utf-8")
    mapping.write_text(text.replace("\ngrain: daily", "\ngrain: weekly"), encoding="utf-8")

    ingest = bench.salescast("ingest", data, "--mapping", mapping)
    build = bench.salescast("build", "--selector", "pre_predict", "--json")
    slowest = bench.slowest_nodes(8)
    exports = bench.python(Path(__file__).with_name("export_files.py"), bench.folder / "exports")
    written = json.loads(exports.stdout)
    return {
        "n_series": n_series,
        "n_training": written["n_training"],
        "export_bytes": written["n_bytes"],
        "steps": {
            "ingest": ingest.facts(),
            "build": {**build.facts(), "dbt_seconds": json.loads(build.stdout)["seconds"]},
            "export": {**exports.facts(), "own_seconds": written["seconds"]},
        },
        "slowest_nodes": slowest,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with simulated chains, kept and reused")
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    parser.add_argument("--memory-limit", default="3GB", help="SALESCAST_MEMORY_LIMIT")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()

    measured = []
    for n_series in SIZES:
        variables = {"SALESCAST_MEMORY_LIMIT": arguments.memory_limit}
        with open_bench(arguments.work, nice=arguments.nice, variables=variables) as bench:
            data = (arguments.data or bench.folder) / f"series_{n_series}"
            measured.append(measure_size(bench, n_series, data))
            print(json.dumps(measured[-1], indent=1), file=sys.stderr)

    small, large = measured
    figures: list[Figure] = []
    for step in ("ingest", "build", "export"):
        less, more = small["steps"][step], large["steps"][step]
        figures += [
            info(f"{step}, {SIZES[0]:,} series", less["seconds"], "s"),
            info(f"{step}, {SIZES[1]:,} series", more["seconds"], "s"),
            at_most(f"{step}, ratio of seconds", more["seconds"] / less["seconds"], MAX_RATIO),
            at_most(
                f"{step}, peak memory of all processes, {SIZES[1]:,} series",
                more["tree_mib"],
                MAX_MIB,
                "MiB",
            ),
        ]
    build_less, build_more = small["steps"]["build"], large["steps"]["build"]
    export_less, export_more = small["steps"]["export"], large["steps"]["export"]
    figures += [
        at_most(
            "build, ratio of dbt's own seconds",
            build_more["dbt_seconds"] / build_less["dbt_seconds"],
            MAX_RATIO,
        ),
        at_most(
            "export, ratio of the exports' own seconds",
            sum(export_more["own_seconds"].values()) / sum(export_less["own_seconds"].values()),
            MAX_RATIO,
        ),
    ]
    return finish("scale", figures, memory_limit=arguments.memory_limit, sizes=measured)


if __name__ == "__main__":
    raise SystemExit(main())
