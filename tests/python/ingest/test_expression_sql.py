"""Expressions in DuckDB give what an evaluation in Python gives, and run nothing that is a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescast.expressions import (
    Arithmetic,
    Both,
    Choice,
    Column,
    Comparison,
    Empty,
    Kind,
    Negative,
    Node,
    Not,
    Number,
    OneOf,
    Text,
    kind_of,
    parse_expression,
)
from salescast.ingest.expression_sql import Cells, ExpressionSql

COLUMNS = {"Quantity": "c0", "Unit price": "c1", "Status": "c2"}
EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
Row = Mapping[str, str | None]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def ask(
    con: duckdb.DuckDBPyConnection, text: str, kind: Kind, row: Row, *, keeps: bool = False
) -> Any:
    """What the engine gives for an expression on one row."""

    def number(title: str) -> str:
        name = COLUMNS[title]
        good = f"regexp_matches(trim({name}), '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)$')"
        return f"case when {good} then trim({name}) end"

    parameters: dict[str, Any] = {f"c{i}": row[title] for i, title in enumerate(COLUMNS)}
    sql = ExpressionSql(Cells(lambda title: f"nullif({COLUMNS[title]}, '')", number), parameters)
    expression = parse_expression(text, kind)
    asked = sql.keeps((expression,)) if keeps else sql.value(expression)
    cells = ", ".join(f"${name}::varchar as {name}" for name in COLUMNS.values())
    found = con.execute(f"select {asked} from (select {cells})", parameters).fetchone()
    assert found is not None
    return found[0]


NUMBERS = st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,4})?", fullmatch=True)
CELLS = st.one_of(
    NUMBERS,
    NUMBERS.map(lambda text: f"-{text}"),
    st.sampled_from(["", None, "n/a", "1,5", "Cancelled", " cancelled\u00a0", "inf", "0x1", "1_0"]),
    st.text(st.characters(codec="ascii", min_codepoint=32), max_size=8),
)
ROWS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, CELLS))
TEXTS = st.one_of(
    st.sampled_from(["cancelled", "", "it's", "$path", "'; drop table t; --", "x' or 1=1 --"]),
    st.text(st.characters(codec="ascii", min_codepoint=32), max_size=8),
)
cells = st.sampled_from([Column(title) for title in COLUMNS])


def numbers(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        parts.map(Negative),
        st.builds(Arithmetic, st.sampled_from("+-*/"), parts, parts),
        st.builds(Choice, st.deferred(lambda: CONDITIONS), parts, parts),
    )


NUMBER_NODES: st.SearchStrategy[Node] = st.recursive(
    st.one_of(NUMBERS.map(Number), cells), numbers, max_leaves=5
)
TEXT_NODES: st.SearchStrategy[Node] = st.one_of(TEXTS.map(Text), cells)
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
SIMPLE: st.SearchStrategy[Node] = st.one_of(
    st.builds(Comparison, SIGNS, NUMBER_NODES, NUMBERS.map(Number), st.just("number")),
    st.builds(Comparison, st.sampled_from(["=", "!="]), cells, TEXTS.map(Text), st.just("text")),
    st.builds(
        OneOf, cells, st.lists(TEXTS.map(Text), min_size=1, max_size=3).map(tuple), st.booleans(),
        st.just("text"),
    ),
    st.builds(
        OneOf, NUMBER_NODES, st.lists(NUMBERS.map(Number), min_size=1, max_size=3).map(tuple),
        st.booleans(), st.just("number"),
    ),
    st.builds(Empty, st.one_of(cells, NUMBER_NODES), st.booleans()),
)  # fmt: skip
CONDITIONS: st.SearchStrategy[Node] = st.recursive(
    SIMPLE,
    lambda parts: st.one_of(
        parts.map(Not), st.builds(Both, st.sampled_from(["and", "or"]), parts, parts)
    ),
    max_leaves=3,
)


def written(node: Node) -> str:
    """An expression with every part in brackets."""
    match node:
        case Column(title):
            return f"[{title}]"
        case Number(digits):
            return digits
        case Text(text):
            return "'" + text.replace("'", "''") + "'"
        case Negative(operand):
            return f"(-{written(operand)})"
        case Not(operand):
            return f"(not {written(operand)})"
        case Arithmetic(word, left, right) | Both(word, left, right):
            return f"({written(left)} {word} {written(right)})"
        case Comparison(sign, left, right, _):
            return f"({written(left)} {sign} {written(right)})"
        case OneOf(operand, items, negated, _):
            word = "not in" if negated else "in"
            return f"({written(operand)} {word} ({', '.join(map(written, items))}))"
        case Empty(operand, negated):
            return f"({written(operand)} is {'not ' if negated else ''}empty)"
        case Choice(condition, then, otherwise):
            return f"if({', '.join(map(written, (condition, then, otherwise)))})"
    raise AssertionError(node)


def fitted(number: Decimal | None, places: int, digits: int = 38) -> Decimal | None:
    if number is None:
        return None
    rounded = number.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return rounded if abs(rounded) < Decimal(10) ** (digits - places) else None


def as_number(node: Node, row: Row) -> Decimal | None:
    match node:
        case Number(digits):
            return Decimal(digits)
        case Column(title):
            text = (row[title] or "").strip(" ")
            plain = text.lstrip("+-") if text[1:2] not in ("+", "-") else "x"
            good = plain.replace(".", "", 1).isdigit() and plain.isascii()
            return Decimal(text) if good else None
        case Negative(operand):
            value = as_number(operand, row)
            return None if value is None else -value
        case Choice(condition, then, otherwise):
            holds = as_condition(condition, row)
            return None if holds is None else as_number(then if holds else otherwise, row)
        case Arithmetic(sign, left, right):
            one, two = as_number(left, row), as_number(right, row)
            if one is None or two is None:
                return None
            if sign == "/":
                if not two:
                    return None
                return fitted(Decimal(format(float(one) / float(two), ".15g")), 18)
            if sign == "*":
                factors = fitted(one, 12), fitted(two, 12)
                assert factors[0] is not None and factors[1] is not None
                return fitted(fitted(EXACT.multiply(*factors), 24), 18)
            return fitted(EXACT.add(one, two if sign == "+" else -two), 18)
    raise AssertionError(node)


def as_text(node: Node, row: Row) -> str:
    text = node.text if isinstance(node, Text) else row[node.title] or ""  # type: ignore[union-attr]
    return unicodedata.normalize("NFC", text).strip().lower()


def as_condition(node: Node, row: Row) -> bool | None:
    match node:
        case Both(word, left, right):
            both = as_condition(left, row), as_condition(right, row)
            decides = word == "or"
            return decides if decides in both else (None if None in both else not decides)
        case Not(operand):
            holds = as_condition(operand, row)
            return None if holds is None else not holds
        case Empty(operand, negated):
            if kind_of(operand) == "number":
                empty = as_number(operand, row) is None
            elif isinstance(operand, Choice):
                holds = as_condition(operand.condition, row)
                chosen = operand.then if holds else operand.otherwise
                empty = holds is None or as_condition(Empty(chosen, False), row) is True
            else:
                empty = not as_text(operand, row)
            return empty is not negated
        case Comparison(sign, left, right, kind):
            compare: Callable[[Any, Any], bool] = {
                "=": lambda a, b: a == b,
                "!=": lambda a, b: a != b,
                "<": lambda a, b: a < b,
                "<=": lambda a, b: a <= b,
                ">": lambda a, b: a > b,
                ">=": lambda a, b: a >= b,
            }[sign]
            read: Callable[[Node, Row], Any] = as_number if kind == "number" else as_text
            one, two = read(left, row), read(right, row)
            return None if one is None or two is None else compare(one, two)
        case OneOf(operand, items, negated, kind):
            read = as_number if kind == "number" else as_text
            value = read(operand, row)
            return None if value is None else (value in [read(i, row) for i in items]) != negated
    raise AssertionError(node)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(node=NUMBER_NODES, row=ROWS)
def test_numbers_are_those_of_an_exact_evaluation(
    con: duckdb.DuckDBPyConnection, node: Node, row: Row
) -> None:
    expected = as_number(node, row)
    found = ask(con, written(node), "number", row)
    if expected is None:
        titles = parse_expression(written(node), "number").columns()
        shown = ", ".join(f"{title}: {row[title] or ''}" for title in titles)
        assert found == (shown if any(row[title] for title in titles) else None)
    else:
        assert Decimal(found) == expected and "E" not in found.upper()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(node=CONDITIONS, row=ROWS)
def test_conditions_are_those_of_an_evaluation_with_unknown(
    con: duckdb.DuckDBPyConnection, node: Node, row: Row
) -> None:
    expected = as_condition(node, row)
    told = {True: "true", False: "false", None: None}[expected]
    assert ask(con, written(node), "condition", row) == told
    assert ask(con, written(node), "condition", row, keeps=True) is (expected is not False)


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=30))
def test_a_text_is_only_ever_compared(con: duckdb.DuckDBPyConnection, text: str) -> None:
    row = {"Quantity": "1", "Unit price": "1", "Status": text}
    condition = f"Status = {written(Text(text))}"
    assert ask(con, condition, "condition", row) == "true"
    chosen = f"if(Quantity = 1, {written(Text(text))}, '')"
    assert ask(con, chosen, "text", row) == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(con: duckdb.DuckDBPyConnection, text: str) -> None:
    row = {"Quantity": "1", "Unit price": "1", "Status": "x"}
    try:
        expression = parse_expression(text, "number")
    except ValueError as refusal:
        assert str(refusal)
        return
    if set(expression.columns()) <= set(COLUMNS):
        answer = ask(con, text, "number", row)
        assert answer is None or Decimal(answer).is_finite()


@pytest.mark.parametrize(
    ("quantity", "price", "product"),
    [
        ("3", "2.55", "7.65"),
        ("5", "2.49", "12.45"),
        ("-2", "0.1", "-0.2"),
        ("0", "9.99", "0"),
        ("1000000", "0.000001", "1"),
        ("12", "8.333333333333", "99.999999999996"),
        ("99999999999", "99", "9899999999901"),
        ("1", "", "Quantity: 1, Unit price: "),
        ("two", "1.50", "Quantity: two, Unit price: 1.50"),
        ("99999999999999", "99999999999999", "Quantity: 9"),
        (None, "", None),
    ],
)  # fmt: skip
def test_quantity_by_price(
    con: duckdb.DuckDBPyConnection, quantity: str | None, price: str | None, product: str | None
) -> None:
    row = {"Quantity": quantity, "Unit price": price, "Status": None}
    found = ask(con, "Quantity * [Unit price]", "number", row)
    assert found == product or (product == "Quantity: 9" and found.startswith(product))


@pytest.mark.parametrize("status", ["Cancelled", " CANCELLED ", "cancelled\u00a0", "\tcancelled"])
def test_texts_are_compared_without_case_and_blanks_around(
    con: duckdb.DuckDBPyConnection, status: str
) -> None:
    row = {"Quantity": "1", "Unit price": "1", "Status": status}
    assert ask(con, "Status not in ('cancelled')", "condition", row, keeps=True) is False


def test_an_empty_status_is_not_one_that_is_left_out(con: duckdb.DuckDBPyConnection) -> None:
    row = {"Quantity": None, "Unit price": "1", "Status": None}
    for condition in ("Status not in ('cancelled')", "Status != 'x'", "Quantity > 0"):
        assert ask(con, condition, "condition", row, keeps=True) is True


def test_long_chains_and_deep_nesting_run(con: duckdb.DuckDBPyConnection) -> None:
    row = {"Quantity": "1", "Unit price": "1", "Status": "x"}
    assert ask(con, " + ".join(["Quantity"] * 100), "number", row) == "100"
    assert ask(con, " * ".join(["Quantity"] * 100), "number", row) == "1"
    deep = "Quantity"
    for _ in range(13):
        deep = f"if(Quantity = 1, {deep}, 0)"
    assert ask(con, deep, "number", row) == "1"
