"""What a set of records must satisfy: to train on, to be forecast, as files of our own exports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salescast.container.errors import ContractError
from salescast.container.records import FIELDS, Record, read_records

MIN_OBSERVATIONS = 300
MAX_LINE_BYTES = 6 * 1024 * 1024

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Summary:
    """What a checked set of records holds.

    Attributes:
        n_series: Records.
        n_trainable: Records with at least prediction_length points.
        n_points: Points, missing ones too.
        n_observed: Points that are not missing.
        cardinality: Number of codes at each position of cat; empty without cat.
        num_dynamic_feat: Features a record.
        weekday: Weekday of `start`, Monday is 0; None unless the frequency is weeks.
    """

    n_series: int
    n_trainable: int
    n_points: int
    n_observed: int
    cardinality: tuple[int, ...]
    num_dynamic_feat: int
    weekday: int | None


def check_uniform(
    records: Sequence[Record], *, time_freq: str, future: int = 0
) -> tuple[int, int, int | None]:
    """Check what every record must share and return (cat features, dynamic features, weekday).

    Args:
        records: At least one record.
        time_freq: Frequency of the series; weeks must all start on one weekday.
        future: Steps that dynamic_feat reaches beyond target.

    Raises:
        ContractError: Names the first record that differs.
    """
    first = records[0]
    n_cat, n_feat = len(first.cat), len(first.dynamic_feat)
    weekday = first.start.weekday() if time_freq.endswith("W") else None
    for record in records:
        if len(record.cat) != n_cat:
            raise ContractError(
                f"{record.where}: cat has {len(record.cat)} values, {first.where} has {n_cat}"
            )
        if len(record.dynamic_feat) != n_feat:
            raise ContractError(
                f"{record.where}: dynamic_feat has {len(record.dynamic_feat)} features, "
                f"{first.where} has {n_feat}"
            )
        if n_feat and record.dynamic_feat.shape[1] != len(record.target) + future:
            ahead = f" + prediction_length {future}" if future else ""
            raise ContractError(
                f"{record.where}: dynamic_feat has {record.dynamic_feat.shape[1]} steps, "
                f"must be {len(record.target) + future} (target {len(record.target)}{ahead})"
            )
        if weekday is not None and record.start.weekday() != weekday:
            raise ContractError(
                f"{record.where}: start {record.start:%Y-%m-%d} is a "
                f"{_WEEKDAYS[record.start.weekday()]}, {first.where} starts on a "
                f"{_WEEKDAYS[weekday]}"
            )
    return n_cat, n_feat, weekday


def check_training_records(
    records: Sequence[Record],
    *,
    prediction_length: int,
    time_freq: str = "W",
    cardinality: str | tuple[int, ...] = "auto",
    num_dynamic_feat: str | int = "auto",
) -> Summary:
    """Check a training channel as DeepAR does and return its summary.

    Codes count as present only in series that can train, those of prediction_length points.

    Raises:
        ContractError: Names what is wrong and where.
    """
    if not records:
        raise ContractError("train: no records")
    n_cat, n_feat, weekday = check_uniform(records, time_freq=time_freq)
    trainable = [record for record in records if len(record.target) >= prediction_length]
    n_observed = sum(record.n_observed for record in records)
    if n_observed < MIN_OBSERVATIONS:
        raise ContractError(
            f"train: {n_observed} observations in all series together, "
            f"at least {MIN_OBSERVATIONS} are needed"
        )
    if not any(record.n_observed for record in trainable):
        raise ContractError(
            f"train: every series is shorter than prediction_length {prediction_length} "
            f"or without an observation"
        )
    if not any(np.nansum(np.abs(record.target)) > 0 for record in trainable):
        raise ContractError("train: training time series consist of only zeros")
    codes: tuple[int, ...] = ()
    if cardinality != "ignore":
        if cardinality != "auto" and len(cardinality) != n_cat:
            raise ContractError(
                f"train: cardinality has {len(cardinality)} entries, records have {n_cat} in cat"
            )
        sizes: Sequence[int | None] = [None] * n_cat
        if not isinstance(cardinality, str):
            sizes = cardinality
        codes = tuple(
            _check_dense(trainable, position, size) for position, size in enumerate(sizes)
        )
    if num_dynamic_feat == "ignore":
        n_feat = 0
    elif num_dynamic_feat not in ("auto", n_feat):
        raise ContractError(
            f"train: num_dynamic_feat is {num_dynamic_feat}, records have {n_feat} features"
        )
    return Summary(
        n_series=len(records),
        n_trainable=len(trainable),
        n_points=sum(len(record.target) for record in records),
        n_observed=n_observed,
        cardinality=codes,
        num_dynamic_feat=n_feat,
        weekday=weekday,
    )


def _check_dense(records: Sequence[Record], position: int, expected: int | None) -> int:
    present = {record.cat[position] for record in records}
    size = expected if expected is not None else max(present) + 1
    beyond = [code for code in present if code >= size]
    if beyond:
        record = next(record for record in records if record.cat[position] == min(beyond))
        raise ContractError(
            f"{record.where}: cat[{position}] is {min(beyond)}, cardinality is {size}"
        )
    if len(present) < size:
        missing = next(code for code in range(size) if code not in present)
        raise ContractError(
            f"train: Training set did not contain examples for all categories of cat[{position}]: "
            f"{missing} is missing of 0..{size - 1} "
            f"(series shorter than prediction_length do not count)"
        )
    return size


def check_inference_records(
    records: Sequence[Record],
    *,
    prediction_length: int,
    time_freq: str = "W",
    cardinality: Sequence[int] | None = None,
    num_dynamic_feat: int | None = None,
    weekday: int | None = None,
) -> None:
    """Check records to forecast, against the trained model where its sizes are given.

    A target may be empty, or all missing: a new series, forecast from its categories.

    Args:
        records: Records whose dynamic_feat reaches prediction_length beyond target.
        prediction_length: Steps to forecast.
        time_freq: Frequency of the series.
        cardinality: Codes known to the model at each position of cat; None leaves it unchecked.
        num_dynamic_feat: Features of the model; None leaves it unchecked.
        weekday: Weekday on which the model's series start; None leaves it unchecked.

    Raises:
        ContractError: Names file, line and field of the first wrong record.
    """
    if not records:
        return
    for record in records:
        if cardinality is not None:
            _check_known_cat(record, cardinality)
        if num_dynamic_feat is not None and len(record.dynamic_feat) != num_dynamic_feat:
            raise ContractError(
                f"{record.where}: dynamic_feat has {len(record.dynamic_feat)} features, "
                f"the model was trained with {num_dynamic_feat}"
            )
        if weekday is not None and record.start.weekday() != weekday:
            raise ContractError(
                f"{record.where}: start {record.start:%Y-%m-%d} is a "
                f"{_WEEKDAYS[record.start.weekday()]}, the model's series start on a "
                f"{_WEEKDAYS[weekday]}"
            )
    check_uniform(records, time_freq=time_freq, future=prediction_length)


def _check_known_cat(record: Record, cardinality: Sequence[int]) -> None:
    if len(record.cat) != len(cardinality):
        raise ContractError(
            f"{record.where}: cat has {len(record.cat)} values, "
            f"the model was trained with {len(cardinality)}"
        )
    for position, (code, size) in enumerate(zip(record.cat, cardinality, strict=True)):
        if code >= size:
            raise ContractError(
                f"{record.where}: cat[{position}] is {code}, the model knows 0..{size - 1}"
            )


# ---- stricter checks of our own exports ------------------------------------------------------


def check_training_file(
    paths: Path | Iterable[Path],
    *,
    prediction_length: int = 1,
    time_freq: str = "W",
    cardinality: str | tuple[int, ...] = "auto",
    num_dynamic_feat: str | int = "auto",
) -> Summary:
    """Check exported training files to the letter of the contract.

    Beyond what DeepAR itself refuses: keys other than DeepAR's, a series without any observation,
    a series of only zeros and a series too short to train on.

    Raises:
        ContractError: Names file, line and field.
    """
    records = read_records([paths] if isinstance(paths, Path) else paths)
    for record in records:
        if record.extra:
            raise ContractError(
                f"{record.where}: unexpected field {next(iter(record.extra))}; "
                f"training records hold only {', '.join(FIELDS)}"
            )
        if not record.n_observed:
            raise ContractError(f"{record.where}: target has no observation")
        if not np.nansum(np.abs(record.target)) > 0:
            raise ContractError(f"{record.where}: target consists of only zeros")
        if len(record.target) < prediction_length:
            raise ContractError(
                f"{record.where}: target has {len(record.target)} points, fewer than "
                f"prediction_length {prediction_length}"
            )
    return check_training_records(
        records,
        prediction_length=prediction_length,
        time_freq=time_freq,
        cardinality=cardinality,
        num_dynamic_feat=num_dynamic_feat,
    )


def check_inference_file(
    path: Path,
    prediction_length: int,
    *,
    time_freq: str = "W",
    id_field: str | None = "item_id",
    cardinality: Sequence[int] | None = None,
    num_dynamic_feat: int | None = None,
    weekday: int | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Summary:
    """Check an exported inference file to the letter of the contract.

    Beyond what a transform refuses: a series without any observation, which is not exported.

    Args:
        path: A file of JSON lines.
        prediction_length: Steps to forecast.
        time_freq: Frequency of the series.
        id_field: Field that names the series, once each; None if the lines have none.
        cardinality: Codes known to the model at each position of cat.
        num_dynamic_feat: Features of the model.
        weekday: Weekday on which the model's series start, Monday is 0.
        max_line_bytes: Largest line that the transform job takes.

    Raises:
        ContractError: Names file, line and field.
    """
    records = read_records([path])
    if not records:
        raise ContractError(f"{path.name}: no records")
    first_use: dict[str, str] = {}
    for record in records:
        for name in record.extra:
            if name != id_field:
                raise ContractError(f"{record.where}: unexpected field {name}")
        if id_field is not None:
            item_id = record.extra.get(id_field)
            if not isinstance(item_id, str):
                raise ContractError(f"{record.where}: {id_field} must be text, not {item_id!r}")
            if item_id in first_use:
                raise ContractError(
                    f"{record.where}: {id_field} {item_id!r} is that of {first_use[item_id]} too"
                )
            first_use[item_id] = record.where
        if not record.n_observed:
            raise ContractError(f"{record.where}: target has no observation")
    _check_line_sizes(path, max_line_bytes)
    check_inference_records(
        records,
        prediction_length=prediction_length,
        time_freq=time_freq,
        cardinality=cardinality,
        num_dynamic_feat=num_dynamic_feat,
        weekday=weekday,
    )
    n_cat, n_feat, start_weekday = check_uniform(
        records, time_freq=time_freq, future=prediction_length
    )
    return Summary(
        n_series=len(records),
        n_trainable=sum(len(record.target) >= prediction_length for record in records),
        n_points=sum(len(record.target) for record in records),
        n_observed=sum(record.n_observed for record in records),
        cardinality=tuple(max(r.cat[position] for r in records) + 1 for position in range(n_cat)),
        num_dynamic_feat=n_feat,
        weekday=start_weekday,
    )


def _check_line_sizes(path: Path, max_line_bytes: int) -> None:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if len(line) > max_line_bytes:
                raise ContractError(
                    f"{path.name} line {number}: {len(line)} bytes, "
                    f"a transform job takes {max_line_bytes}"
                )
