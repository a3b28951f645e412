from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local_aws.gateway.sql.tokens import (
    Dialect,
    Kind,
    Unterminated,
    offset_of,
    position,
    tokenize,
)

PIECES = ["'", "''", '"', "`", "--", "/*", "*/", "\n", "\r", "\\", "a", "1.5e3", "é", " ", ";", "("]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join)


@given(texts, st.sampled_from(Dialect))
@example("select 1 -- x", Dialect.TRINO)
def test_the_texts_joined_are_the_statement(text: str, dialect: Dialect) -> None:
    joined, end = "", 0
    try:
        for token in tokenize(text, dialect):
            assert token.offset == end
            joined += token.text
            end = token.end
        assert joined == text
    except Unterminated as error:
        assert joined == text[: error.offset]
        assert text.startswith(error.opening, error.offset)


@given(texts)
def test_a_quoted_text_is_one_token_whatever_is_in_it(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    tokens = list(tokenize(f"select {literal} -- {'x'}"))
    assert [t.text for t in tokens if t.kind is Kind.STRING] == [literal]


@given(texts, st.data())
def test_position_and_offset_are_inverse(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert offset_of(text, *position(text, offset)) == offset


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a_1", ["word"]),
        ("'it''s'", ["string"]),
        ('"a""b"', ["quoted"]),
        ("`a``b`", ["backtick"]),
        ("1.5e-3 .5 12", ["number", "space", "number", "space", "number"]),
        ("-- it's\n", ["comment", "space"]),
        ("-- one\rx", ["comment", "space", "word"]),
        ("/* ' -- */x", ["comment", "word"]),
        ("a->b", ["word", "symbol", "word"]),
        ("a--1", ["word", "comment"]),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [token.kind.value for token in tokenize(text)] == kinds


@pytest.mark.parametrize(
    ("text", "dialect", "kinds"),
    [
        (r"'it\'s'", Dialect.HIVE, ["string"]),
        (r'"a\"b"', Dialect.HIVE, ["string"]),
        (r"'\\'", Dialect.HIVE, ["string"]),
        (r"'\\'", Dialect.TRINO, ["string"]),
        (r"'\'", Dialect.TRINO, ["string"]),
    ],
)
def test_quotes_are_those_of_the_dialect(text: str, dialect: Dialect, kinds: list[str]) -> None:
    assert [token.kind.value for token in tokenize(text, dialect)] == kinds


@pytest.mark.parametrize(
    ("text", "opening", "offset"),
    [
        ("select 'abc''d", "'", 7),
        ('select "a', '"', 7),
        ("select `a", "`", 7),
        ("select 1 /* x", "/*", 9),
    ],
)
def test_what_is_never_closed_is_told_with_its_place(text: str, opening: str, offset: int) -> None:
    with pytest.raises(Unterminated) as caught:
        list(tokenize(text))
    assert (caught.value.opening, caught.value.offset) == (opening, offset)
