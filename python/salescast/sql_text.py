"""Names and texts as DuckDB's SQL writes them, for the places that take no parameter."""

from __future__ import annotations

from pathlib import PurePath


def quoted_name(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(value: str | PurePath) -> str:
    """A text or a path as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"
