"""Names and texts as DuckDB's SQL writes them, for the places that take no parameter."""

from __future__ import annotations

import glob
from pathlib import PurePath


def quoted_name(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(value: str | PurePath) -> str:
    """A text or a path as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def file_pattern(path: PurePath) -> str:
    """The pattern that DuckDB's readers find this file by, and no other one.

    A reader takes a path for a pattern: `h[1]/a.parquet` is `h1/a.parquet` to it.
    """
    return glob.escape(str(path))
