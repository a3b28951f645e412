"""Reads the head of a statement, token by token; what is not head is kept as it was written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from local_aws.gateway.engine import QueryFailed
from local_aws.gateway.sql.errors import parse_exception, refusal, syntax_error
from local_aws.gateway.sql.reserved_words import RESERVED_WORDS
from local_aws.gateway.sql.tokens import Dialect, Kind, Token, Unterminated, position, tokenize

T = TypeVar("T")

_HIVE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}


class Reader:
    """The tokens of one statement that mean something, and a place among them.

    One `;` at the end is no part of the statement.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        """Split a statement.

        Raises:
            QueryFailed: A quote or comment is never closed, or there is more than one statement.
        """
        self.text = text
        self.dialect = dialect
        try:
            tokens = [
                t for t in tokenize(text, dialect) if t.kind not in (Kind.SPACE, Kind.COMMENT)
            ]
        except Unterminated as error:
            raise self._error(error.offset, f"{error.opening} is never closed") from None
        if tokens and tokens[-1].text == ";":
            self.end = tokens.pop().offset
        else:
            self.end = len(text)
        if any(token.text == ";" for token in tokens):
            raise refusal("SYNTAX_ERROR", f"Only one sql statement is allowed. Got: {text}")
        self.tokens = tokens
        self.place = 0

    def __bool__(self) -> bool:
        """Whether a token is left."""
        return self.place < len(self.tokens)

    @property
    def offset(self) -> int:
        """Where the next token starts; the statement's end when none is left."""
        return self.tokens[self.place].offset if self else self.end

    @property
    def consumed(self) -> int:
        """Where the last token that was read ends."""
        return self.tokens[self.place - 1].end if self.place else 0

    @property
    def rest(self) -> str:
        """All text after the last token that was read, as it was written."""
        return self.text[self.consumed : self.end]

    def peek(self, ahead: int = 0) -> str:
        """The next word or sign in upper case; empty for a quoted name, a text, or the end."""
        place = self.place + ahead
        return self.tokens[place].word if place < len(self.tokens) else ""

    def peek_kind(self) -> Kind | None:
        """What the next token is; None at the end."""
        return self.tokens[self.place].kind if self else None

    def accept(self, *words: str) -> bool:
        """Read these words if they come next, all of them."""
        if all(self.peek(n) == word for n, word in enumerate(words)):
            self.place += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Read these words, or fail as Athena does."""
        for word in words:
            if not self.accept(word):
                self.fail(word)

    def choose(self, *words: str) -> str:
        """Read one of these words and return it, or fail as Athena does."""
        for word in words:
            if self.accept(word):
                return word
        self.fail(*words)

    def expect_end(self) -> None:
        """Fail unless all was read."""
        if self:
            self.fail("<EOF>")

    def name(self) -> str:
        """An identifier without its quotes, in lower case as Glue folds it."""
        token = self._take("identifier")
        if token.kind is Kind.WORD:
            if self.dialect is Dialect.HIVE and not _is_plain_name(token):
                self._fail_to_recognise(self.place - 1)
            return token.text.lower()
        if token.kind is Kind.BACKTICK:
            if self.dialect is Dialect.TRINO:
                raise self._error(
                    token.offset,
                    "backquoted identifiers are not supported; use double quotes to quote "
                    "identifiers",
                )
            return token.text[1:-1].replace("``", "`").lower()
        if token.kind is Kind.QUOTED:
            return token.text[1:-1].replace('""', '"').lower()
        self.place -= 1
        self.fail("identifier")

    def keyword(self) -> str:
        """A word that is no name, as that of a type, in upper case."""
        token = self._take("identifier")
        if token.kind is not Kind.WORD:
            self.place -= 1
            self.fail("identifier")
        return token.word

    def string(self) -> str:
        """A text without its quotes and escapes."""
        token = self._take("string")
        if token.kind is not Kind.STRING:
            self.place -= 1
            self.fail("string")
        if self.dialect is Dialect.TRINO:
            return token.text[1:-1].replace("''", "'")
        return re.sub(
            r"\\(u[0-9a-fA-F]{4}|[0-7]{3}|.)", _unescape, token.text[1:-1], flags=re.DOTALL
        )

    def number(self) -> int:
        """A whole number."""
        token = self._take("number")
        if token.kind is not Kind.NUMBER or not token.text.isdigit():
            self.place -= 1
            self.fail("number")
        return int(token.text)

    def listed(self, item: Callable[[], T]) -> list[T]:
        """What `item` reads, once or more, separated by commas, in parentheses."""
        self.expect("(")
        found = [item()]
        while self.accept(","):
            found.append(item())
        self.expect(")")
        return found

    def skip_parentheses(self) -> None:
        """Read a parenthesis with all inside it."""
        self.expect("(")
        depth = 1
        while depth:
            word = self._take(")").word
            depth += (word == "(") - (word == ")")

    def expression(self, *closing: str) -> str:
        """The text up to one of these words or signs outside parentheses, or to the end."""
        start, depth = self.place, 0
        while self and not (depth == 0 and self.peek() in closing):
            depth += (self.peek() in ("(", "[")) - (self.peek() in (")", "]"))
            self.place += 1
        if self.place == start:
            self.fail("expression")
        return self.text[self.tokens[start].offset : self.consumed]

    def fail(self, *expected: str) -> NoReturn:
        """Refuse the next token in the words of the dialect's parser."""
        wanted = [w if w in ("identifier", "string", "<EOF>") else f"'{w}'" for w in expected]
        got = self.tokens[self.place].text if self else "<EOF>"
        if self.dialect is Dialect.TRINO:
            raise self._error(
                self.offset, f"mismatched input '{got}'. Expecting: {', '.join(wanted)}"
            )
        if wanted == ["<EOF>"]:
            raise self._error(self.offset, f"missing EOF at '{got}'")
        raise self._error(self.offset, f"mismatched input '{got}' expecting {', '.join(wanted)}")

    def _fail_to_recognise(self, place: int) -> NoReturn:
        # Hive shows three tokens.
        near = [token.text for token in self.tokens[place : place + 3]]
        near += ["<EOF>"] * (3 - len(near))
        shown = " ".join(f"'{text}'" for text in near)
        raise self._error(self.tokens[place].offset, f"cannot recognize input near {shown}")

    def _error(self, offset: int, message: str) -> QueryFailed:
        make = syntax_error if self.dialect is Dialect.TRINO else parse_exception
        return make(*position(self.text, offset), message)

    def _take(self, expected: str) -> Token:
        if not self:
            self.fail(expected)
        self.place += 1
        return self.tokens[self.place - 1]


def _is_plain_name(token: Token) -> bool:
    """Whether Hive takes the word for a name without backticks."""
    return token.word not in RESERVED_WORDS and not token.text.startswith("_")


def _unescape(match: re.Match[str]) -> str:
    escaped = match.group(1)
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    if len(escaped) == 3:
        return chr(int(escaped, 8))
    # Hive keeps the backslash of %, _ for LIKE; all others stand for themselves.
    if escaped in "%_":
        return "\\" + escaped
    return _HIVE_ESCAPES.get(escaped, escaped)
