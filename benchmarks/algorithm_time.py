"""Fit and forecast the files of a run once more, and print the processor time of each part.

A part of the other benchmarks: it runs in a process of its own and starts nothing else, so that
what other programs do on the machine hardly shows.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from salescast.container.algorithm import find_algorithm
from salescast.container.checks import check_training_records
from salescast.container.inference import InferenceConfig
from salescast.container.records import read_records
from salescast.quantiles import QUANTILES
from salescast.week.export import RunFiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithm", help="name of the container's algorithm")
    parser.add_argument("hyperparameters", type=json.loads, help="of the job, as a JSON object")
    parser.add_argument("work", type=Path, help="work folder of the run")
    arguments = parser.parse_args()
    files = RunFiles(arguments.work)
    algorithm = find_algorithm(arguments.algorithm)
    algorithm.use_threads(1)
    settings = algorithm.read_hyperparameters(arguments.hyperparameters)
    seconds = {"imports": time.process_time()}

    def count(part: str) -> None:
        seconds[part] = time.process_time() - sum(seconds.values())

    records = read_records([files.training])
    summary = check_training_records(records, prediction_length=settings.prediction_length)
    count("read training")
    model = algorithm.fit(records, settings, summary)
    count("fit")
    records = read_records([files.inference])
    count("read inference")
    config = InferenceConfig(output_types=("mean", "quantiles"), quantiles=QUANTILES)
    n_series = sum(1 for _ in algorithm.forecast(model, records, config))
    count("forecast")
    n_lengths = len({len(record.target) for record in records})
    # The last line; an algorithm may print before it.
    print(json.dumps({"n_series": n_series, "n_lengths": n_lengths, "cpu_seconds": seconds}))


if __name__ == "__main__":
    main()
