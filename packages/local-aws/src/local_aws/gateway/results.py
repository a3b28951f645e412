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
        names = [name or f"field{n}" for n, name in enumerate(kind.fields)]
        members = zip(names, value, kind.parts, strict=True)
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
    shortest = Decimal(repr(number)).normalize()
    if len(shortest.as_tuple().digits) == 1:
        # Java looks for two digits at least, which are 4.9E-324 and not 5.0E-324.
        shortest = Decimal(f"{number:.1e}").normalize()
    sign, digits, exponent = shortest.as_tuple()
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
    """URI of a statement's result object; for one that writes rows, of what its files begin with.

    Athena's user guide, "Find query output files in Amazon S3": `.csv` of a query, `.txt` of DDL,
    neither of INSERT and CTAS, whose files are in the folder `tables`.
    """
    if outcome is None or outcome.is_query:
        return f"{output_location}{execution_id}.csv"
    if outcome.substatement_type == "CREATE_TABLE_AS_SELECT":
        return f"{output_location}tables/{execution_id}"
    return f"{output_location}{execution_id}{'' if outcome.statement_type == 'DML' else '.txt'}"


def manifest_location(outcome: Outcome, output_location: str, execution_id: str) -> str:
    """URI of the list of objects that a statement wrote."""
    return f"{result_location(outcome, output_location, execution_id)}-manifest.csv"


def write_results(s3: Any, outcome: Outcome, output_location: str, execution_id: str) -> None:
    """Put the result object, its metadata and the manifest where Athena puts them."""
    location = result_location(outcome, output_location, execution_id)
    if outcome.manifest is not None:
        lines = "".join(f"{uri}\n" for uri in outcome.manifest)
        _put(s3, manifest_location(outcome, output_location, execution_id), lines.encode())
    columns = outcome.result.columns if outcome.result else []
    texts = texts_of(columns, outcome.result.rows if outcome.result else [])
    if outcome.is_query:
        _put(s3, location, _csv([column.name for column in columns], texts))
    elif location.endswith(".txt"):
        lines = "".join("\t".join(text or "" for text in row) + "\n" for row in texts)
        _put(s3, location, lines.encode())
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
