"""The commands on the files of a case."""

from __future__ import annotations

from pathlib import Path

import duckdb

from support.cases import CASES
from support.home import Home, Rows


def ingest(home: Home, folder: str, mapping: Path | None = None, code: int = 0) -> str:
    """Land a folder of the cases by its own mapping, or another.

    Returns:
        What is said, in one line.
    """
    place = CASES / folder
    own = place if (place / "mapping.yml").is_file() else place.parent
    mapping = mapping or own / "mapping.yml"
    return " ".join(home.command("ingest", place, "--mapping", mapping, code=code).split())


def landed(home: Home, select: str) -> Rows:
    """Rows of a select on `sales`, the landed sales as they were read."""
    with duckdb.connect() as connection:
        return connection.execute(
            f"with sales as ({home.lake.scan_sql('raw_sales')}) {select}"
        ).fetchall()
