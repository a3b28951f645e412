"""The map command: look at files, and write a mapping for them with the evidence for each key."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from salescast.errors import UserError
from salescast.ingest.fit_checks import check_columns
from salescast.ingest.landing import Landing
from salescast.ingest.landing_sql import landing_query, used_parameters
from salescast.ingest.source_files import open_source_file, set_lines_aside
from salescast.lake import Lake
from salescast.mapping import Mapping, Weekday, names_week_only
from salescast.mapping_draft.columns import Kind
from salescast.mapping_draft.counted_twice import leave_totals_out, tell_order_totals
from salescast.mapping_draft.files import Look, look_into
from salescast.mapping_draft.page import write_page
from salescast.mapping_draft.plan import Plan, Table, make_plan
from salescast.mapping_draft.rhythm import Rhythm, find_rhythm, n_repeated
from salescast.mapping_draft.roles import best
from salescast.mapping_draft.signs import Keys, choose_formats, choose_null_texts, choose_signs
from salescast.mapping_draft.words import language_of

MAX_ROWS = 1_000_000
_ALL_ROWS = 4_000_000
_FEWEST_ROWS = 20_000
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".pq")
_OTHERS = (".xlsx", ".xls", ".xlsm", ".ods", ".zip", ".json", ".xml")


@dataclass(frozen=True)
class Draft:
    """A mapping that was drafted.

    Attributes:
        text: YAML with comments.
        name: Its name.
        folder: Folder or file to ingest with it.
        checks: What a person has to look at.
        files: Files of each table.
        left: Files that no table asks for, with the reason.
    """

    text: str
    name: str
    folder: Path
    checks: tuple[str, ...]
    files: dict[str, list[str]]
    left: tuple[tuple[str, str], ...]


def draft_mapping(
    paths: Sequence[Path],
    *,
    name: str | None = None,
    today: date | None = None,
    scratch: Path | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
    on_progress: Callable[[str], None] | None = None,
) -> Draft:
    """Look at files and write a mapping that reads them.

    Of large files the first million rows are read, of many files fewer.

    Args:
        paths: Files of one source, or its folder.
        name: Name of the mapping; default after the file or folder.
        today: The day; default is the clock's.
        scratch: Folder for copies; default the system's.
        memory_limit: Bound for DuckDB.
        threads: Threads for DuckDB.
        on_progress: Called with a short text at each step.

    Raises:
        UserError: No file can be read, or none has dates and numbers.
    """
    tell = on_progress or (lambda _: None)
    base, found, left = _find_files(paths)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch)))
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(folder),
        }
        con = stack.enter_context(duckdb.connect(config=config))
        con.execute("set TimeZone = 'UTC'")
        looks = []
        max_rows = min(MAX_ROWS, max(_FEWEST_ROWS, _ALL_ROWS // len(found)))
        for path, shown_name in found:
            tell(f"looking at {shown_name}")
            try:
                looks.append(look_into(path, shown_name, con, folder, max_rows))
            except UserError as error:
                if len(found) == 1:
                    raise
                left.append((shown_name, error.what))
        if not looks:
            raise UserError(
                "no file can be read as a table",
                where="; ".join(f"{each}: {why}" for each, why in left[:5]) or str(base),
                fix="give CSV or Parquet files",
            )
        tell("reading the columns")
        plan = make_plan(_kinds(looks, con), con, today or date.today())
        left += plan.left
        keys = _keys(plan)
        name = name or _name(paths, base)
        end = _usual_week_end(plan, keys)
        rough = Rhythm(week_ends_on=end)
        sales = plan.tables["sales"]
        if sales.wide:
            rough.grain = sales.wide.grain
        if _names_weeks(sales):
            rough.grain, rough.week_ends_on = "weekly", "sunday"
        draft, _ = write_page(name, plan, keys, rough, left, con)
        mapping = Mapping.model_validate(yaml.safe_load(draft))
        tell("reading the rows")
        _read_sold(sales, mapping, con, stack, folder)
        leave_totals_out(sales, con)
        tell_order_totals(sales, con)
        rhythm = _rhythm(sales, con, end)
        tell("writing")
        text, checks = write_page(name, plan, keys, rhythm, left, con)
    files = {table: found.names for table, found in plan.tables.items()}
    return Draft(text, name, base, tuple(checks), files, tuple(left))


def _find_files(
    paths: Sequence[Path],
) -> tuple[Path, list[tuple[Path, str]], list[tuple[str, str]]]:
    """The folder, the files with their names below it, and what is no table by its name."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError("there is no such file or folder", where=str(path))
        if path.is_dir():
            files += sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
        else:
            files.append(path)
    files = list(dict.fromkeys(path.absolute() for path in files))
    if not files:
        raise UserError("the folder holds no file", where=", ".join(map(str, paths)))
    whole = [path for path in paths if path.is_dir()]
    if len(paths) == 1 and whole:
        base = whole[0]
    else:
        base = Path(os.path.commonpath([str(path.parent) for path in files]))
    found, left = [], []
    for path in files:
        shown_name = path.relative_to(base.absolute()).as_posix()
        kind = path.name.lower()
        if kind.endswith(_TABLES):
            found.append((path, shown_name))
        elif kind.endswith(_OTHERS):
            left.append((shown_name, "neither CSV nor Parquet: save it as CSV UTF-8"))
    if not found:
        raise UserError(
            "no file is CSV or Parquet by its name",
            where=", ".join(path.name for path in files[:10]),
            fix="save sheets as 'CSV UTF-8'; name files .csv, .csv.gz, .tsv, .txt or .parquet",
        )
    return base, found, left


def _kinds(looks: Sequence[Look], con: duckdb.DuckDBPyConnection) -> list[Kind]:
    """Files with the same columns, apart from numbers in their names, and the same layout."""
    groups: dict[tuple[object, ...], list[Look]] = {}
    for look in looks:
        titles = tuple(sorted({re.sub(r"\d+", "0", title) for title in look.titles}))
        layout = (look.layout.encoding, look.layout.n_lines_before)
        groups.setdefault((titles, layout), []).append(look)
    return [Kind(group, con) for group in groups.values()]


def _keys(plan: Plan) -> Keys:
    keys = Keys()
    tables = list(plan.tables.values())
    titles = [title for table in tables for title in table.kind.titles]
    semicolon = any(look.layout.delimiter == ";" for look in tables[0].kind.looks)
    numbers = [profile for table in tables for profile in table.numbers()]
    dates = [profile for table in tables for profile in table.dates()]
    choose_signs(numbers, keys, comma_is_usual=semicolon or bool(language_of(titles)))
    choose_null_texts([*numbers, *dates], keys)
    choose_formats(dates, keys)
    return keys


def _name(paths: Sequence[Path], base: Path) -> str:
    stem = paths[0].name.split(".")[0] if len(paths) == 1 else base.absolute().name
    stem = stem or base.absolute().name
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-").lower()[:60]
    return name or "my_source"


def _usual_week_end(plan: Plan, keys: Keys) -> Weekday:
    """Saturday where the files look American or say nothing, Sunday elsewhere."""
    titles = [title for table in plan.tables.values() for title in table.kind.titles]
    formats = keys.values.get("date_format", "")
    european = any(str(each).startswith("%d") for each in [formats, *formats][:3])
    return "sunday" if language_of(titles) or european else "saturday"


def _names_weeks(sales: Table) -> bool:
    reading = sales.roles.columns["date"].dates if "date" in sales.roles.columns else None
    formats = sales.wide.formats if sales.wide else ()
    return any(map(names_week_only, formats)) or bool(reading and reading.is_week)


def _read_sold(
    sales: Table,
    mapping: Mapping,
    con: duckdb.DuckDBPyConnection,
    stack: ExitStack,
    scratch: Path,
) -> None:
    """Read the sales as ingest does, into the table `sold`."""
    con.execute(
        "create table sold (store varchar, department varchar, written varchar, day date,"
        " sales double, file varchar)"
    )
    table = mapping.tables.sales
    landing = Landing(mapping, Lake(scratch / "lake"), con, stack, lambda _: None, scratch)
    for look in sales.kind.looks:
        source = open_source_file(look.path, look.name, "sales", mapping, con, scratch)
        check_columns(source, table, mapping)
        for attempt in (1, 2):
            parameters = {
                **source.parameters,
                "null_texts": ["", *mapping.null_texts],
                "load_id": "draft",
                "loaded_at": "2000-01-01",
                "source_file": look.name,
            }
            query = (
                "insert into sold select trim(store), trim(department), date,"
                " try_cast(date as date),"
                f" try_cast(sales as double), source_file from ("
                f"{landing_query(source, table, landing, parameters)}"
                f") where unreadable_line is null limit {max(look.n_rows, MAX_ROWS)}"
            )
            try:
                con.execute(query, used_parameters(parameters, query))
            except duckdb.Error as error:
                if attempt == 2:
                    raise
                source = set_lines_aside(source, error, con, scratch)
            else:
                break


def _rhythm(sales: Table, con: duckdb.DuckDBPyConnection, end: Weekday) -> Rhythm:
    date_column = sales.roles.columns.get("date")
    reading = date_column.dates if date_column else None
    order = best(sales.kind.profiles, "order", 2.0)
    rhythm = find_rhythm(
        con,
        "sold",
        date_title=date_column.title if date_column else "",
        is_wide=sales.wide is not None,
        week_only=_names_weeks(sales),
        has_lines=bool(order) or bool(reading and reading.has_time),
        week_end=end,
    )
    if rhythm.is_lines and (n := n_repeated(con, sales.kind.sample)):
        rhythm.doubt(
            "duplicates",
            f"{n:,} rows are the same as another one in every column: sold twice, or exported "
            "twice?",
        )
    return rhythm
