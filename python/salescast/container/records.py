"""Read DeepAR's records: JSON lines, gzipped JSON lines and Parquet."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from salescast.container.errors import ContractError

FIELDS = ("start", "target", "cat", "dynamic_feat")
JSON_CONTENT_TYPES = ("json", "application/json", "jsonlines", "application/jsonlines")

_START = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_JSON_NUMBERS = {int, float}

FloatArray = npt.NDArray[np.float64]


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
