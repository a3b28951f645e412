"""Types as Hive's DDL and as Trino's queries write them, nested ones too, and the way between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


class UnsupportedType(Exception):
    """A type that cannot be read, or that the other side does not have."""

    def __init__(self, type_text: str) -> None:
        """Keep the type as it was written."""
        super().__init__(type_text)
        self.type_text = type_text


@dataclass(frozen=True)
class Type:
    """One type, in Trino's names whichever way it was written.

    name: lower case, without parameters: bigint, varchar, array, row, "timestamp with time zone".
    numbers: length, precision or (precision, scale); empty when not given.
    parts: element of an array; key and value of a map; field types of a row.
    fields: names of a row's fields.
    """

    name: str
    numbers: tuple[int, ...] = ()
    parts: tuple[Type, ...] = ()
    fields: tuple[str, ...] = ()


# Hive's name: Trino's name, where they differ.
_HIVE_NAMES = {
    "string": "varchar",
    "int": "integer",
    "float": "real",
    "binary": "varbinary",
    "struct": "row",
}
_TRINO_NAMES = {
    trino: hive for hive, trino in _HIVE_NAMES.items() if hive not in ("string", "struct")
}
# The types that both write alike.
_SHARED = {"boolean", "tinyint", "smallint", "bigint", "double", "date"}
_HIVE_PRIMITIVES = _SHARED | {"int", "float", "string", "binary", "timestamp"}

_TOKEN = re.compile(r'\s*([\w]+|"(?:[^"]|"")*"|`[^`]*`|[^\s])')


class _Words:
    """The words and signs of a type, read one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.left = _TOKEN.findall(text)
        self.left.reverse()

    def peek(self, ahead: int = 0) -> str:
        return self.left[-1 - ahead] if len(self.left) > ahead else ""

    def take(self, expected: str | None = None) -> str:
        if not self.left or (expected is not None and self.left[-1].lower() != expected):
            raise UnsupportedType(self.text)
        return str(self.left.pop())

    def accept(self, *words: str) -> bool:
        if [self.peek(n).lower() for n in range(len(words))] != list(words):
            return False
        del self.left[len(self.left) - len(words) :]
        return True

    def numbers(self) -> tuple[int, ...]:
        if not self.accept("("):
            return ()
        found = [self._number()]
        while self.accept(","):
            found.append(self._number())
        self.take(")")
        return tuple(found)

    def _number(self) -> int:
        word = self.take()
        if not word.isdigit():
            raise UnsupportedType(self.text)
        return int(word)


def parse_hive(text: str) -> Type:
    """The type that Hive's DDL (and Glue) writes as `text`.

    Raises:
        UnsupportedType: Not a type of Athena's DDL, as `integer` and `varchar` without a length.
    """
    words = _Words(text)
    found = _hive(words)
    if words.left:
        raise UnsupportedType(text)
    return found


def _hive(words: _Words) -> Type:
    name = words.take().lower()
    if name == "array":
        words.take("<")
        element = _hive(words)
        words.take(">")
        return Type("array", parts=(element,))
    if name == "map":
        words.take("<")
        key = _hive(words)
        words.take(",")
        value = _hive(words)
        words.take(">")
        return Type("map", parts=(key, value))
    if name == "struct":
        words.take("<")
        fields = [_hive_field(words)]
        while words.accept(","):
            fields.append(_hive_field(words))
        words.take(">")
        return Type("row", parts=tuple(t for _, t in fields), fields=tuple(n for n, _ in fields))
    if name == "decimal":
        return Type("decimal", words.numbers() or (10, 0))
    if name in ("varchar", "char"):
        numbers = words.numbers()
        if len(numbers) != 1:
            raise UnsupportedType(words.text)
        return Type(name, numbers)
    if name not in _HIVE_PRIMITIVES:
        raise UnsupportedType(words.text)
    return Type(_HIVE_NAMES.get(name, name))


def _hive_field(words: _Words) -> tuple[str, Type]:
    name = words.take().strip("`").lower()
    words.take(":")
    return name, _hive(words)


def parse_trino(text: str) -> Type:
    """The type that Trino writes as `text`, for instance `array(row(a integer, "b c" varchar))`.

    Raises:
        UnsupportedType: Not a type that can be read.
    """
    words = _Words(text)
    found = _trino(words)
    if words.left:
        raise UnsupportedType(text)
    return found


def _trino(words: _Words) -> Type:
    name = words.take().lower()
    if name == "row":
        words.take("(")
        fields = [_trino_field(words)]
        while words.accept(","):
            fields.append(_trino_field(words))
        words.take(")")
        return Type("row", parts=tuple(t for _, t in fields), fields=tuple(n for n, _ in fields))
    if name == "interval":
        return Type(f"interval {words.take()} {words.take()} {words.take()}".lower())
    if words.peek() == "(" and not words.peek(1).isdigit():
        # array, map, and what takes types likewise: qdigest(double).
        words.take("(")
        parts = [_trino(words)]
        while words.accept(","):
            parts.append(_trino(words))
        words.take(")")
        return Type(name, parts=tuple(parts))
    numbers = words.numbers()
    if name in ("timestamp", "time") and words.accept("with", "time", "zone"):
        return Type(f"{name} with time zone", numbers)
    return Type({"int": "integer"}.get(name, name), numbers)


def _trino_field(words: _Words) -> tuple[str, Type]:
    # A field without a name is only a type.
    if words.peek(1) in ("(", ",", ")", ""):
        return "", _trino(words)
    name = words.take()
    if name.startswith('"'):
        name = name[1:-1].replace('""', '"')
    return name, _trino(words)


def to_hive(type_: Type) -> str:
    """The type as Hive's DDL and Glue write it; timestamps lose their precision, as Glue has none.

    Raises:
        UnsupportedType: Hive has no such type (time, json, timestamp with time zone, …).
    """
    if type_.name == "array":
        return f"array<{to_hive(type_.parts[0])}>"
    if type_.name == "map":
        return f"map<{to_hive(type_.parts[0])},{to_hive(type_.parts[1])}>"
    if type_.name == "row":
        if not all(type_.fields):
            raise UnsupportedType(to_trino(type_))
        fields = (f"{n}:{to_hive(part)}" for n, part in zip(type_.fields, type_.parts, strict=True))
        return f"struct<{','.join(fields)}>"
    if type_.name == "decimal":
        precision, scale = (*type_.numbers, 0)[:2] if type_.numbers else (38, 0)
        return f"decimal({precision},{scale})"
    if type_.name == "varchar":
        return f"varchar({type_.numbers[0]})" if type_.numbers else "string"
    if type_.name == "char":
        return f"char({type_.numbers[0] if type_.numbers else 1})"
    if type_.name == "timestamp" or type_.name in _SHARED:
        return type_.name
    if type_.name in _TRINO_NAMES:
        return _TRINO_NAMES[type_.name]
    raise UnsupportedType(to_trino(type_))


def to_trino(type_: Type, *, timestamp_precision: int | None = None) -> str:
    """The type as Trino writes it.

    Args:
        type_: The type.
        timestamp_precision: Digits of a second for timestamps that name none, as Hive's do; Iceberg
            has 6.
    """

    def inner(part: Type) -> str:
        return to_trino(part, timestamp_precision=timestamp_precision)

    if type_.name == "row":
        fields = (
            f"{_trino_name(n)} {inner(p)}" if n else inner(p)
            for n, p in zip(type_.fields, type_.parts, strict=True)
        )
        return f"row({', '.join(fields)})"
    if type_.parts:
        return f"{type_.name}({', '.join(inner(p) for p in type_.parts)})"
    numbers = type_.numbers
    if type_.name == "timestamp" and not numbers and timestamp_precision is not None:
        numbers = (timestamp_precision,)
    suffix = f"({','.join(map(str, numbers))})" if numbers else ""
    base, zone, rest = type_.name.partition(" with ")
    return f"{base}{suffix}{zone}{rest}"


def _trino_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def trino_to_hive(text: str) -> str:
    """Trino's text of a type as Hive's. Raises UnsupportedType."""
    return to_hive(parse_trino(text))


def base_name(trino_type: str) -> str:
    """The name alone, as Athena names a result's column: decimal(3,1) → decimal, real → float.

    Raises:
        UnsupportedType: Not a type that can be read.
    """
    name = parse_trino(trino_type).name
    return "float" if name == "real" else name


def leaves(type_: Type) -> Iterator[Type]:
    """The primitive types inside a type; the type itself when it is one."""
    if not type_.parts:
        yield type_
    for part in type_.parts:
        yield from leaves(part)
