"""The ingest command: read and judge all files, ask what is doubtful, then publish them.

The files of one command are one delivery, and all of them are read and judged before any is landed.
Each becomes a load, a file of rows. The rows count from the moment at which the record of the
delivery, one file of `raw_loads`, is there. It comes last, so a killed command has landed nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import UserError
from salescast.ingest.clock import Clock
from salescast.ingest.figures import (
    Replaced,
    Sales,
    counted,
    figures_of_load,
    rows_replaced_since,
)
from salescast.ingest.find_files import match_files, told_below
from salescast.ingest.fit_checks import (
    check_columns,
    check_spacing,
    check_values,
    check_week_end,
)
from salescast.ingest.holiday_days import check_regions
from salescast.ingest.landing import Landing, Progress
from salescast.ingest.landing_sql import landing_query, used_parameters
from salescast.ingest.left_out import count_left_out
from salescast.ingest.line_breaks import check_line_breaks
from salescast.ingest.questions import (
    about_history,
    about_put_back,
    about_repeats,
    about_same_sales,
    about_settings,
    far_back_of,
    told_left_standing,
    told_lines_that_differ,
)
from salescast.ingest.result import (
    Decide,
    IngestResult,
    LandedLoad,
    SkippedFile,
    TableFigures,
    land_without_question,
)
from salescast.ingest.set_aside import sales_set_aside, tell_null_texts
from salescast.ingest.settings_rows import series_levels, stage_settings
from salescast.ingest.source_files import (
    SourceFile,
    open_source_file,
    set_lines_aside,
    told_reading,
)
from salescast.ingest.text_files import scratch_folder
from salescast.ingest.withdrawn import note_landed
from salescast.lake import Lake, StagedFile
from salescast.lake.loads import Load, counted_loads
from salescast.lake.settings import newest_settings
from salescast.mapping import Mapping


def ingest(
    source: Path,
    mapping: Mapping,
    lake: Lake,
    *,
    now: datetime | None = None,
    decide: Decide = land_without_question,
    on_progress: Progress | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
) -> IngestResult:
    """Land the files of a folder, or one file, as one delivery that the mapping describes.

    Every value stays the text of the file, but: null texts become null, dates that fit the date
    format become ISO, the decimal sign becomes a point, and TRUE and FALSE of a related series
    become 1 and 0. Files whose content is landed already are skipped, unless the mapping reads them
    otherwise now: then they replace what they were. The caller holds the lock.

    Args:
        source: Folder that the patterns of the mapping are looked up in, or a single file.
        mapping: What the files look like.
        lake: Where to land.
        now: Moment of the command; default is the clock.
        decide: Asked before anything is landed.
        on_progress: Called with a short text at each step.
        memory_limit: Bound for DuckDB, which spills to the temp folder of the lake.
        threads: Threads for DuckDB.

    Raises:
        UserError: A file or the mapping is wrong, or a question is open; nothing was landed.
        RunError: The disk or the memory was not enough; nothing was landed.
    """
    tell = on_progress or (lambda _: None)
    check_regions(mapping)
    check_week_end(mapping, lake)
    matched, unmatched, below = match_files(source, mapping, lake)
    loads = counted_loads(lake)
    with _connect(lake, memory_limit, threads) as con, ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(lake.temp_folder))
        landing = Landing(mapping, lake, con, stack, tell, scratch)
        if below:
            landing.warnings.append(told_below(below, mapping))
        clock = Clock(now or datetime.now(UTC), lake)
        delivery_id, _ = clock.tick()
        note_landed(landing, loads)
        skipped = _stage_new(matched, loads, landing, clock, delivery_id)
        put_back = _put_back(skipped, loads, landing, clock, delivery_id)
        tables = {load.table_name for load in loads}
        tables |= {record["table_name"] for record in landing.records.values()}
        if "raw_sales" not in tables:
            raise UserError(
                "there is no row of sales, neither in the files nor landed before",
                where=str(source),
                fix="ingest the sales files first",
            )
        before = newest_settings(lake)
        levels = series_levels(landing)
        check_spacing(landing)
        settings_id, settings = stage_settings(landing, levels, clock)
        replaced, questions = _judge(landing, loads)
        gone = {record["replaces_load_id"] for record in landing.records.values()}
        kept = [x for x in loads if x.table_name == "raw_sales" and x.load_id not in gone]
        if settings:
            questions += about_settings(mapping, before, kept)
        deliveries = {record["delivery_id"] for record in landing.records.values()}
        result = IngestResult(
            delivery_id=delivery_id if delivery_id in deliveries else "",
            loads=tuple(_landed_load(record) for record in landing.records.values()),
            figures=_figures(landing),
            set_aside=sales_set_aside(landing),
            replaced=replaced,
            skipped=tuple(file for file, _ in skipped if file.load_id not in gone),
            unmatched=tuple(unmatched),
            settings_id=settings_id,
            settings_changed=settings is not None,
            warnings=tuple(landing.warnings),
            questions=(*put_back, *questions),
            is_landed=True,
        )
        if not decide(result):
            return replace(result, is_landed=False)
        files = list(landing.rows.values())
        files += [settings] if settings else []
        if landing.records:
            records = list(landing.records.values())
            files.append(landing.stage(lake.stage("raw_loads", records, delivery_id)))
        tell("landing")
        for file in files:
            file.publish()
    return result


def _stage_new(
    matched: Sequence[tuple[str, Path, str]],
    loads: Sequence[Load],
    landing: Landing,
    clock: Clock,
    delivery_id: str,
) -> list[tuple[SkippedFile, SourceFile]]:
    """Stage the files that are not landed as the mapping reads them; returns the others."""
    by_content = {(load.table_name, load.content_hash): load for load in loads}
    staged: dict[tuple[str, str], str] = {}
    skipped = []
    for table, path, name in matched:
        landing.tell(f"reading {name}")
        found = open_source_file(path, name, table, landing.mapping, landing.con, landing.scratch)
        key = (f"raw_{table}", found.content_hash)
        load = by_content.get(key)
        if key in staged:
            skipped.append((SkippedFile(key[0], name, staged[key]), found))
        elif load and load.reading_hash in (None, reading_hash(landing.mapping, table)):
            skipped.append((SkippedFile(key[0], name, load.load_id), found))
        else:
            # Read anew it stays where it was: before whatever restated it since.
            of = load.delivery_id if load else delivery_id
            replaces = load.load_id if load else None
            staged[key] = _stage_load(found, landing, clock, of, replaces)
    return skipped


def _put_back(
    skipped: Sequence[tuple[SkippedFile, SourceFile]],
    loads: Sequence[Load],
    landing: Landing,
    clock: Clock,
    delivery_id: str,
) -> list[str]:
    """Tell files of which rows were replaced since they landed.

    Where nothing else is new and what replaced them is not delivered with them, they are staged.

    Returns:
        A question for each that is staged.
    """
    by_id = {load.load_id: load for load in loads}
    nothing_is_new = not landing.records
    delivered = {file.load_id for file, _ in skipped}
    questions = []
    for file, source in skipped:
        if file.load_id not in by_id:
            continue
        load = by_id[file.load_id]
        later = [
            each
            for each in loads
            if each.table_name == load.table_name
            and each.delivery_id > load.delivery_id
            and not each.adds
            and each.may_hold(load.first_date, load.last_date)
        ]
        n_replaced, by = rows_replaced_since(landing.con, landing.lake, load, later)
        if not n_replaced:
            continue
        if nothing_is_new and delivered.isdisjoint(each.load_id for each in by):
            _stage_load(source, landing, clock, delivery_id, load.load_id)
            questions.append(about_put_back(load, n_replaced, by))
        else:
            landing.warnings.append(
                f"{file.source_file} landed before as {load.load_id} and stays as it is: "
                f"{counted(n_replaced, 'row')} of it were replaced since by "
                + ", ".join(f"{each.load_id} ({each.source_file})" for each in by)
                + "; --retract takes that back"
            )
    return questions


def _judge(landing: Landing, loads: Sequence[Load]) -> tuple[Replaced, list[str]]:
    """What the sales of the delivery do to those that are landed, and what to ask about it."""
    mapping = landing.mapping
    records = {k: r for k, r in landing.records.items() if r["table_name"] == "raw_sales"}
    if not records:
        return Replaced(), []
    landed = [load for load in loads if load.table_name == "raw_sales"]
    gone = {record["replaces_load_id"] for record in records.values()} - {None}
    first = min((r["first_date"] for r in records.values() if r["first_date"]), default=None)
    last = max((r["last_date"] for r in records.values() if r["last_date"]), default=None)
    lines = bool(mapping.tables.sales.line_id)
    meets = [x for x in landed if lines or x.load_id in gone or x.may_hold(first, last)]
    sums = mapping.duplicates == "sum"
    if not meets and not sums:
        return Replaced(), []
    sales = Sales(
        landing.con,
        landing.lake,
        {load_id: landing.rows[load_id] for load_id in records},
        {x.load_id: f"{x.source_file} (load {x.load_id})" for x in meets}
        | {load_id: record["source_file"] for load_id, record in records.items()},
        meets,
        {load_id: record["delivery_id"] for load_id, record in records.items()},
        gone,
        adds=mapping.deliveries == "adds",
        sums=sums,
    )
    kept = [load for load in landed if load.load_id not in gone]
    old_before = far_back_of(kept)
    replaced = sales.replaced(old_before) if meets else Replaced()
    questions = about_history(sales.replaced(old_before, only_others=True), kept, mapping)
    if meets and mapping.deliveries == "restates":
        landing.warnings += told_left_standing(sales.left_standing())
    repeated = sales.repeats()
    repeated += sales.repeats_within_files() if sums else []
    asked, told = about_repeats(repeated)
    questions += asked
    questions += about_same_sales(sales.same_sales(), repeated)
    landing.warnings += told
    if lines:
        landing.warnings += told_lines_that_differ(*sales.lines_that_differ(), mapping)
    return replaced, questions


def _landed_load(record: MappingType[str, Any]) -> LandedLoad:
    keys = ("load_id", "table_name", "source_file", "n_rows", "replaces_load_id")
    return LandedLoad(**{key: record[key] for key in keys})


def _figures(landing: Landing) -> tuple[TableFigures, ...]:
    found = []
    for table in dict.fromkeys(record["table_name"] for record in landing.records.values()):
        records = [r for r in landing.records.values() if r["table_name"] == table]
        sums = [r["sales_sum"] for r in records if r["sales_sum"] is not None]
        found.append(
            TableFigures(
                table,
                len(records),
                sum(record["n_rows"] for record in records),
                sum(record["n_left_out"] for record in records),
                min((r["first_date"] for r in records if r["first_date"]), default=None),
                max((r["last_date"] for r in records if r["last_date"]), default=None),
                sum(sums) if sums else None,
            )
        )
    return tuple(found)


def reading_hash(mapping: Mapping, table: str) -> str:
    """Hash of what the mapping says of how files of a table are read."""
    text = json.dumps(mapping.reading(table), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _stage_load(
    source: SourceFile, landing: Landing, clock: Clock, delivery_id: str, replaces: str | None
) -> str:
    """Write the rows of a file to a temporary file and judge them; returns the load id."""
    load_id, moment = clock.tick()
    mapping, lake = landing.mapping, landing.lake
    table = mapping.tables.present()[source.table]
    check_columns(source, table, mapping)
    lake_table = f"raw_{source.table}"
    parameters = {
        "null_texts": ["", *mapping.null_texts],
        "load_id": load_id,
        "loaded_at": moment,
        "source_file": source.name,
        "delivery_id": delivery_id,
    }

    def stage_rows(source: SourceFile) -> StagedFile:
        parameters.update(source.parameters)
        query = landing_query(source, table, landing, parameters)
        return landing.stage(
            lake.stage_query(
                landing.con, lake_table, query, used_parameters(parameters, query), load_id
            )
        )

    try:
        try:
            staged = stage_rows(source)
        except duckdb.Error as error:
            source = set_lines_aside(source, error, landing.con, landing.scratch)
            staged = stage_rows(source)
        n_left_out = count_left_out(source, staged, landing, parameters) if table.kept else 0
    except duckdb.Error as error:
        raise told_reading(error, source) from error
    if not staged.n_rows and n_left_out:
        raise UserError(
            f"keep leaves out every row: {n_left_out:,}",
            where=f"{source.path}; {' and '.join(table.keep)}",
            fix=f"correct tables.{source.table}.keep in {mapping.path}",
        )
    if not staged.n_rows:
        raise UserError(
            "the file has a header but no row",
            where=str(source.path),
            fix="export the file again, or take it out of the folder",
        )
    check_line_breaks(source, staged, landing)
    check_values(source, staged, landing)
    tell_null_texts(source, staged, landing)
    adds = mapping.deliveries == "adds" and source.table == "sales"
    landing.sources[load_id] = source
    landing.rows[load_id] = staged
    landing.records[load_id] = {
        "load_id": load_id,
        "table_name": lake_table,
        "source_file": source.name,
        "content_hash": source.content_hash,
        "n_rows": staged.n_rows,
        "mapping_name": mapping.name,
        "loaded_at": moment,
        "delivery_id": delivery_id,
        "between_deliveries": "adds" if adds else "restates",
        "reading_hash": reading_hash(mapping, source.table),
        "replaces_load_id": replaces,
        "n_left_out": n_left_out,
        **asdict(figures_of_load(landing.con, lake_table, staged)),
    }
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
