"""Expressions on the columns of a source file, as a mapping declares them.

A small language of its own, so that nothing of a file or a mapping is ever run as SQL or code:

    Quantity * UnitPrice
    if([Order Type] = 'return', -Amount, Amount)
    Status not in ('cancelled', 'refunded') and Quantity != 0

`ingest.expression_sql` turns the parsed form into SQL.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, NoReturn

Kind = Literal["number", "text", "condition", "column"]
"""What a part of an expression gives; `column` is a cell, which is read as its place needs it."""

MAX_PARTS = 200
MAX_NESTING = 30

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]{1,18}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?![\w.]))
    | (?P<text>'(?:[^']|'')*')
    | \[(?P<bracketed>[^\[\]]+)\]
    | (?P<word>[^\W\d]\w*)
    | (?P<sign>!=|<>|<=|>=|[-+*/()=<>,])
    )""",
    re.VERBOSE,
)
_WORDS = ("and", "or", "not", "in", "is", "empty", "if")
_ORDERS = ("<", "<=", ">", ">=")
_SAID = {
    "number": "a number",
    "text": "a text",
    "condition": "a condition",
    "column": "a column",
}


class ExpressionError(ValueError):
    """An expression that is not well-formed; the message names the place in it."""


@dataclass(frozen=True)
class Column:
    """A cell of the file, by the title of its column."""

    title: str


@dataclass(frozen=True)
class Number:
    """A number as it is written, such as `12` or `0.5`."""

    digits: str


@dataclass(frozen=True)
class Text:
    """A text without its quotes."""

    text: str


@dataclass(frozen=True)
class Negative:
    """Minus a number."""

    operand: Node


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers and one of `+ - * /`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison:
    """Two values and one of `= != < <= > >=`; `kind` is what both are read as."""

    sign: str
    left: Node
    right: Node
    kind: Kind


@dataclass(frozen=True)
class OneOf:
    """Whether a value is in a list; `kind` is what all are read as."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool
    kind: Kind


@dataclass(frozen=True)
class Empty:
    """Whether there is no value."""

    operand: Node
    negated: bool


@dataclass(frozen=True)
class Both:
    """Two conditions and `and` or `or`."""

    word: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    operand: Node


@dataclass(frozen=True)
class Choice:
    """`if(condition, a, b)`."""

    condition: Node
    then: Node
    otherwise: Node


Node = (
    Column
    | Number
    | Text
    | Negative
    | Arithmetic
    | Comparison
    | OneOf
    | Empty
    | Both
    | Not
    | Choice
)
_Read = Callable[[], Node]


@dataclass(frozen=True)
class Expression:
    """A parsed expression: what was written, and what it gives."""

    text: str
    root: Node
    kind: Kind

    def columns(self) -> list[str]:
        """Titles of the columns that it names, each once, in their order."""
        return list(dict.fromkeys(n.title for n in _walk(self.root) if isinstance(n, Column)))

    def compared_texts(self) -> list[tuple[str, str]]:
        """Columns with the texts that they are compared with."""
        found: list[tuple[str, str]] = []
        for node in _walk(self.root):
            sides: tuple[Node, ...] = ()
            if isinstance(node, OneOf):
                sides = (node.operand, *node.items)
            elif isinstance(node, Comparison):
                sides = (node.left, node.right)
            titles = [side.title for side in sides if isinstance(side, Column)]
            texts = [side.text for side in sides if isinstance(side, Text)]
            found += [(title, text) for title in titles for text in texts]
        return found


def parse_expression(text: str, kind: Kind) -> Expression:
    """Parse an expression that has to give a number, a text or a condition.

    Raises:
        ExpressionError: It is not well-formed or gives something else.
    """
    parser = _Parser(text)
    root = parser.read_all()
    found = kind_of(root)
    if found not in (kind, "column") or (found == "column" and kind == "condition"):
        raise ExpressionError(f"{text!r} is {_SAID[found]}, where {_SAID[kind]} is needed")
    return Expression(text, root, kind)


def is_bare_name(title: str) -> bool:
    """Whether a column of this name may be written without brackets."""
    return bool(re.fullmatch(r"[^\W\d]\w*", title)) and title.lower() not in _WORDS


def kind_of(node: Node) -> Kind:
    """What a part of an expression gives."""
    match node:
        case Column():
            return "column"
        case Text():
            return "text"
        case Number() | Negative() | Arithmetic():
            return "number"
        case Choice():
            kinds = {kind_of(node.then), kind_of(node.otherwise)} - {"column"}
            return kinds.pop() if kinds else "column"
    return "condition"


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for field in fields(node):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Node):
                yield from _walk(part)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent, a method for each level of precedence."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._split())
        self.next = 0
        self.depth = 0

    def read_all(self) -> Node:
        node = self._or()
        if self._token.kind != "end":
            self._refuse(f"{self._token.text!r} is not expected here")
        return node

    def _split(self) -> Iterator[_Token]:
        at = n_parts = 0
        end = len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                self._refuse(_unknown_sign(self.text[at:]), at)
            kind, found, start = match.lastgroup, match[match.lastgroup], match.start()
            start += len(match[0]) - len(match[0].lstrip())
            n_parts += 1
            if n_parts > MAX_PARTS:
                self._refuse(f"it has more than {MAX_PARTS} parts", start)
            if kind == "text":
                found = found[1:-1].replace("''", "'")
            if any(ord(sign) < 32 and sign != "\t" for sign in found):
                self._refuse("a control character cannot be compared", start)
            if kind == "word" and found.lower() in _WORDS:
                kind, found = "keyword", found.lower()
            yield _Token(kind, found, start)
            at = match.end()
        yield _Token("end", "the end", len(self.text))

    @property
    def _token(self) -> _Token:
        return self.tokens[self.next]

    def _take(self, *texts: str) -> str | None:
        """The next token if it is one of these signs or words."""
        token = self._token
        if token.kind in ("sign", "keyword") and token.text in texts:
            self.next += 1
            return token.text
        return None

    def _expect(self, text: str, after: str) -> None:
        if not self._take(text):
            self._refuse(f"{text!r} is expected {after}, not {self._token.text!r}")

    def _refuse(self, problem: str, at: int | None = None) -> NoReturn:
        at = self._token.at if at is None else at
        place = f"character {at + 1}" if at < len(self.text) else "its end"
        raise ExpressionError(f"{self.text!r} at {place}: {problem}")

    def _need(self, node: Node, kind: Kind, what: str, at: int) -> Node:
        found = kind_of(node)
        if found != kind and (found != "column" or kind == "condition"):
            self._refuse(f"{what} takes {_SAID[kind]}, this is {_SAID[found]}", at)
        return node

    def _or(self) -> Node:
        return self._joined("or", self._and)

    def _and(self) -> Node:
        return self._joined("and", self._not)

    def _joined(self, word: str, read: _Read) -> Node:
        at = self._token.at
        node = read()
        while self._take(word):
            self._need(node, "condition", repr(word), at)
            at = self._token.at
            node = Both(word, node, self._need(read(), "condition", repr(word), at))
        return node

    def _not(self) -> Node:
        if not self._take("not"):
            return self._comparison()
        with _Deeper(self):
            at = self._token.at
            return Not(self._need(self._not(), "condition", "'not'", at))

    def _comparison(self) -> Node:
        at = self._token.at
        left = self._sum()
        if sign := self._take("=", "!=", "<>", *_ORDERS):
            right = self._sum()
            kind = self._common(left, [right], at)
            if sign in _ORDERS:
                if "text" in (kind_of(left), kind_of(right)):
                    self._refuse(f"{sign!r} compares numbers, not texts", at)
                kind = "number"
            return Comparison("!=" if sign == "<>" else sign, left, right, kind)
        if self._take("is"):
            negated = bool(self._take("not"))
            self._expect("empty", "after 'is'")
            if kind_of(left) == "condition":
                self._refuse("a condition is never empty", at)
            return Empty(left, negated)
        negated = bool(self._take("not"))
        if self._take("in"):
            self._expect("(", "after 'in'")
            items = [self._sum()]
            while self._take(","):
                items.append(self._sum())
            self._expect(")", "after the list")
            return OneOf(left, tuple(items), negated, self._common(left, items, at))
        if negated:
            self._refuse(f"'in' is expected after 'not', not {self._token.text!r}")
        return left

    def _common(self, left: Node, others: list[Node], at: int) -> Kind:
        """What all are read as; cells alone are read as texts."""
        kinds = {kind_of(node) for node in (left, *others)} - {"column"}
        if "condition" in kinds:
            self._refuse("a condition cannot be compared", at)
        if len(kinds) > 1:
            self._refuse("a number is compared with a text; write both in quotes or none", at)
        return kinds.pop() if kinds else "text"

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._signed)

    def _chain(self, signs: tuple[str, ...], read: _Read) -> Node:
        at = self._token.at
        node = read()
        while sign := self._take(*signs):
            self._need(node, "number", repr(sign), at)
            at = self._token.at
            node = Arithmetic(sign, node, self._need(read(), "number", repr(sign), at))
        return node

    def _signed(self) -> Node:
        if not self._take("-"):
            return self._atom()
        with _Deeper(self):
            at = self._token.at
            return Negative(self._need(self._signed(), "number", "'-'", at))

    def _atom(self) -> Node:
        token = self._token
        if token.kind == "keyword" and token.text == "if":
            return self._if()
        if token.kind == "keyword":
            self._refuse(f"a value is expected; a column of that name is written [{token.text}]")
        if self._take("("):
            with _Deeper(self):
                node = self._or()
            self._expect(")", "to close the bracket")
            return node
        if token.kind in ("sign", "end"):
            self._refuse(f"a value is expected, not {token.text!r}")
        self.next += 1
        if token.kind == "number":
            return Number(token.text)
        return Text(token.text) if token.kind == "text" else Column(token.text.strip())

    def _if(self) -> Node:
        self._take("if")
        self._expect("(", "after 'if'")
        with _Deeper(self):
            at = self._token.at
            condition = self._need(self._or(), "condition", "the first part of 'if'", at)
            self._expect(",", "after the condition")
            then = self._or()
            self._expect(",", "before the value for otherwise")
            at = self._token.at
            otherwise = self._or()
            kinds = {kind_of(then), kind_of(otherwise)}
            if len(kinds - {"column"}) > 1 or "condition" in kinds:
                self._refuse("both values of 'if' have to be numbers, or both texts", at)
        self._expect(")", "to close 'if'")
        return Choice(condition, then, otherwise)


class _Deeper:
    """One level further in; refuses what nests too deep."""

    def __init__(self, parser: _Parser) -> None:
        self.parser = parser

    def __enter__(self) -> None:
        self.parser.depth += 1
        if self.parser.depth > MAX_NESTING:
            self.parser._refuse(f"it nests deeper than {MAX_NESTING} levels")

    def __exit__(self, *_: object) -> None:
        self.parser.depth -= 1


def _unknown_sign(rest: str) -> str:
    if rest[0] == "'":
        return "a text is not closed; write a quote inside a text as ''"
    if rest[0] == "[":
        return "a column's name in brackets is not closed"
    if rest[0] in '"`' or unicodedata.category(rest[0]) in ("Pi", "Pf", "Ps"):
        return "texts are written in single quotes, columns bare or in [brackets]"
    if rest[0].isdigit() or rest[0] == ".":
        return (
            "numbers are written like 1234.5, with up to 18 digits and 12 behind the point; "
            "a column that begins with a digit goes in [brackets]"
        )
    return f"{rest[0]!r} is not part of the language; other names of columns go in [brackets]"
