"""Results as Athena gives them: values as text, and the objects beside them in S3."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from local_aws.gateway.engine import Column, Outcome
from local_aws.gateway.sql import types

_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-3, 1e7
_PRECISIONS = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "real": 17,
    "float": 17,
    "double": 17,
    "timestamp": 3,
    "varchar": 2147483647,
}


def text_of(value: Any, trino_type: str) -> str | None:
    """A value of Trino's JSON as Athena prints it; None for a null."""
    return _text(value, types.parse_trino(trino_type))


def texts_of(columns: list[Column], rows: Iterable[list[Any]]) -> list[list[str | None]]:
    """All values of a result as text."""
    parsed = [types.parse_trino(column.trino_type) for column in columns]
    return [[_text(value, kind) for value, kind in zip(row, parsed, strict=True)] for row in rows]


def _text(value: Any, kind: types.Type) -> str | None:
    if value is None:
        return None
    if kind.name == "array":
        return "[" + ", ".join(_inner(each, kind.parts[0]) for each in value) + "]"
    if kind.name == "map":
        pairs = ((key, _inner(each, kind.parts[1])) for key, each in value.items())
        return "{" + ", ".join(f"{key}={each}" for key, each in pairs) + "}"
    if kind.name == "row":
        members = zip(kind.fields, value, kind.parts, strict=True)
        return "{" + ", ".join(f"{name}={_inner(each, part)}" for name, each, part in members) + "}"
    if kind.name == "varbinary":
        return base64.b64decode(value).hex(" ")
    if kind.name in ("double", "real"):
        return _java_double(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _inner(value: Any, kind: types.Type) -> str:
    text = _text(value, kind)
    return "null" if text is None else text


def _java_double(value: float | str) -> str:
    """A double as Java's Double.toString writes it; NaN and infinities come as text already."""
    if isinstance(value, str):
        return value
    number = float(value)
    if number == 0 or _SMALLEST_PLAIN <= abs(number) < _LARGEST_PLAIN:
        plain = format(Decimal(repr(number)), "f")
        return plain if "." in plain else f"{plain}.0"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits))
    power = len(written) - 1 + exponent
    return f"{'-' if sign else ''}{written[0]}.{written[1:] or '0'}E{power}"


def column_info(column: Column) -> dict[str, Any]:
    """The description of a column in GetQueryResults."""
    kind = types.parse_trino(column.trino_type)
    precision = kind.numbers[0] if kind.numbers else _PRECISIONS.get(column.type, 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": column.type,
        "Precision": precision,
        "Scale": kind.numbers[1] if len(kind.numbers) > 1 else 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": column.type in ("varchar", "char"),
    }


def result_location(outcome: Outcome | None, output_location: str, execution_id: str) -> str:
    """URI of a statement's result object."""
    kind = "csv" if outcome is None or outcome.statement_type == "DML" else "txt"
    return f"{output_location}{execution_id}.{kind}"


def manifest_location(output_location: str, execution_id: str) -> str:
    """URI of the list of objects that a statement wrote."""
    return f"{output_location}{execution_id}-manifest.csv"


def write_results(s3: Any, outcome: Outcome, output_location: str, execution_id: str) -> None:
    """Put the result object, its metadata and the manifest where Athena puts them."""
    location = result_location(outcome, output_location, execution_id)
    if outcome.manifest is not None:
        lines = "".join(f"{uri}\n" for uri in outcome.manifest)
        _put(s3, manifest_location(output_location, execution_id), lines.encode())
    if outcome.result is None:
        _put(s3, location, b"")
        return
    columns, rows = outcome.result.columns, outcome.result.rows
    texts = texts_of(columns, rows)
    if outcome.statement_type == "DML":
        _put(s3, location, _csv([column.name for column in columns], texts))
    else:
        _put(
            s3, location, "".join("\t".join(t or "" for t in row) + "\n" for row in texts).encode()
        )
    # Athena's own content is a binary form that it does not document.
    _put(s3, f"{location}.metadata", "\n".join(column.name for column in columns).encode())


def _csv(names: list[str], texts: list[list[str | None]]) -> bytes:
    """Every value quoted, a null as nothing at all."""
    rows: list[Sequence[str | None]] = [names, *texts]
    lines = (
        ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in row)
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _put(s3: Any, uri: str, body: bytes) -> None:
    address = urlsplit(uri)
    bucket, key = address.netloc, address.path.lstrip("/")
    s3.put_object(Bucket=bucket, Key=key, Body=body)
