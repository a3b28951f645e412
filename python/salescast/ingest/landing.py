"""What one ingest has found and written so far."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from salescast.ingest.source_files import SourceFile
from salescast.lake import Lake, StagedFile
from salescast.mapping import Mapping

# Sales come last: whoever sees them also sees the rest of the command.
LANDING_ORDER = ("stores", "departments", "series_changes", "related", "sales")
Progress = Callable[[str], None]


@dataclass
class Landing:
    """What one ingest has found and written so far.

    Attributes:
        mapping: What the files look like.
        lake: Where to land.
        con: Connection that reads the files.
        stack: Undoes at its end what was staged and not published.
        tell: Called with a short text at each step.
        scratch: Folder for copies of files, gone at the end of the command.
        warnings: Texts for the result of the command.
        rows: Staged rows by load id.
        sources: Files by load id.
        records: Rows of `raw_loads` by load id, each of a staged file.
        series: Names of the related series of the files, in their order.
    """

    mapping: Mapping
    lake: Lake
    con: duckdb.DuckDBPyConnection
    stack: ExitStack
    tell: Progress
    scratch: Path
    warnings: list[str] = field(default_factory=list)
    rows: dict[str, StagedFile] = field(default_factory=dict)
    sources: dict[str, SourceFile] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    series: dict[str, None] = field(default_factory=dict)

    def stage(self, staged: StagedFile) -> StagedFile:
        """Have a file removed at the end of the command unless it was published."""
        self.stack.callback(staged.discard)
        return staged
