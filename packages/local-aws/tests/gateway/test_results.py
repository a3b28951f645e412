"""Values as text, and results as CSV, as Athena writes them."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.gateway.engine import Column, Outcome, TrinoResult
from local_aws.gateway.results import column_info, text_of, write_results

from .fakes import FakeS3


@pytest.mark.parametrize(
    ("value", "trino_type", "text"),
    [
        (None, "integer", None),
        (None, "array(integer)", None),
        (9223372036854775807, "bigint", "9223372036854775807"),
        ("1.50", "decimal(10,2)", "1.50"),
        (True, "boolean", "true"),
        (False, "boolean", "false"),
        ("", "varchar", ""),
        ("a  ", "char(3)", "a  "),
        ("2024-01-02", "date", "2024-01-02"),
        ("2024-01-01 00:00:00.123456", "timestamp(6)", "2024-01-01 00:00:00.123456"),
        (
            "2024-01-01 00:00:00.000 UTC",
            "timestamp(3) with time zone",
            "2024-01-01 00:00:00.000 UTC",
        ),
        ('{"a":1}', "json", '{"a":1}'),
        ("YWI=", "varbinary", "61 62"),
        ("", "varbinary", ""),
        ([1, None], "array(integer)", "[1, null]"),
        ([], "array(integer)", "[]"),
        ([["a", "b, c"], None], "array(array(varchar))", "[[a, b, c], null]"),
        ([True, False], "array(boolean)", "[true, false]"),
        ([1.0, 1e20], "array(double)", "[1.0, 1.0E20]"),
        ({"x": 1.5, "y": None}, "map(varchar,double)", "{x=1.5, y=null}"),
        ({"1": [2]}, "map(integer,array(integer))", "{1=[2]}"),
        ([1, "a"], 'row(k integer, "V v" varchar)', "{k=1, V v=a}"),
        ([1, None], "row(integer, varchar)", "{field0=1, field1=null}"),
        (
            [[1, [{"k": 2}]]],
            "array(row(a integer, m array(map(varchar,integer))))",
            "[{a=1, m=[{k=2}]}]",
        ),
    ],
)
def test_values(value: Any, trino_type: str, text: str | None) -> None:
    assert text_of(value, trino_type) == text


# What Java's Double.toString says of the same number.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9999999.0, "9999999.0"),
        (10000000.0, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (1e20, "1.0E20"),
        (-1.5e-10, "-1.5E-10"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (5e-324, "4.9E-324"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_doubles(value: float | str, text: str) -> None:
    assert text_of(value, "double") == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_double_is_written_as_java_does_and_read_back_the_same(value: float) -> None:
    text = text_of(value, "double")
    assert text is not None
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        assert re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
    else:
        assert re.fullmatch(r"-?[1-9]\.[0-9]+E-?[0-9]+", text)


cells = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n))))
def test_any_text_comes_back_from_csv(rows: list[list[str | None]]) -> None:
    names = [f'a "{n}"' for n in range(len(rows[0]) if rows else 1)]
    columns = [Column(name, "varchar", "varchar") for name in names]
    s3 = FakeS3()
    result = TrinoResult(columns, rows, update_count=None, scanned_bytes=0)
    write_results(s3, Outcome("DML", "SELECT", result, None), "s3://lake/r/", "ID")
    text = s3.objects["s3://lake/r/ID.csv"].decode()
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    # A line of one null is an empty line, which Python takes for no values.
    assert [row or [""] for row in read] == [names, *([cell or "" for cell in row] for row in rows)]
    # Nulls are told from empty texts by the quotes.
    quoted = sum(cell is not None for row in [names, *rows] for cell in row)
    inside = sum((cell or "").count('"') for row in [names, *rows] for cell in row)
    assert text.count('"') == 2 * quoted + 2 * inside


def test_descriptions_of_columns() -> None:
    found = [
        column_info(Column(name, kind, trino_type))
        for name, kind, trino_type in (
            ("a", "decimal", "decimal(10,2)"),
            ("b", "varchar", "varchar"),
            ("c", "varchar", "varchar(7)"),
            ("d", "timestamp", "timestamp(3)"),
            ("e", "array", "array(integer)"),
            ("f", "bigint", "bigint"),
        )
    ]
    assert [
        (c["Name"], c["Type"], c["Precision"], c["Scale"], c["CaseSensitive"]) for c in found
    ] == [
        ("a", "decimal", 10, 2, False),
        ("b", "varchar", 2147483647, 0, True),
        ("c", "varchar", 7, 0, True),
        ("d", "timestamp", 3, 0, False),
        ("e", "array", 0, 0, False),
        ("f", "bigint", 19, 0, False),
    ]
