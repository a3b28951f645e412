"""The `name = value` properties of CTAS and UNLOAD: each is taken once, none may be left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local_aws.gateway.engine import QueryFailed
from local_aws.gateway.sql.errors import not_reproduced, refusal
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import text_literal
from local_aws.gateway.sql.tokens import Kind

Property = str | int | bool | list[str]


def read_properties(reader: Reader) -> dict[str, Property]:
    """Read `(name = value, …)`; names in lower case.

    Raises:
        QueryFailed: Not of that form, or a name comes twice.
    """
    found: dict[str, Property] = {}
    for name, value in reader.listed(lambda: _property(reader)):
        if name in found:
            raise refusal("DUPLICATE_PROPERTY", f"line 1:1: Duplicate property: {name}")
        found[name] = value
    return found


def _property(reader: Reader) -> tuple[str, Property]:
    name = reader.name()
    reader.expect("=")
    return name, _value(reader)


def _value(reader: Reader) -> Property:
    if reader.accept("TRUE"):
        return True
    if reader.accept("FALSE"):
        return False
    if reader.accept("ARRAY", "["):
        items: list[str] = []
        while not reader.accept("]"):
            items.append(reader.string())
            if reader.peek() != "]":
                reader.expect(",")
        return items
    if reader.peek_kind() is Kind.NUMBER:
        return reader.number()
    return reader.string()


def text(properties: dict[str, Property], name: str) -> str | None:
    """Take a text out of the properties; None when it is not there."""
    value = properties.pop(name, None)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, value)
    return value


def texts(properties: dict[str, Property], name: str) -> list[str] | None:
    """Take a list of texts, in lower case as they name columns, out of the properties."""
    value = properties.pop(name, None)
    if value is not None and not isinstance(value, list):
        raise _wrong(name, value)
    return None if value is None else [item.lower() for item in value]


def whole_number(properties: dict[str, Property], name: str) -> int | None:
    """Take a whole number, which may be quoted, out of the properties."""
    value = properties.pop(name, None)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _wrong(name, value)
    return value


def flag(properties: dict[str, Property], name: str) -> bool | None:
    """Take true or false, which may be quoted, out of the properties."""
    value = properties.pop(name, None)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, value)
    return value


def choice(properties: dict[str, Property], name: str, allowed: Sequence[str]) -> str | None:
    """Take one of the allowed texts, in upper case, out of the properties."""
    value = text(properties, name)
    if value is None:
        return None
    if value.upper() not in allowed:
        raise _wrong(name, value, f"; one of {', '.join(allowed)} is expected")
    return value.upper()


def no_more(properties: Mapping[str, Property], owner: str) -> None:
    """Refuse a property that nothing has taken."""
    for name in properties:
        if name == "compression_level":
            raise not_reproduced(f"The property {name}")
        raise refusal(
            "INVALID_TABLE_PROPERTY", f"line 1:1: {owner} property '{name}' does not exist"
        )


def _wrong(name: str, value: Property, more: str = "") -> QueryFailed:
    return refusal("INVALID_TABLE_PROPERTY", f"Invalid value for '{name}': {value!r}{more}")


def array(items: Sequence[str]) -> str:
    """A list of texts as Trino writes it."""
    return f"ARRAY[{', '.join(map(text_literal, items))}]"


def map_of(items: Mapping[str, str]) -> str:
    """Texts by texts as Trino writes them."""
    return f"MAP({array(list(items))}, {array(list(items.values()))})"


def with_clause(properties: Mapping[str, str]) -> str:
    """Trino's WITH clause; the values are SQL already."""
    return f"WITH ({', '.join(f'{name} = {value}' for name, value in properties.items())})"
