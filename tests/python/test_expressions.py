"""The language of `compute` and `keep`: what it takes, and what it says of what it does not."""

from __future__ import annotations

import pytest

from salescast.expressions import (
    MAX_NESTING,
    Arithmetic,
    Both,
    Choice,
    Column,
    Comparison,
    ExpressionError,
    Kind,
    Negative,
    Number,
    OneOf,
    Text,
    parse_expression,
)


def test_products_come_before_sums_and_signs_before_products() -> None:
    root = parse_expression("a + -b * 2 - c", "number").root
    product = Arithmetic("*", Negative(Column("b")), Number("2"))
    assert root == Arithmetic("-", Arithmetic("+", Column("a"), product), Column("c"))


def test_and_comes_before_or() -> None:
    root = parse_expression("a = 1 or b = 2 and c = 3", "condition").root
    assert isinstance(root, Both) and root.word == "or"
    assert isinstance(root.right, Both) and root.right.word == "and"


def test_names_of_columns() -> None:
    expression = parse_expression("[Unit price (EUR)] * Größe_1 + [in]", "number")
    assert expression.columns() == ["Unit price (EUR)", "Größe_1", "in"]


def test_words_are_known_in_any_case_and_columns_are_not() -> None:
    root = parse_expression("Status NOT IN ('it''s', 'b') AND IF(q < 0, x, 'y') = 'y'", "condition")
    assert isinstance(root.root, Both)
    assert root.root.left == OneOf(Column("Status"), (Text("it's"), Text("b")), True, "text")
    assert isinstance(root.root.right, Comparison) and isinstance(root.root.right.left, Choice)
    assert root.columns() == ["Status", "q", "x"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a = b", "text"),
        ("a < b", "number"),
        ("a = 1", "number"),
        ("'1' = a", "text"),
        ("a + 0 = b", "number"),
        ("if(a > 0, b, 'none') != c", "text"),
    ],
)
def test_a_cell_is_read_as_what_it_is_compared_with(text: str, kind: Kind) -> None:
    root = parse_expression(text, "condition").root
    assert isinstance(root, Comparison) and root.kind == kind


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("", "number", "at its end: a value is expected"),
        ("a *", "number", "at its end: a value is expected"),
        ("a ** b", "number", "at character 4: a value is expected, not '*'"),
        ("(a + b", "number", "at its end: ')' is expected to close the bracket"),
        ("a b", "number", "at character 3: 'b' is not expected here"),
        ("a + 'x'", "number", "at character 5: '+' takes a number, this is a text"),
        ("a = 1 + 'x'", "condition", "at character 9: '+' takes a number"),
        ("a > 'x'", "condition", "'>' compares numbers, not texts"),
        ("a in ('x', 1)", "condition", "a number is compared with a text"),
        ("a in ()", "condition", "at character 7: a value is expected, not ')'"),
        ("a not 1", "condition", "'in' is expected after 'not'"),
        ("a is 1", "condition", "'empty' is expected after 'is'"),
        ("a = 'x", "condition", "at character 5: a text is not closed"),
        ('a = "x"', "condition", "at character 5: texts are written in single quotes"),
        ("a = \u201cx\u201d", "condition", "texts are written in single quotes"),
        ("[a = 1", "condition", "at character 1: a column's name in brackets is not closed"),
        ("a = 1; drop table x", "condition", "at character 6: ';' is not part"),
        ("1,5 * a", "number", "',' is not expected here"),
        ("1.234.5", "number", "at character 1: numbers are written like 1234.5"),
        ("12e3", "number", "numbers are written like 1234.5"),
        ("9" * 19, "number", "numbers are written like 1234.5"),
        ("sum(a)", "number", "at character 4: '(' is not expected here"),
        ("a", "condition", "is a column, where a condition is needed"),
        ("a = 1", "number", "is a condition, where a number is needed"),
        ("'x'", "number", "is a text, where a number is needed"),
        ("a and b = 1", "condition", "at character 1: 'and' takes a condition, this is a column"),
        ("not a", "condition", "at character 5: 'not' takes a condition, this is a column"),
        ("(a = 1) = (b = 2)", "condition", "a condition cannot be compared"),
        ("if(a, b, c)", "number", "the first part of 'if' takes a condition"),
        ("if(a = 1, b)", "number", "',' is expected before the value for otherwise"),
        ("if(a = 1, 2, 'x')", "number", "both values of 'if' have to be numbers, or both texts"),
        ("a * in", "number", "a column of that name is written [in]"),
        ("a = '\x00'", "condition", "a control character cannot be compared"),
        ("a = '\n'", "condition", "a control character cannot be compared"),
        ("(" * (MAX_NESTING + 1) + "a" + ")" * (MAX_NESTING + 1), "number", "nests deeper"),
        ("-" * (MAX_NESTING + 1) + "a", "number", "nests deeper"),
        ("+".join("a" * 150), "number", "more than 200 parts"),
    ],
)
def test_what_is_refused(text: str, kind: Kind, told: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_expression(text, kind)
    assert told in str(raised.value)
    assert not text or repr(text)[1:-1] in str(raised.value) or text in str(raised.value)
