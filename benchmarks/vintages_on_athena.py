"""What a build reads with age on the local Athena: bytes with 2 and with 52 vintages.

Trino counts what it reads of the files as Athena does; its seconds are its own.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

from measure import Bench, at_most, finish, info, open_bench
from vintages import FEW, MANY, MAX_RATIO, make_home, make_sales

from local_aws.artifacts import trino_home
from local_aws.stack import Stack

STORES, DEPARTMENTS, WEEKS = 20, 50, 150
_SCANNED = re.compile(r"in all: ([0-9.,]+) MB scanned by ([0-9,]+) statements")


def on_athena(bench: Bench, stack: Stack, n_vintages: int) -> Bench:
    """The bench with its lake and warehouse on the stack, apart from others there."""
    name = f"vintages_{n_vintages}"
    variables = {
        **stack.environment,
        "SALESCAST_TARGET": "athena",
        "SALESCAST_SCHEMA": name,
        "SALESCAST_LAKE": f"s3://{stack.bucket}/{name}/lake",
        "SALESCAST_ATHENA_POLL_SECONDS": "0.1",
    }
    return replace(bench, variables=variables)


def scanned(bench: Bench) -> float:
    """Build, and tell the megabytes that its statements read."""
    bench.salescast("build")
    log = (bench.folder / "command.log").read_text(encoding="utf-8")
    found = _SCANNED.search(log)
    if found is None:
        raise SystemExit(f"the build did not tell what it read:\n{log[-2000:]}")
    return float(found[1].replace(",", ""))


def main() -> int:
    """Measure; 1 if a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    arguments = parser.parse_args()
    trino_home(print)
    idle: dict[int, float] = {}
    busy: dict[int, float] = {}
    with open_bench(arguments.work) as few, open_bench(arguments.work) as many:
        stack = Stack(few.folder / "aws")
        stack.home.mkdir()
        stack.start(print)
        try:
            data, (newest,), mapping = make_sales(few, STORES, DEPARTMENTS, WEEKS, 1)
            for n_vintages, plain in ((FEW, few), (MANY, many)):
                bench = on_athena(plain, stack, n_vintages)
                make_home(bench, n_vintages, data, mapping)
                idle[n_vintages] = scanned(bench)
                bench.salescast("ingest", newest, "--mapping", mapping)
                busy[n_vintages] = scanned(bench)
        finally:
            stack.stop()
    return finish(
        "vintages_on_athena",
        [
            info(f"nothing new, {FEW} vintages", idle[FEW], "MB"),
            info(f"nothing new, {MANY} vintages", idle[MANY], "MB"),
            at_most("nothing new, ratio", idle[MANY] / idle[FEW], MAX_RATIO),
            info(f"a new week, {FEW} vintages", busy[FEW], "MB"),
            info(f"a new week, {MANY} vintages", busy[MANY], "MB"),
            at_most("a new week, ratio", busy[MANY] / busy[FEW], MAX_RATIO),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
