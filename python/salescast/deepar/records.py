"""Read and check DeepAR's records: JSON lines, gzipped JSON lines and Parquet."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

FIELDS = ("start", "target", "cat", "dynamic_feat")
JSON_CONTENT_TYPES = ("json", "application/json", "jsonlines", "application/jsonlines")
MIN_OBSERVATIONS = 300
MAX_LINE_BYTES = 6 * 1024 * 1024

_START = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_JSON_NUMBERS = {int, float}

FloatArray = npt.NDArray[np.float64]


class ContractError(ValueError):
    """Data or settings that break DeepAR's contract."""


@dataclass(frozen=True, eq=False)
class Record:
    """One series.

    Attributes:
        start: Time of the first point of target.
        target: One value a step, NaN where missing.
        cat: Category codes, empty if the record has none.
        dynamic_feat: Feature by step; zero rows if the record has none.
        where: File and line, for messages.
        extra: Fields that are not DeepAR's, such as an item_id.
    """

    start: dt.datetime
    target: FloatArray
    cat: tuple[int, ...]
    dynamic_feat: FloatArray
    where: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_observed(self) -> int:
        """Points that are not missing."""
        return int(np.count_nonzero(~np.isnan(self.target)))

    def content_hash(self) -> bytes:
        """Hash of what the model reads, whatever the file, line or spelling of numbers."""
        digest = hashlib.sha256(self.start.isoformat().encode())
        # Adding zero makes -0.0 and 0.0 one value; NaN gets one bit pattern.
        target = np.where(np.isnan(self.target), np.nan, self.target + 0.0)
        for array in (target, np.asarray(self.cat, dtype=np.int64), self.dynamic_feat + 0.0):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()


def data_files(paths: Iterable[Path]) -> list[Path]:
    """Files under the paths, sorted; names that begin with a dot and `_SUCCESS` are skipped."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            children = sorted(
                child
                for child in path.iterdir()
                if not child.name.startswith(".") and child.name != "_SUCCESS"
            )
            files += data_files(children)
        elif path.exists():
            files.append(path)
        else:
            raise ContractError(f"{path}: no such file or folder")
    return files


def read_records(
    paths: Iterable[Path], *, content_type: str | None = None, date_only: bool = False
) -> list[Record]:
    """Read every record under the paths, in the order of files and lines.

    Args:
        paths: Files or folders.
        content_type: Content type of the channel; lets files of other extensions be JSON lines.
        date_only: Whether `start` may leave out the time, as at inference.

    Raises:
        ContractError: Names file, line and field of the first record that is not well formed.
    """
    return [
        parse_record(fields, where, date_only=date_only)
        for path in data_files(paths)
        for where, fields in _read_file(path, content_type)
    ]


def _read_file(path: Path, content_type: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _read_parquet(path)
    elif name.endswith((".json", ".json.gz")) or content_type in JSON_CONTENT_TYPES:
        yield from read_json_lines(path)
    else:
        raise ContractError(
            f"{path.name}: not a file of DeepAR's; names end in .json, .json.gz or .parquet"
        )


def read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the object of each line of a JSON lines file, gzipped or plain."""
    try:
        with path.open("rb") as raw:
            gzipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if gzipped else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                where = f"{path.name} line {number}"
                yield where, parse_json_object(line, where)
    except (OSError, EOFError) as error:
        raise ContractError(f"{path.name}: cannot be read: {error}") from error


def parse_json_object(line: bytes, where: str) -> dict[str, Any]:
    """Parse one line as strict JSON: no bare NaN or Infinity, no repeated key."""
    try:
        value = json.loads(line, parse_constant=_refuse_token, object_pairs_hook=_distinct_keys)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: Error when parsing json: {error}") from error
    if not isinstance(value, dict):
        raise ContractError(f"{where}: must be a JSON object, not {type(value).__name__}")
    return value


def _refuse_token(token: str) -> None:
    raise ValueError(f'{token} is not JSON; a missing value is null or "NaN"')


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice")
    return value


def _read_parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        table = pq.ParquetFile(path)
        number = 0
        for batch in table.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path.name} row {number}", _plain(row)
    except (OSError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"{path.name}: cannot be read as Parquet: {error}") from error


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A Parquet row as the JSON record it stands for: times as text, NaN targets as null."""
    if isinstance(row.get("start"), dt.datetime):
        row["start"] = row["start"].strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(row.get("target"), list):
        row["target"] = [
            None if isinstance(value, float) and math.isnan(value) else value
            for value in row["target"]
        ]
    return {name: value for name, value in row.items() if value is not None}


def parse_record(fields: Mapping[str, Any], where: str, *, date_only: bool = False) -> Record:
    """Turn the object of one line into a record.

    Raises:
        ContractError: Names the field that is missing or not well formed.
    """
    for name in ("start", "target"):
        if name not in fields:
            raise ContractError(f"{where}: {name} is missing")
    return Record(
        start=_start(fields["start"], where, date_only=date_only),
        target=_target(fields["target"], where),
        cat=_cat(fields["cat"], where) if "cat" in fields else (),
        dynamic_feat=_dynamic_feat(fields.get("dynamic_feat", []), where),
        where=where,
        extra={name: value for name, value in fields.items() if name not in FIELDS},
    )


def _start(value: Any, where: str, *, date_only: bool) -> dt.datetime:
    expected = "YYYY-MM-DD HH:MM:SS"
    match = _START.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match.group(1) is None and not date_only):
        raise ContractError(f"{where}: start must be text as {expected}, not {value!r}")
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        raise ContractError(f"{where}: start {value!r} is not a date") from None


def _target(values: Any, where: str) -> FloatArray:
    if not isinstance(values, list):
        raise ContractError(f"{where}: target must be an array of numbers")
    types = set(map(type, values))
    if not types <= {int, float, type(None)}:
        for position, value in enumerate(values):
            if type(value) not in (int, float, type(None)) and value != "NaN":
                raise ContractError(
                    f'{where}: target[{position}] must be a number, null or "NaN", not {value!r}'
                )
        values = [None if value == "NaN" else value for value in values]
    target = _floats(values, f"{where}: target")
    missing = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    _check_finite(target, ~missing, f"{where}: target")
    return target


def _floats(values: list[Any], what: str) -> FloatArray:
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise ContractError(f"{what} holds a number that is too large") from None


def _check_finite(values: FloatArray, where_set: npt.NDArray[np.bool_], what: str) -> None:
    wrong = np.flatnonzero(where_set & ~np.isfinite(values))
    if wrong.size:
        raise ContractError(f"{what}[{wrong[0]}] is not a finite number")


def _cat(values: Any, where: str) -> tuple[int, ...]:
    if not isinstance(values, list) or not values:
        raise ContractError(f"{where}: cat must be an array of integers, not {values!r}")
    for position, value in enumerate(values):
        if type(value) is not int or value < 0:
            raise ContractError(f"{where}: cat[{position}] must be an integer >= 0, not {value!r}")
    return tuple(values)


def _dynamic_feat(features: Any, where: str) -> FloatArray:
    if not isinstance(features, list) or not all(isinstance(row, list) for row in features):
        raise ContractError(f"{where}: dynamic_feat must be an array of arrays of numbers")
    if not features:
        return np.empty((0, 0))
    length = len(features[0])
    for index, row in enumerate(features):
        if len(row) != length:
            raise ContractError(
                f"{where}: dynamic_feat[{index}] has {len(row)} values, "
                f"dynamic_feat[0] has {length}"
            )
        if not set(map(type, row)) <= _JSON_NUMBERS:
            position = next(i for i, value in enumerate(row) if type(value) not in _JSON_NUMBERS)
            raise ContractError(
                f"{where}: dynamic_feat[{index}][{position}] must be a number, "
                f"not {row[position]!r}; features have no missing values"
            )
    values = np.stack(
        [_floats(row, f"{where}: dynamic_feat[{i}]") for i, row in enumerate(features)]
    )
    for index, row_values in enumerate(values):
        _check_finite(row_values, np.ones(length, dtype=bool), f"{where}: dynamic_feat[{index}]")
    return values


# ---- what a set of records must satisfy ------------------------------------------------------


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
        if not record.n_observed:
            raise ContractError(f"{record.where}: target has no observation")
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
