"""SQL for the expressions of a mapping.

Texts are bound as parameters, columns are the SQL names of the reader, and numbers are decimals, so
that 2.55 times 3 is 7.65 and no digit more. What cannot be computed is null.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from salescast.expressions import (
    Arithmetic,
    Both,
    Choice,
    Column,
    Comparison,
    Empty,
    Expression,
    Kind,
    Negative,
    Node,
    Not,
    Number,
    OneOf,
    Text,
    kind_of,
)

_DECIMAL = "decimal(38, 18)"
# The product of two such numbers has 24 digits behind the point and 14 before it.
_FACTOR = "decimal(38, 12)"
_BLANKS = r"[\s\pZ\x{200B}-\x{200D}\x{FEFF}]+"
_AROUND = f"^{_BLANKS}|{_BLANKS}$"


@dataclass(frozen=True)
class Cells:
    """SQL for the cell of a column, by its title.

    Attributes:
        text: Its text, null where it is empty.
        number: Its number as plain text with a decimal point, null where it is none.
    """

    text: Callable[[str], str]
    number: Callable[[str], str]


@dataclass(frozen=True)
class ExpressionSql:
    """Writes expressions on the cells of a file; texts are put in `parameters`."""

    cells: Cells
    parameters: dict[str, Any]

    def value(self, expression: Expression) -> str:
        """The text to land.

        Numbers are plain decimals, conditions true or false. A number that cannot be computed is
        the text of its inputs, so that whoever looks at the rejected row sees why; it is null if
        all of them are empty.
        """
        root = expression.root
        if expression.kind == "text":
            return self._text(root)
        if expression.kind == "condition":
            return f"case {self._condition(root)} when true then 'true' when false then 'false' end"
        number = f"rtrim(rtrim(cast({self._number(root)} as varchar), '0'), '.')"
        texts = [self.cells.text(title) for title in expression.columns()]
        if not texts:
            return number
        shown = ", ".join(
            f"{self._bound(f'{title}: ')} || coalesce({text}, '')"
            for title, text in zip(expression.columns(), texts, strict=True)
        )
        inputs = f"case when coalesce({', '.join(texts)}) is not null then"
        return f"coalesce({number}, {inputs} concat_ws(', ', {shown}) end)"

    def keeps(self, conditions: tuple[Expression, ...]) -> str:
        """Whether a row is kept: one that cannot be decided is."""
        return " and ".join(f"coalesce({self._condition(c.root)}, true)" for c in conditions)

    def compared(self, title: str) -> str:
        """The text of a cell as it is compared."""
        return self._compared(Column(title))

    def _condition(self, node: Node) -> str:
        match node:
            case Both(word, left, right):
                return f"({self._condition(left)} {word} {self._condition(right)})"
            case Not(operand):
                return f"(not {self._condition(operand)})"
            case Empty(operand, negated):
                value = self._number(operand) if kind_of(operand) == "number" else None
                found = f"{value} is null" if value else f"{self._compared(operand)} = ''"
                return f"(not ({found}))" if negated else f"({found})"
            case Comparison(sign, left, right, kind):
                sign = "<>" if sign == "!=" else sign
                return f"({self._read(left, kind)} {sign} {self._read(right, kind)})"
            case OneOf(operand, items, negated, kind):
                listed = ", ".join(self._read(item, kind) for item in items)
                word = "not in" if negated else "in"
                return f"({self._read(operand, kind)} {word} ({listed}))"
        raise AssertionError(node)

    def _read(self, node: Node, kind: Kind) -> str:
        return self._number(node) if kind == "number" else self._compared(node)

    def _number(self, node: Node) -> str:
        match node:
            case Number(digits):
                return f"cast('{digits}' as {_DECIMAL})"
            case Column(title):
                return f"try_cast({self.cells.number(title)} as {_DECIMAL})"
            case Negative(operand):
                return f"(- {self._number(operand)})"
            case Choice():
                return self._choice(node, self._number)
            case Arithmetic(sign, left, right):
                return self._arithmetic(sign, self._number(left), self._number(right))
        raise AssertionError(node)

    def _arithmetic(self, sign: str, left: str, right: str) -> str:
        if sign in "+-":
            return f"try({left} {sign} {right})"
        if sign == "*":
            product = f"cast({left} as {_FACTOR}) * cast({right} as {_FACTOR})"
            return f"try(cast({product} as {_DECIMAL}))"
        # The nearest decimal of the digits that a double is sure of.
        quotient = f"cast({left} as double) / nullif(cast({right} as double), 0)"
        return f"try_cast(format('{{:.15g}}', {quotient}) as {_DECIMAL})"

    def _text(self, node: Node) -> str:
        match node:
            case Text(text):
                return self._bound(text)
            case Column(title):
                return self.cells.text(title)
            case Choice():
                return self._choice(node, self._text)
        raise AssertionError(node)

    def _compared(self, node: Node) -> str:
        """A text without the blanks around it and in small letters; empty rather than null."""
        plain = f"regexp_replace(nfc_normalize({self._text(node)}), '{_AROUND}', '', 'g')"
        return f"coalesce(lower({plain}), '')"

    def _choice(self, node: Choice, read: Callable[[Node], str]) -> str:
        condition = self._condition(node.condition)
        then, otherwise = read(node.then), read(node.otherwise)
        return f"case {condition} when true then {then} when false then {otherwise} end"

    def _bound(self, text: str) -> str:
        texts = self.parameters.setdefault("expression_texts", [])
        texts.append(text)
        return f"$expression_texts[{len(texts)}]"
