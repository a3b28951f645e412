"""Write every file that runs of DeepAR take from a built home, and print what each export took.

A part of the other benchmarks: it runs in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from salescast.settings import load_settings
from salescast.warehouse import open_warehouse
from salescast.week.export import RunFiles

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """Adds up the seconds of calls by the function's name."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function and count its time."""
        started = time.perf_counter()
        value = function(*args, **kwargs)
        self.seconds[function.__name__] += time.perf_counter() - started
        return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the files")
    arguments = parser.parse_args()
    warehouse = open_warehouse(load_settings())
    timed = Stopwatch()
    n_training = n_inference = n_bytes = 0
    cutoffs = [cutoff.cutoff_date for cutoff in warehouse.cutoffs()]
    for cutoff in cutoffs:
        files = RunFiles(arguments.out / str(cutoff))
        encoding = timed(warehouse.export_encoding, cutoff, files.work)
        n_training += timed(warehouse.export_training, cutoff, files.training).n_records
        n_inference += timed(warehouse.export_inference, cutoff, files.inference, encoding)
        timed(warehouse.export_baseline, "baseline_snaive_52", cutoff, files.baseline)
        n_bytes += sum(file.stat().st_size for file in (files.training, files.inference))
    print(
        json.dumps(
            {
                "seconds": {name: round(value, 3) for name, value in timed.seconds.items()},
                "n_cutoffs": len(cutoffs),
                "n_training": n_training,
                "n_inference": n_inference,
                "n_bytes": n_bytes,
            }
        )
    )


if __name__ == "__main__":
    main()
