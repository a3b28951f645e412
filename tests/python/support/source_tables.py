"""A folder of files, a mapping and what landed of them, for tests of ingest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from salescast.errors import UserError
from salescast.ingest import IngestResult, ingest
from salescast.lake import Lake
from salescast.mapping import Mapping

COLUMNS = {"store": "store", "department": "department", "date": "date", "sales": "sales"}


def mapping(*, related: dict[str, Any] | None = None, **changes: Any) -> Mapping:
    """A daily mapping of sales.*; `sales__encoding` and the like are keys of the table of sales."""
    sales: dict[str, Any] = {"file": "sales*", "columns": COLUMNS}
    content: dict[str, Any] = {"name": "m", "grain": "daily", "week_ends_on": "saturday"}
    for key, value in changes.items():
        if key.startswith("sales__"):
            sales[key.removeprefix("sales__")] = value
        else:
            content[key] = value
    tables = {"sales": sales} | ({"related": related} if related else {})
    return Mapping.model_validate({**content, "tables": tables})


class Shop:
    """One folder of files and one lake.

    Attributes:
        folder: Where the files are.
        lake: Where they land.
    """

    def __init__(self, place: Path) -> None:
        """Make the folder."""
        self.folder = place / "in"
        self.folder.mkdir(parents=True)
        self.lake = Lake(place / "home" / "lake")

    def put(self, content: str | bytes, name: str = "sales.csv") -> None:
        """Write a file."""
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(data)

    def ingest(self, described: Mapping) -> IngestResult:
        """Land the folder; nothing may stay behind in the folder for copies."""
        try:
            return ingest(self.folder, described, self.lake)
        finally:
            left = list(self.lake.temp_folder.glob("*")) if self.lake.temp_folder.exists() else []
            assert not left, f"copies stay behind: {left}"

    def refused(self, described: Mapping, *fragments: str) -> str:
        """The text of the error that an ingest ends with; each fragment is in it."""
        with pytest.raises(UserError) as caught:
            self.ingest(described)
        for fragment in fragments:
            assert fragment in str(caught.value), str(caught.value)
        assert not self.lake.names("raw_sales")
        return str(caught.value)

    def rows(self, *columns: str, table: str = "raw_sales") -> list[Any]:
        """Landed rows in the order of their row numbers, as tuples, or as values for one column."""
        found = sorted(
            self.lake.read(table).to_pylist(),
            key=lambda row: (row["load_id"], row["source_row"], row.get("series_name") or ""),
        )
        return [
            row[columns[0]] if len(columns) == 1 else tuple(row[name] for name in columns)
            for row in found
        ]
