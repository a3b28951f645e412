"""A number for what rows hold, kept beside their count so that `dbt build` sees a changed file."""

from __future__ import annotations

from salescast.lake import LAKE_SCHEMAS
from salescast.sql_text import quoted_name, quoted_text

_OF_LANDING = frozenset(["load_id", "loaded_at", "source_file", "run_id", "schema_version"])
"""Columns that name the landing of a row and not what it holds."""


def rows_digest_sql(table: str) -> str:
    """DuckDB's aggregate for the digest of rows of a lake table, in whatever order they are.

    macros/lake/rows_digest.sql computes the same on both engines.
    """
    parts = [
        f"coalesce({quoted_text(name + '=')} || {_text_of(name, kind)} || chr(31), '')"
        for name, kind in sorted(LAKE_SCHEMAS[table].items())
        if name not in _OF_LANDING
    ]
    return f"cast(sum(cast('0x' || substr(md5({' || '.join(parts)}), 1, 8) as bigint)) as bigint)"


def _text_of(name: str, kind: str) -> str:
    value = quoted_name(name)
    # The text of a double differs between engines, its bits do not.
    return f"cast({f'cast({value} as bit)::bigint' if kind == 'double' else value} as varchar)"
