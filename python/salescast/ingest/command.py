"""The ingest command: read and judge all files, then publish them.

All files of a command are read and judged before any of them is landed. Each file becomes one load:
its rows, and then its row in `raw_loads`. The footer of the rows holds what that row says, so a
command that was killed between the two is completed by the next one and nothing is landed twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import UserError
from salescast.ingest.clock import Clock
from salescast.ingest.find_files import match_files
from salescast.ingest.fit_checks import check_columns, check_values, check_week_end
from salescast.ingest.landing import Landing, Progress
from salescast.ingest.landing_sql import landing_query, used_parameters
from salescast.ingest.loads import LOAD_KEY, complete_loads, landed_hashes
from salescast.ingest.settings_rows import series_levels, stage_settings
from salescast.ingest.source_files import SourceFile, open_source_file, told_reading
from salescast.lake import Lake, StagedFile
from salescast.mapping import Mapping


@dataclass(frozen=True)
class LandedLoad:
    """One file that this command landed."""

    load_id: str
    table_name: str
    source_file: str
    n_rows: int


@dataclass(frozen=True)
class SkippedFile:
    """One file whose content had been landed before, as the load named."""

    table_name: str
    source_file: str
    load_id: str


@dataclass(frozen=True)
class IngestResult:
    """What a command landed, and what it left alone.

    `unmatched` are files that no table of the mapping asks for; `settings_id` is the newest one
    after the command, and `settings_changed` says whether this command landed it; `completed` are
    loads of an earlier, killed command that are now whole.
    """

    loads: tuple[LandedLoad, ...]
    skipped: tuple[SkippedFile, ...]
    unmatched: tuple[str, ...]
    settings_id: str
    settings_changed: bool
    completed: tuple[str, ...]
    warnings: tuple[str, ...]


def ingest(
    source: Path,
    mapping: Mapping,
    lake: Lake,
    *,
    now: datetime | None = None,
    on_progress: Progress | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
) -> IngestResult:
    """Land the files of a folder, or one file, as the mapping describes them.

    Every value stays the text of the file, but: null texts become null, dates that fit the date
    format become ISO, the decimal sign becomes a point, and TRUE and FALSE of a related series
    become 1 and 0. Files whose content is landed already are skipped. The caller holds the lock.

    Args:
        source: Folder that the patterns of the mapping are looked up in, or a single file.
        mapping: What the files look like.
        lake: Where to land.
        now: Moment of the command; default is the clock.
        on_progress: Called with a short text at each step.
        memory_limit: Bound for DuckDB, which spills to the temp folder of the lake.
        threads: Threads for DuckDB.

    Raises:
        UserError: A file or the mapping is wrong; nothing was landed.
        RunError: The disk or the memory was not enough; nothing was landed.
    """
    tell = on_progress or (lambda _: None)
    check_week_end(mapping, lake)
    matched, unmatched = match_files(source, mapping, lake)
    completed = complete_loads(lake)
    landed = landed_hashes(lake)
    skipped: list[SkippedFile] = []
    with _connect(lake, memory_limit, threads) as con, ExitStack() as stack:
        landing = Landing(mapping, lake, con, stack, tell)
        clock = Clock(now or datetime.now(UTC), lake)
        for table, path, name in matched:
            tell(f"reading {name}")
            found = open_source_file(path, name, table, mapping, con)
            key = (f"raw_{table}", found.content_hash)
            if key in landed:
                skipped.append(SkippedFile(key[0], name, landed[key]))
                continue
            landed[key] = _stage_load(found, landing, clock)
        if not any(name == "raw_sales" for name, _ in landed):
            raise UserError(
                "there is no row of sales, neither in the files nor landed before",
                where=str(source),
                fix="ingest the sales files first",
            )
        levels = series_levels(landing)
        settings_id, settings = stage_settings(landing, levels, clock)
        files: list[StagedFile] = []
        for load_id, record in landing.records.items():
            if settings and record["table_name"] == "raw_sales" and settings not in files:
                files.append(settings)
            staged = landing.stage(lake.stage("raw_loads", [record], load_id))
            files += [landing.rows[load_id], staged]
        if settings and settings not in files:
            files.append(settings)
        tell("landing")
        # A kill between two of these leaves at most rows whose record the next command adds.
        for file in files:
            file.publish()
    loads = tuple(
        LandedLoad(load_id, record["table_name"], record["source_file"], record["n_rows"])
        for load_id, record in landing.records.items()
    )
    return IngestResult(
        loads=loads,
        skipped=tuple(skipped),
        unmatched=tuple(unmatched),
        settings_id=settings_id,
        settings_changed=settings is not None,
        completed=tuple(completed),
        warnings=tuple(landing.warnings),
    )


def _stage_load(source: SourceFile, landing: Landing, clock: Clock) -> str:
    """Write the rows of a file to a temporary file and judge them; returns the load id."""
    load_id, moment = clock.tick()
    mapping, lake = landing.mapping, landing.lake
    table = mapping.tables.present()[source.table]
    check_columns(source, table, mapping)
    lake_table = f"raw_{source.table}"
    record = {
        "load_id": load_id,
        "table_name": lake_table,
        "source_file": source.name,
        "content_hash": source.content_hash,
        "mapping_name": mapping.name,
        "loaded_at": moment,
    }
    parameters = {
        **source.parameters,
        "null_texts": ["", *mapping.null_texts],
        "date_format": mapping.date_format,
        "load_id": load_id,
        "loaded_at": moment,
        "source_file": source.name,
    }
    try:
        query = landing_query(source, table, landing, parameters)
        staged = landing.stage(
            lake.stage_query(
                landing.con,
                lake_table,
                query,
                used_parameters(parameters, query),
                load_id,
                {LOAD_KEY: json.dumps({**record, "loaded_at": moment.isoformat()})},
            )
        )
    except duckdb.Error as error:
        raise told_reading(error, source) from error
    if not staged.n_rows:
        raise UserError(
            "the file has a header but no row",
            where=str(source.path),
            fix="export the file again, or take it out of the folder",
        )
    check_values(source, staged, landing)
    landing.rows[load_id] = staged
    landing.records[load_id] = {**record, "n_rows": staged.n_rows}
    landing.tell(f"read {source.name}: {staged.n_rows:,} rows for {lake_table}")
    return load_id


@contextmanager
def _connect(lake: Lake, memory_limit: str, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, Any] = {
        "memory_limit": memory_limit,
        "threads": threads,
        "temp_directory": str(lake.temp_folder),
    }
    with duckdb.connect(config=config) as con:
        con.execute("set TimeZone = 'UTC'")
        yield con
