"""`salescast demo` in a fresh home, once everything is installed."""

from __future__ import annotations

import argparse
from pathlib import Path

from measure import at_most, finish, info, open_bench


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        demo = bench.salescast("demo")
        steps = [
            {name: attempt[name] for name in ("step", "seconds")}
            for attempt in bench.newest_batch()["attempts"]
        ]
        if not (bench.home / "report.html").is_file():
            raise SystemExit("failed: the demo wrote no report")
    return finish(
        "demo_time",
        [
            at_most("salescast demo, fresh home", demo.seconds, 240, "s"),
            info("peak memory of all processes", demo.tree_mib, "MiB"),
        ],
        steps=steps,
    )


if __name__ == "__main__":
    raise SystemExit(main())
