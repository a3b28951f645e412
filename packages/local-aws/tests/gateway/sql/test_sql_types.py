from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.gateway.sql.types import (
    UnsupportedType,
    base_name,
    parse_hive,
    parse_trino,
    to_hive,
    to_trino,
    trino_to_hive,
)

primitives = st.sampled_from(
    [
        *("boolean", "tinyint", "smallint", "int", "bigint", "float", "double"),
        *("date", "timestamp", "string", "binary", "decimal(38,0)", "decimal(10,2)"),
        *("varchar(5)", "char(3)"),
    ]
)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    fields = st.lists(st.tuples(names, inner), min_size=1, max_size=3)
    return (
        inner.map(lambda t: f"array<{t}>")
        | st.tuples(primitives, inner).map(lambda t: f"map<{t[0]},{t[1]}>")
        | fields.map(lambda f: "struct<" + ",".join(f"{n}:{t}" for n, t in f) + ">")
    )


hive_types = st.recursive(primitives, nested, max_leaves=6)


@given(hive_types)
def test_there_and_back(hive_type: str) -> None:
    assert to_hive(parse_trino(to_trino(parse_hive(hive_type)))) == hive_type
    parsed = parse_hive(hive_type)
    assert parse_trino(to_trino(parsed)) == parsed
    assert to_hive(parsed) == hive_type


@pytest.mark.parametrize(
    ("hive", "trino"),
    [
        ("string", "varchar"),
        ("INT", "integer"),
        ("float", "real"),
        ("binary", "varbinary"),
        ("timestamp", "timestamp(6)"),
        ("decimal", "decimal(10,0)"),
        ("decimal( 10 , 2 )", "decimal(10,2)"),
        (
            "array< struct<`A`:int, b:array<string>> >",
            'array(row("a" integer, "b" array(varchar)))',
        ),
        ("map<string,timestamp>", "map(varchar, timestamp(6))"),
        ("struct<timestamp:timestamp>", 'row("timestamp" timestamp(6))'),
    ],
)
def test_hive_in_trinos_words(hive: str, trino: str) -> None:
    assert to_trino(parse_hive(hive), timestamp_precision=6) == trino


@pytest.mark.parametrize(
    ("trino", "hive"),
    [
        ("varchar(7)", "varchar(7)"),
        ("timestamp(3)", "timestamp"),
        ('row(a integer, "b c" varchar)', "struct<a:int,b c:string>"),
        ("map(varchar, array(double))", "map<string,array<double>>"),
    ],
)
def test_trino_in_hives_words(trino: str, hive: str) -> None:
    assert trino_to_hive(trino) == hive


@pytest.mark.parametrize(
    "trino",
    ["json", "time(3)", "timestamp(3) with time zone", "interval day to second", "row(integer)"],
)
def test_hive_has_not_all_types(trino: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        trino_to_hive(f"array({trino})")
    assert caught.value.type_text == trino


@pytest.mark.parametrize(
    "hive",
    ["integer", "varchar", "text", "array<int", "array<int>>", "map<string>", "", "struct<>"],
)
def test_what_hive_does_not_know(hive: str) -> None:
    with pytest.raises(UnsupportedType):
        parse_hive(hive)


@pytest.mark.parametrize(
    ("trino", "name"),
    [
        ("integer", "integer"),
        ("real", "float"),
        ("decimal(3,1)", "decimal"),
        ("array(row(a integer))", "array"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("interval day to second", "interval day to second"),
        ("unknown", "unknown"),
        ("array(qdigest(double))", "array"),
        ("HyperLogLog", "hyperloglog"),
    ],
)
def test_base_name(trino: str, name: str) -> None:
    assert base_name(trino) == name
