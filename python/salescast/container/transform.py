"""Forecast records with a trained model, as SageMaker's batch transform does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salescast.container.errors import ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.paths import ContainerPaths
from salescast.container.predictor import Predictor, load_predictor
from salescast.container.records import FloatArray, Record, parse_record, read_json_lines

SIGNIFICANT_DIGITS = 9
PROGRESS_SECONDS = 5.0
JOINED_FIELD = "SageMakerOutput"


def transform(
    paths: ContainerPaths,
    input_path: Path,
    output_path: Path,
    config: InferenceConfig,
    join: str | None = None,
    n_threads: int | None = None,
) -> None:
    """Forecast every line of a file; the output appears only when it is complete.

    Args:
        paths: The container's tree, which holds the model.
        input_path: JSON lines.
        output_path: JSON lines, one for each line of the input and in its order.
        config: What the forecasts should hold.
        join: Field of the input that each output line repeats, beside `SageMakerOutput`.
        n_threads: Threads to compute on; None for all cores.

    Raises:
        ContractError: The model cannot be read, or names the first bad line.
    """
    predictor = load_predictor(paths.model, n_threads)
    if not input_path.is_file():
        raise ContractError(f"{input_path}: no such file")
    records = [
        parse_record(fields, where, date_only=True) for where, fields in read_json_lines(input_path)
    ]
    predictor.check_records(records)
    if join is not None:
        _check_join(records, join)
    output_path.parent.mkdir(parents=True, exist_ok=True)
    temporary = output_path.with_name(f".{output_path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8") as out:
            forecasts = _with_progress(forecast(predictor, records, config), len(records))
            for record, answer in zip(records, forecasts, strict=True):
                line = answer if join is None else {join: record.extra[join], JOINED_FIELD: answer}
                out.write(answer_line(line))
        temporary.replace(output_path)
    finally:
        temporary.unlink(missing_ok=True)


def _check_join(records: Sequence[Record], join: str) -> None:
    for record in records:
        if join not in record.extra:
            raise ContractError(f"{record.where}: {join} is missing, it is to be joined")


def forecast(
    predictor: Predictor, records: Sequence[Record], config: InferenceConfig
) -> Iterator[dict[str, Any]]:
    """Yield the answer for each record, in their order: only the output types asked for.

    Raises:
        ContractError: The algorithm has no such output.
    """
    for made in predictor.forecast(records, config):
        answer: dict[str, Any] = {}
        if "mean" in config.output_types:
            answer["mean"] = _rounded(made.values("mean"))
        if "quantiles" in config.output_types:
            values = made.values("quantiles")
            answer["quantiles"] = {
                text: _rounded(row) for text, row in zip(config.quantiles, values, strict=True)
            }
        if "samples" in config.output_types:
            answer["samples"] = [_rounded(path) for path in made.values("samples")]
        yield answer


def answer_line(answer: Mapping[str, Any]) -> str:
    """An answer as the line that batch transform and server both write."""
    return json.dumps(answer, allow_nan=False, ensure_ascii=False) + "\n"


def _rounded(values: FloatArray) -> list[float]:
    """Values to nine significant digits, past which the order of additions may show."""
    magnitude = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    # Two steps, since the power of ten of a tiny number overflows.
    factor = 10.0 ** np.clip(SIGNIFICANT_DIGITS - 1 - magnitude, -300, 300)
    rounded: list[float] = (np.round(values * factor) / factor).tolist()
    return rounded


def _with_progress(answers: Iterator[dict[str, Any]], n_series: int) -> Iterator[dict[str, Any]]:
    shown = time.monotonic()
    for done, answer in enumerate(answers, start=1):
        yield answer
        if done == n_series or time.monotonic() - shown >= PROGRESS_SECONDS:
            print(f"transform: {done}/{n_series} series", flush=True)
            shown = time.monotonic()
