"""Splits a statement into tokens; nothing is lost: their texts joined are the statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a token is."""

    SPACE = "space"
    COMMENT = "comment"
    STRING = "string"
    QUOTED = "quoted"
    BACKTICK = "backtick"
    NUMBER = "number"
    WORD = "word"
    SYMBOL = "symbol"


class Dialect(Enum):
    """Who parses the statement in Athena: Trino (queries, CTAS, views) or Hive (the other DDL).

    Hive escapes by a backslash and takes double quotes for text, Trino doubles the quote and takes
    double quotes for names.
    """

    TRINO = "trino"
    HIVE = "hive"


@dataclass(frozen=True)
class Token:
    """One token and where it starts, in characters from the start of the statement."""

    kind: Kind
    text: str
    offset: int

    @property
    def end(self) -> int:
        """Offset of the first character after the token."""
        return self.offset + len(self.text)

    @property
    def word(self) -> str:
        """The text in upper case for a word or symbol, else empty: a quoted name is no keyword."""
        return self.text.upper() if self.kind in (Kind.WORD, Kind.SYMBOL) else ""


class Unterminated(Exception):
    """A quote or comment that is opened and never closed."""

    def __init__(self, opening: str, offset: int) -> None:
        """Keep what was opened, and its offset in characters."""
        super().__init__(f"{opening} at {offset} is never closed")
        self.opening = opening
        self.offset = offset


_QUOTES = {
    Dialect.TRINO: r"""
        (?P<string>'(?:[^']|'')*+')
      | (?P<quoted>"(?:[^"]|"")*+")
    """,
    Dialect.HIVE: r"""
        (?P<string>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
    """,
}
_PATTERNS = {
    dialect: re.compile(
        rf"""
        (?P<space>\s+)
      | (?P<comment>--[^\r\n]*|/\*.*?\*/)
      | {quotes}
      | (?P<backtick>`(?:[^`]|``)*+`)
      | (?P<unterminated>/\*|['"`])
      | (?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<word>[^\W\d]\w*)
      | (?P<symbol><=|>=|<>|!=|\|\||->|=>|.)
        """,
        re.VERBOSE | re.DOTALL,
    )
    for dialect, quotes in _QUOTES.items()
}


def tokenize(text: str, dialect: Dialect = Dialect.TRINO) -> Iterator[Token]:
    """The statement's tokens, in order, with spaces and comments.

    Raises:
        Unterminated: When it is reached, at the opening quote or comment.
    """
    for match in _PATTERNS[dialect].finditer(text):
        kind = str(match.lastgroup)
        if kind == "unterminated":
            raise Unterminated(match.group(), match.start())
        yield Token(Kind(kind), match.group(), match.start())


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def offset_of(text: str, line: int, column: int) -> int:
    """The inverse of `position`."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1
