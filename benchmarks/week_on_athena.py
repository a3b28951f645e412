"""A Walmart week on the local Athena, from raw files to marts, training and forecasting left out.

Starts a local AWS of its own. Trino has its own speed, so the seconds say that the week can be
tried on one machine, not how long Athena takes; bytes and price are of the same order as there.
"""

from __future__ import annotations

import argparse
import threading
from dataclasses import replace
from pathlib import Path

from measure import Bench, at_most, finish, info, open_bench, project_with_models, walmart_folder
from week_overhead import QUICK_MODELS, week

from local_aws.artifacts import trino_home
from local_aws.stack import Stack

MIB = 1 << 20


class StackMemory(threading.Thread):
    """The most memory that the processes of a stack had together."""

    def __init__(self, stack: Stack) -> None:
        """Watch until `ended` is set."""
        super().__init__(daemon=True)
        self._stack = stack
        self.ended = threading.Event()
        self.peak_mib = 0.0

    def run(self) -> None:
        """Sample twice a second."""
        while not self.ended.wait(0.5):
            now = sum(process.memory() for process in self._stack.processes.values())
            self.peak_mib = max(self.peak_mib, now / MIB)


def athena_bench(bench: Bench, stack: Stack) -> Bench:
    """The bench with its lake and warehouse on the stack."""
    variables = {
        **stack.environment,
        "SALESCAST_TARGET": "athena",
        "SALESCAST_LAKE": f"s3://{stack.bucket}/bench/lake",
        "SALESCAST_ATHENA_POLL_SECONDS": "0.1",
        "SALESCAST_PROJECT_DIR": str(project_with_models(bench.folder, QUICK_MODELS)),
    }
    return replace(bench, variables=variables)


def main() -> int:
    """Measure; 1 if a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the home below this folder")
    arguments = parser.parse_args()
    data = walmart_folder()
    trino_home(print)
    with open_bench(arguments.work) as plain:
        stack = Stack(plain.folder / "aws")
        stack.home.mkdir()
        started = stack.start(print)
        memory = StackMemory(stack)
        memory.start()
        try:
            bench = athena_bench(plain, stack)
            ingest = bench.salescast("ingest", data, "--mapping", "walmart")
            cutoff = ["--cutoff", "2012-07-27", "--horizon", "13"]
            first = week(bench, cutoff)
            batch = bench.newest_batch()
            second = week(bench, cutoff)
        finally:
            memory.ended.set()
            memory.join()
            stack.stop()
    scanned = [each["detail"].rsplit("; ", 1)[-1] for each in batch["attempts"]]
    return finish(
        "week_on_athena",
        [
            at_most("start of the local AWS", started, 40, "s"),
            at_most(
                "first week: ingest + run without train and predict",
                ingest.seconds + first["overhead"],
                300,
                "s",
            ),
            info("first week: dbt's own seconds", first["dbt_seconds"], "s"),
            info("next week: run without train and predict", second["overhead"], "s"),
            info("next week: dbt's own seconds", second["dbt_seconds"], "s"),
            at_most("peak memory of the local AWS", memory.peak_mib, 3072, "MiB"),
            info("peak memory of the command", first["run"].tree_mib, "MiB"),
        ],
        ingest=ingest.facts(),
        weeks=[{**each, "run": each["run"].facts()} for each in (first, second)],
        scanned_by_step=[
            {"step": each["step"], "scanned": text}
            for each, text in zip(batch["attempts"], scanned, strict=True)
            if " MB scanned by " in text
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
