"""Landing: the raw files of a data source, as text, into the lake.

All files of a command are read and judged before any of them is landed. Each file becomes one load:
its rows, and then its row in `raw_loads`. The footer of the rows holds what that row says, so a
command that was killed between the two is completed by the next one and nothing is landed twice.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import glob
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from salescast.errors import RunError, UserError
from salescast.lake import LAKE_SCHEMAS, Lake, StagedFile, sortable_id, sql_text, utc_naive
from salescast.mapping import WEEKDAYS, Level, Mapping, RelatedTable, TableMapping

# Sales come last: whoever sees them also sees the rest of the command.
LANDING_ORDER = ("stores", "departments", "related", "sales")

_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_COMMA_NUMBER = r"^\s*[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]*)(,[0-9]+)?([eE][+-]?[0-9]+)?\s*$"
_DATES = {"date", "opened_on", "closed_on"}
_NUMBERS = {"sales", "size"}
_DELIMITERS = (",", ";", "\t", "|")
_OTHER_DATE_FORMATS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%b %d, %Y",
)
_CHUNK = 1 << 20
_LOAD_KEY = "salescast_load"

Progress = Callable[[str], None]


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


@dataclass(frozen=True)
class _Column:
    """A column of a source file: its name there, its SQL name in the reader, and its type."""

    name: str
    sql: str
    type: str


@dataclass(frozen=True)
class _SourceFile:
    """A readable file: SQL that gives `source_row` and the columns, with its parameters."""

    path: Path
    name: str
    table: str
    content_hash: str
    columns: tuple[_Column, ...]
    reader: str
    parameters: dict[str, Any]


@dataclass
class _Command:
    """What one ingest has found and written so far."""

    mapping: Mapping
    lake: Lake
    con: duckdb.DuckDBPyConnection
    stack: ExitStack
    tell: Progress
    warnings: list[str] = field(default_factory=list)
    rows: dict[str, StagedFile] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    series: dict[str, None] = field(default_factory=dict)

    def stage(self, staged: StagedFile) -> StagedFile:
        self.stack.callback(staged.discard)
        return staged


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
    _check_week_end(mapping, lake)
    matched, unmatched = _match_files(source, mapping, lake)
    completed = complete_loads(lake)
    landed = _landed_hashes(lake)
    skipped: list[SkippedFile] = []
    with _connect(lake, memory_limit, threads) as con, ExitStack() as stack:
        command = _Command(mapping, lake, con, stack, tell)
        clock = _Clock(now or datetime.now(UTC), lake)
        for table, path, name in matched:
            tell(f"reading {name}")
            found = _open(path, name, table, mapping, con)
            key = (f"raw_{table}", found.content_hash)
            if key in landed:
                skipped.append(SkippedFile(key[0], name, landed[key]))
                continue
            landed[key] = _stage_load(found, command, clock)
        if not any(name == "raw_sales" for name, _ in landed):
            raise UserError(
                "there is no row of sales, neither in the files nor landed before",
                where=str(source),
                fix="ingest the sales files first",
            )
        levels = _series_levels(command)
        settings_id, settings = _stage_settings(command, levels, clock)
        files: list[StagedFile] = []
        for load_id, record in command.records.items():
            if settings and record["table_name"] == "raw_sales" and settings not in files:
                files.append(settings)
            staged = command.stage(lake.stage("raw_loads", [record], load_id))
            files += [command.rows[load_id], staged]
        if settings and settings not in files:
            files.append(settings)
        tell("landing")
        # A kill between two of these leaves at most rows whose record the next command adds.
        for file in files:
            file.publish()
    loads = tuple(
        LandedLoad(load_id, record["table_name"], record["source_file"], record["n_rows"])
        for load_id, record in command.records.items()
    )
    return IngestResult(
        loads=loads,
        skipped=tuple(skipped),
        unmatched=tuple(unmatched),
        settings_id=settings_id,
        settings_changed=settings is not None,
        completed=tuple(completed),
        warnings=tuple(command.warnings),
    )


def retract(load_id: str, lake: Lake, reason: str) -> None:
    """Take back a load: its rows stay in the lake and no model counts them any more.

    Raises:
        UserError: There is no such load, or it is retracted already.
    """
    complete_loads(lake)
    retracted = set(lake.read("raw_retractions")["load_id"].to_pylist())
    loads = {row["load_id"]: row for row in lake.read("raw_loads").to_pylist()}
    if load_id not in loads or load_id in retracted:
        newest = sorted(set(loads) - retracted, reverse=True)[:5]
        lines = [
            f"{name} ({loads[name]['table_name']}, {loads[name]['source_file']},"
            f" {loads[name]['n_rows']} rows)"
            for name in newest
        ]
        problem = "is retracted already" if load_id in retracted else "does not exist"
        raise UserError(
            f"the load {load_id!r} {problem}",
            where=str(lake.folder("raw_loads")),
            fix="newest loads that can be retracted: " + ("; ".join(lines) or "none"),
        )
    row = {
        "load_id": load_id,
        "retracted_at": utc_naive(datetime.now(UTC)),
        "reason": reason,
    }
    lake.append("raw_retractions", [row], load_id)


def complete_loads(lake: Lake) -> list[str]:
    """Give the rows that a killed command left without a record their row in `raw_loads`.

    Returns:
        Ids of the loads that were completed.
    """
    known = {path.stem for path in lake.files("raw_loads")}
    completed = []
    for table in LANDING_ORDER:
        for path in lake.files(f"raw_{table}"):
            if path.stem in known:
                continue
            footer = lake.file_metadata(f"raw_{table}", path.stem)
            if _LOAD_KEY not in footer:
                continue
            record = json.loads(footer[_LOAD_KEY])
            record["loaded_at"] = datetime.fromisoformat(record["loaded_at"])
            record["n_rows"] = pq.read_metadata(path).num_rows
            lake.append("raw_loads", [record], path.stem)
            completed.append(path.stem)
    return completed


class _Clock:
    """Ids that sort after every one in the lake, also when the clock was set back."""

    def __init__(self, now: datetime, lake: Lake) -> None:
        names = [path.stem for path in lake.files("raw_loads") + lake.files("settings")]
        stamps = [name.split("-")[0] for name in names]
        past = [datetime.strptime(stamp, "%Y%m%dt%H%M%S%f") for stamp in stamps if _is_stamp(stamp)]
        self._next = max([utc_naive(now), *(moment + timedelta(microseconds=1) for moment in past)])

    def tick(self) -> tuple[str, datetime]:
        """A new id and its moment."""
        moment = self._next
        self._next = moment + timedelta(microseconds=1)
        return sortable_id(moment), moment


def _is_stamp(text: str) -> bool:
    return re.fullmatch(r"[0-9]{8}t[0-9]{12}", text) is not None


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


# Which files there are


def _match_files(
    source: Path, mapping: Mapping, lake: Lake
) -> tuple[list[tuple[str, Path, str]], list[str]]:
    """Files as (table, path, name in messages and rows), in landing order, and those unmatched."""
    if not source.exists():
        raise UserError(
            "there is no such file or folder",
            where=str(source),
            fix="give the folder that holds the files of the source",
        )
    tables = mapping.tables.present()
    by_path: dict[Path, list[str]] = {}
    try:
        if source.is_file():
            base, present = source.parent, [source]
            by_path[source] = [
                name
                for name, table in tables.items()
                if any(source.absolute().match(pattern) for pattern in table.file)
            ]
        else:
            base, present = source, [p for p in sorted(source.iterdir()) if p.name[0] != "."]
            for name, table in tables.items():
                for path in {p for pattern in table.file for p in source.glob(pattern)}:
                    if path.is_file() and path.name[0] != ".":
                        by_path.setdefault(path, []).append(name)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(source)) from error
    matched = []
    for path, names in by_path.items():
        if len(names) > 1:
            raise UserError(
                f"the file matches the patterns of more than one table: {' and '.join(names)}",
                where=str(path),
                fix=f"make tables.*.file in {mapping.path} narrower",
            )
        matched += [(names[0], path, path.relative_to(base).as_posix())] if names else []
    matched.sort(key=lambda item: (LANDING_ORDER.index(item[0]), item[2]))
    _check_sales_present(source, mapping, lake, {item[0] for item in matched}, present)
    unmatched = [p.name for p in present if p.is_file() and p not in {m[1] for m in matched}]
    return matched, unmatched


def _check_sales_present(
    source: Path, mapping: Mapping, lake: Lake, tables: set[str], present: Sequence[Path]
) -> None:
    if "sales" in tables or (source.is_file() and tables and lake.files("raw_sales")):
        return
    names = [path.name for path in present]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    patterns = ", ".join(mapping.tables.sales.file)
    raise UserError(
        f"no file matches the sales pattern of mapping {mapping.name}: {patterns}",
        where=f"{source}; found: {shown or 'nothing'}",
        fix=f"name the file so, change tables.sales.file in {mapping.path}, or give --mapping",
    )


# Reading one file


def _open(
    path: Path, name: str, table: str, mapping: Mapping, con: duckdb.DuckDBPyConnection
) -> _SourceFile:
    kind = path.name.lower()
    wanted = list(mapping.tables.present()[table].source_columns().values())
    try:
        if kind.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")):
            return _open_csv(path, name, table, wanted)
        if kind.endswith((".parquet", ".pq")):
            return _open_parquet(path, name, table, con)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    raise UserError(
        "the file is neither CSV nor Parquet by its name",
        where=str(path),
        fix="end the name in .csv, .csv.gz or .parquet, or narrow the pattern "
        f"tables.{table}.file in {mapping.path}",
    )


def _open_csv(path: Path, name: str, table: str, wanted: Sequence[str]) -> _SourceFile:
    content_hash, head = _scan_text(path)
    if not head.strip():
        raise UserError("the file is empty", where=str(path), fix="give a header and rows")
    headers = [_header(head, delimiter) for delimiter in _DELIMITERS]
    # The delimiter is the one under which most of the wanted columns are found.
    found = [(len(set(wanted) & set(header)), len(header)) for header in headers]
    best = found.index(max(found))
    header = headers[best]
    if not any(header):
        raise UserError(
            "the first line is blank",
            where=str(path),
            fix="start the file with the names of its columns",
        )
    if any("\0" in title for title in header):
        raise _not_utf8(path, True, 1, 1)
    # DuckDB takes the first line end of the file for the one that ends its rows.
    if broken := [title for title in header if "\n" in title or "\r" in title]:
        raise UserError(
            f"the name of a column holds a line break: {broken[0]!r}",
            where=f"{path}, header",
            fix="write each name on one line",
        )
    columns = ", ".join(f"c{index}: 'varchar'" for index in range(len(header)))
    compression = "gzip" if path.name.lower().endswith(".gz") else "none"
    reader = (
        f"select row_number() over () as source_row, * from read_csv($path, auto_detect = false,"
        f" header = true, columns = {{{columns}}}, delim = {sql_text(_DELIMITERS[best])},"
        " quote = '\"', escape = '\"', strict_mode = true,"
        f" compression = '{compression}')"
    )
    return _SourceFile(
        path,
        name,
        table,
        content_hash,
        tuple(_Column(title, f"c{i}", "VARCHAR") for i, title in enumerate(header)),
        reader,
        {"path": glob.escape(str(path))},
    )


def _open_parquet(path: Path, name: str, table: str, con: duckdb.DuckDBPyConnection) -> _SourceFile:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    source = (
        "read_parquet($path, file_row_number = true, binary_as_string = true,"
        " hive_partitioning = false)"
    )
    parameters = {"path": glob.escape(str(path))}
    try:
        titles = pq.read_schema(path).names
        described = con.execute(f"describe select * from {source}", parameters).fetchall()
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        raise UserError(
            f"the file is not readable Parquet: {_first_line(error)}",
            where=str(path),
            fix="write or copy the file again",
        ) from error
    columns = tuple(
        _Column(title.strip(), f"c{i}", str(row[1]))
        for i, (title, row) in enumerate(zip(titles, described, strict=False))
    )
    aliases = ", ".join(["source_row", *(column.sql for column in columns)])
    reader = (
        f"select {aliases} from (select file_row_number + 1, * exclude (file_row_number)"
        f" from {source}) as file({aliases})"
    )
    return _SourceFile(path, name, table, hasher.hexdigest(), columns, reader, parameters)


def _scan_text(path: Path) -> tuple[str, str]:
    """Hash of the unpacked bytes, and the beginning of the text; refuses what is not UTF-8."""
    packed = path.name.lower().endswith(".gz")
    hasher = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = b""
    n_bytes = n_lines = 0
    with path.open("rb") as file:
        magic = file.read(4)
    if (not packed and magic[:2] in (b"\x1f\x8b", b"PK")) or magic == b"PAR1":
        kind = {b"\x1f\x8b": "gzip", b"PK": "zip", b"PA": "Parquet"}[magic[:2]]
        raise UserError(
            f"the file is {kind} although its name says otherwise",
            where=str(path),
            fix="unpack it, or name it .csv.gz or .parquet after what it is",
        )
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                head = head or chunk
                hasher.update(chunk)
                waiting = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    start = error.start - waiting
                    line = n_lines + _line_ends(chunk[: max(start, 0)]) + 1
                    utf16 = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
                    raise _not_utf8(path, utf16, line, n_bytes + start + 1) from error
                n_bytes += len(chunk)
                n_lines += _line_ends(chunk)
            if rest := decoder.getstate()[0]:
                raise _not_utf8(path, False, n_lines + 1, n_bytes - len(rest) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = isinstance(error, EOFError)
        raise UserError(
            "the gzip file ends too early" if cut else f"the file is not valid gzip: {error}",
            where=str(path),
            fix="copy or download the file again" + ("" if cut else "; name it .csv if it is text"),
        ) from error
    return hasher.hexdigest(), head.decode("utf-8", errors="ignore").removeprefix("\ufeff")


def _not_utf8(path: Path, utf16: bool, line: int, byte: int) -> UserError:
    return UserError(
        "the file is UTF-16, not UTF-8" if utf16 else "the file is not UTF-8 text",
        where=f"{path}, line {line}, byte {byte}",
        fix="save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')",
    )


def _line_ends(chunk: bytes) -> int:
    return chunk.count(b"\n") or chunk.count(b"\r")


def _header(head: str, delimiter: str) -> list[str]:
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    return [title.strip() for title in next(lines, [])]


def _told_reading(error: duckdb.Error, source: _SourceFile) -> UserError | RunError:
    """What DuckDB said about a file, in words that a person can act on."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return RunError(
            f"not enough memory to land the file: {_first_line(error)}",
            where=str(source.path),
            fix="free some memory or split the file",
        )
    line = re.search(r"CSV Error on Line: (\d+)", text)
    where = f"{source.path}, line {line[1]}" if line else str(source.path)
    if ragged := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text):
        what = f"a row has {ragged[2]} values, the header has {ragged[1]}"
        return UserError(what, where=where, fix="put values that hold the delimiter in quotes")
    if "unterminated quote" in text or "Maximum line size" in text:
        what = "a quote is not closed, or text follows it"
        return UserError(what, where=where, fix='close it; write a quote inside a value as ""')
    if "state machine" in text:
        what = "the file is not regular CSV; line ends may be mixed (LF, CRLF, CR)"
        return UserError(what, where=where, fix="write the file with one kind of line end")
    return UserError(f"the file cannot be read: {_first_line(error)}", where=where)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]


# From the columns of a file to the rows of the lake


def _stage_load(source: _SourceFile, command: _Command, clock: _Clock) -> str:
    """Write the rows of a file to a temporary file and judge them; returns the load id."""
    load_id, moment = clock.tick()
    mapping, lake = command.mapping, command.lake
    table = mapping.tables.present()[source.table]
    _check_columns(source, table, mapping)
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
        query = _landing_query(source, table, command, parameters)
        staged = command.stage(
            lake.stage_query(
                command.con,
                lake_table,
                query,
                _used(parameters, query),
                load_id,
                {_LOAD_KEY: json.dumps({**record, "loaded_at": moment.isoformat()})},
            )
        )
    except duckdb.Error as error:
        raise _told_reading(error, source) from error
    if not staged.n_rows:
        raise UserError(
            "the file has a header but no row",
            where=str(source.path),
            fix="export the file again, or take it out of the folder",
        )
    _check_values(source, staged, command)
    command.rows[load_id] = staged
    command.records[load_id] = {**record, "n_rows": staged.n_rows}
    command.tell(f"read {source.name}: {staged.n_rows:,} rows for {lake_table}")
    return load_id


def _check_columns(source: _SourceFile, table: TableMapping, mapping: Mapping) -> None:
    titles = [column.name for column in source.columns]
    shown = ", ".join(titles[:50])
    if twice := sorted({title for title in titles if title and titles.count(title) > 1}):
        raise UserError(
            f"the header names a column more than once: {', '.join(twice)}",
            where=str(source.path),
            fix="give each column a name of its own",
        )
    missing = {
        name: title
        for name, title in table.source_columns().items()
        if title not in titles and name not in table.optional
    }
    if not missing:
        return
    needed = ", ".join(f"{title!r} (for {name})" for name, title in missing.items())
    by_lower = {title.lower(): title for title in titles}
    hints = []
    for name, title in missing.items():
        if near := difflib.get_close_matches(title.lower(), list(by_lower), n=1):
            key = name if name.startswith("series.") else f"columns.{name}"
            hints.append(f"tables.{source.table}.{key}: {by_lower[near[0]]!r}")
    fix = f"correct tables.{source.table} in {mapping.path} or the header"
    raise UserError(
        f"the file lacks a column that the mapping {mapping.name} names: {needed}",
        where=f"{source.path}; columns found: {shown}",
        fix=f"did you mean {', '.join(hints)}? {fix}" if hints else fix,
    )


def _landing_query(
    source: _SourceFile, table: TableMapping, command: _Command, parameters: dict[str, Any]
) -> str:
    by_title = {column.name: column for column in source.columns}
    comma = command.mapping.decimal_sign == ","
    selected = []
    for name in LAKE_SCHEMAS[f"raw_{source.table}"]:
        if name in ("series_name", "value"):
            continue
        if name == "load_id":
            break
        if name in table.constants:
            parameters[f"constant_{name}"] = table.constants[name]
            sql = f"$constant_{name}"
        elif table.columns.get(name) in by_title:
            column = by_title[table.columns[name]]
            sql = _date(column) if name in _DATES else _value(column)
            sql = _decimal_point(sql, column) if comma and name in _NUMBERS else sql
        else:
            sql = "null"
        selected.append(f'{sql} as "{name}"')
    if isinstance(table, RelatedTable):
        series = _series_columns(source, table, command)
        parameters["series_names"] = list(series)
        command.series |= dict.fromkeys(series)
        values = [
            _flag(_decimal_point(_value(c), c) if comma else _value(c)) for c in series.values()
        ]
        selected += [
            "unnest($series_names) as series_name",
            f"unnest([{', '.join(values)}]) as value",
        ]
    selected += [
        "$load_id as load_id",
        "$loaded_at::timestamp as loaded_at",
        "$source_file as source_file",
        "source_row",
    ]
    return f"select {', '.join(selected)} from ({source.reader})"


def _series_columns(
    source: _SourceFile, table: RelatedTable, command: _Command
) -> dict[str, _Column]:
    by_title = {column.name: column for column in source.columns}
    if not isinstance(table.series, str):
        return {name: by_title[spec.column or name] for name, spec in table.series.items()}
    others = [c for c in source.columns if c.name and c.name not in table.columns.values()]
    comma = command.mapping.decimal_sign == ","
    parameters = {**source.parameters, "null_texts": ["", *command.mapping.null_texts]}
    counts = ["count(*)"]
    for column in others:
        value = _flag(_decimal_point(_value(column), column) if comma else _value(column))
        counts += [f"count({value})", f"count_if({_is_number(value)})"]
    query = f"select {', '.join(counts)} from ({source.reader})"
    result = command.con.execute(query, _used(parameters, query)).fetchone() or ()
    numeric, rest = {}, []
    for column, n_values, n_numbers in zip(others, result[1::2], result[2::2], strict=True):
        if n_numbers and 2 * n_numbers >= n_values:
            numeric[column.name] = column
        else:
            rest.append(column.name)
    if rest:
        command.warnings.append(
            f"{source.name}: not landed as series, because they hold no numbers: {', '.join(rest)}"
        )
    if not numeric and result and result[0]:
        raise UserError(
            "the file has no numeric column to take as a related series",
            where=f"{source.path}; columns found: {', '.join(c.name for c in source.columns)}",
            fix=f"take it away, or narrow tables.related.file in {command.mapping.path}",
        )
    return numeric


def _text(column: _Column) -> str:
    """SQL for the plain text of a column."""
    name, kind = column.sql, column.type
    if kind == "VARCHAR":
        return name
    if kind in ("DOUBLE", "FLOAT"):
        # A key that a data frame made a float must stay 7 and not become 7.0; NaN is no value.
        return (
            f"case when isnan({name}) then null when {name} = trunc({name}) and abs({name}) < 1e30"
            f" then cast(cast({name} as hugeint) as varchar) else cast({name} as varchar) end"
        )
    if kind.startswith("TIMESTAMP"):
        moment = f"cast({name} as timestamp)"
        return (
            f"case when {moment} = date_trunc('day', {moment}) then strftime({moment}, '%Y-%m-%d')"
            f" else cast({moment} as varchar) end"
        )
    return f"cast({name} as varchar)"


def _value(column: _Column) -> str:
    """SQL for the text of a column, null where it is one of the null texts."""
    text = _text(column)
    return f"case when list_contains($null_texts, {text}) then null else {text} end"


def _date(column: _Column) -> str:
    """SQL for a date as ISO text, or for the text as it is where it is no date."""
    text = _text(column)
    if column.type == "DATE":
        return text
    parsed = f"try_strptime({text}, $date_format)"
    # The digit keeps out words that strptime takes, such as 'epoch'.
    good = f"year({parsed}) between 1900 and 2199 and regexp_matches({text}, '[0-9]')"
    if column.type.startswith("TIMESTAMP"):
        good += f" and not regexp_matches({text}, '{_ISO_DATE}')"
    return (
        f"case when list_contains($null_texts, {text}) then null"
        f" when {good} then strftime({parsed}, '%Y-%m-%d') else {text} end"
    )


def _decimal_point(sql: str, column: _Column) -> str:
    """SQL that turns 1.234,50 into 1234.50; typed numbers have a point already."""
    if column.type != "VARCHAR":
        return sql
    return (
        f"case when regexp_matches({sql}, '{_COMMA_NUMBER}')"
        f" then replace(replace({sql}, '.', ''), ',', '.') else {sql} end"
    )


def _flag(sql: str) -> str:
    return f"case lower(trim({sql})) when 'true' then '1' when 'false' then '0' else {sql} end"


def _is_number(sql: str) -> str:
    return f"regexp_matches(trim({sql}), '{_NUMBER}')"


def _is_date(sql: str) -> str:
    return f"(regexp_matches({sql}, '{_ISO_DATE}') and try_cast({sql} as date) is not null)"


def _used(parameters: dict[str, Any], query: str) -> dict[str, Any]:
    """The parameters that a query names; DuckDB refuses any other."""
    names = set(re.findall(r"\$([a-z_]+)", query))
    return {name: value for name, value in parameters.items() if name in names}


# Does the mapping fit what was read


def _check_values(source: _SourceFile, staged: StagedFile, command: _Command) -> None:
    """Refuse a file most of whose dates or numbers make no sense under the mapping."""
    if source.table not in ("sales", "related"):
        return
    path = {"path": glob.escape(str(staged.path))}
    rows = "read_parquet($path, hive_partitioning = false)"
    good_date = _is_date('"date"')
    bad = command.con.execute(
        f"select count_if(coalesce(not {good_date}, true)), count(*) from {rows}", path
    ).fetchone() or (0, 0)
    if 2 * bad[0] > bad[1]:
        _refuse_dates(source, command, path, f"from {rows} where coalesce(not {good_date}, true)")
    value, by = ("sales", "'sales'") if source.table == "sales" else ("value", "series_name")
    query = (
        f'select {by}, count("{value}"), count(*) filter (not {_is_number(value)})'
        f" from {rows} group by 1"
    )
    for name, n_values, n_bad in command.con.execute(query, path).fetchall():
        if 2 * n_bad > n_values:
            where = f"from {rows} where {by} = $name and not {_is_number(value)}"
            _refuse_numbers(source, command, {**path, "name": name}, value, where)
        if not n_values and source.table == "sales":
            raise UserError(
                "the file has no value of sales at all",
                where=f"{source.path}, column {command.mapping.tables.sales.columns['sales']!r}",
                fix=f"correct tables.sales.columns.sales or null_texts in {command.mapping.path}",
            )
    _check_weekdays(source, command, path, f"from {rows} where {good_date}")


def _examples(
    command: _Command, column: str, parameters: dict[str, Any], where: str
) -> tuple[list[str], int | None]:
    """Three bad values in the order of the file, and the row of the first one."""
    found = command.con.execute(
        f'select "{column}", min(source_row) {where} and "{column}" is not null'
        " group by 1 order by 2 limit 3",
        parameters,
    ).fetchall()
    return [row[0] for row in found], found[0][1] if found else None


def _refuse_dates(
    source: _SourceFile, command: _Command, parameters: dict[str, Any], where: str
) -> None:
    mapping = command.mapping
    title = mapping.tables.present()[source.table].columns["date"]
    values, row = _examples(command, "date", parameters, where)
    if not values:
        raise UserError(
            "most dates of the file are empty",
            where=f"{source.path}, column {title!r}",
            fix=f"correct tables.{source.table}.columns.date or null_texts in {mapping.path}",
        )
    fitting = [
        f for f in _OTHER_DATE_FORMATS if f != mapping.date_format and _fits(command, values, f)
    ]
    hint = f", for example {' or '.join(repr(f) for f in fitting[:2])}" if fitting else ""
    raise UserError(
        f"most dates do not fit the date format {mapping.date_format!r}: "
        + ", ".join(repr(value) for value in values),
        where=f"{source.path}, column {title!r}, from row {row} on",
        fix=f"set date_format in {mapping.path}{hint}",
    )


def _fits(command: _Command, values: list[str], date_format: str) -> bool:
    row = command.con.execute(
        "select bool_and(coalesce(year(try_strptime(v, $f)) between 1900 and 2199, false))"
        " from unnest($values) as t(v)",
        {"f": date_format, "values": values},
    ).fetchone()
    return bool(row and row[0])


def _refuse_numbers(
    source: _SourceFile,
    command: _Command,
    parameters: dict[str, Any],
    column: str,
    where: str,
) -> None:
    mapping = command.mapping
    columns = mapping.tables.present()[source.table].source_columns()
    name = parameters.pop("name")
    query_where = where.replace("$name", sql_text(name))
    values, row = _examples(command, column, parameters, query_where)
    title = columns.get("sales" if column == "sales" else f"series.{name}", name)
    sign = mapping.decimal_sign == "." and all(re.search(r"^[^,]*,\d+$", v) for v in values)
    settings = "decimal_sign: ','" if sign else "decimal_sign, null_texts or the column"
    raise UserError(
        f"most values of {name} are no numbers under the mapping: "
        + ", ".join(repr(value) for value in values),
        where=f"{source.path}, column {title!r}, from row {row} on",
        fix=f"set {settings} in {mapping.path}, or write the numbers without thousands signs",
    )


def _check_weekdays(
    source: _SourceFile, command: _Command, parameters: dict[str, Any], where: str
) -> None:
    mapping = command.mapping
    found = command.con.execute(
        f'select isodow(cast("date" as date)), count(*), count(distinct "date") {where}'
        " group by 1 order by 2 desc",
        parameters,
    ).fetchall()
    n_rows = sum(row[1] for row in found)
    if not n_rows:
        return
    most = WEEKDAYS[found[0][0] - 1]
    if mapping.grain == "daily":
        if source.table == "sales" and len(found) == 1 and found[0][2] >= 4:
            command.warnings.append(
                f"{source.name}: all {found[0][2]} dates are a {most}, but the mapping says grain: "
                "daily; weekly data needs grain: weekly, or no week is complete"
            )
        return
    expected = mapping.label_weekday
    title = mapping.tables.present()[source.table].columns["date"]
    n_expected = sum(row[1] for row in found if WEEKDAYS[row[0] - 1] == expected)
    if 2 * (n_rows - n_expected) <= n_rows:
        return
    if 2 * found[0][1] > n_rows:
        last = WEEKDAYS[(WEEKDAYS.index(most) - (mapping.week_label == "start")) % 7]
        raise UserError(
            f"most dates are a {most}, but the mapping says that weeks are named by their "
            f"{mapping.week_label}, a {expected}",
            where=f"{source.path}, column {title!r}",
            fix=f"set week_ends_on: {last} in {mapping.path} if the date is the "
            f"{mapping.week_label} of the week, or change week_label",
        )
    if source.table == "sales":
        raise UserError(
            f"the mapping says grain: weekly, but the dates fall on {len(found)} weekdays, most "
            f"often {most}; expected {expected}",
            where=f"{source.path}, column {title!r}",
            fix=f"set grain: daily in {mapping.path}",
        )


def _check_week_end(mapping: Mapping, lake: Lake) -> None:
    current = _newest_settings(lake)[1]
    landed = {
        value for section, _, key, value in current if (section, key) == ("source", "week_ends_on")
    }
    if landed and landed != {mapping.week_ends_on} and lake.has_rows("forecasts"):
        raise UserError(
            f"week_ends_on is {mapping.week_ends_on}, but this home has forecasts for weeks that "
            f"end on {landed.pop()}",
            where=f"{mapping.path}: week_ends_on",
            fix="keep the weekday, or start a new home (SALESCAST_HOME) for other weeks",
        )


# Loads and settings that are in the lake


def _landed_hashes(lake: Lake) -> dict[tuple[str, str], str]:
    """Load id of each content that is landed and not retracted, by table and hash."""
    retracted = set(lake.read("raw_retractions")["load_id"].to_pylist())
    return {
        (row["table_name"], row["content_hash"]): row["load_id"]
        for row in lake.read("raw_loads").to_pylist()
        if row["load_id"] not in retracted
    }


def _series_levels(command: _Command) -> dict[str, Level]:
    """Level of each related series in the landing: those registered, then new ones."""
    lake, con = command.lake, command.con
    if command.mapping.tables.related is None:
        return {}
    parts = [
        f"select series_name, department from ({lake.scan_sql('raw_related')}) where load_id not in"
        f" (select load_id from ({lake.scan_sql('raw_retractions')}))"
    ]
    for load_id, staged in command.rows.items():
        if command.records[load_id]["table_name"] == "raw_related":
            path = sql_text(glob.escape(str(staged.path)))
            parts.append(f"select series_name, department from read_parquet({path})")
    found = con.execute(
        "select series_name, bool_or(department is not null) from ("
        + " union all ".join(parts)
        + ") group by 1 order by 1"
    ).fetchall()
    levels: dict[str, Level] = {row[0]: "department" if row[1] else "store" for row in found}
    registered = sorted(
        (int(value or 0), name)
        for section, name, key, value in _newest_settings(lake)[1]
        if (section, key) == ("related_series", "position")
    )
    order = [*(name for _, name in registered), *command.series, *levels]
    return {name: levels[name] for name in dict.fromkeys(order) if name in levels}


def _newest_settings(lake: Lake) -> tuple[str, list[tuple[str, str, str, str | None]]]:
    rows = lake.read("settings").to_pylist()
    newest = max((row["settings_id"] for row in rows), default="")
    return newest, [
        (row["section"], row["name"], row["attribute"], row["value"])
        for row in rows
        if row["settings_id"] == newest
    ]


def _stage_settings(
    command: _Command, levels: dict[str, Level], clock: _Clock
) -> tuple[str, StagedFile | None]:
    """Newest settings id, and the file of new settings where they differ from the landed ones."""
    newest, current = _newest_settings(command.lake)
    wanted = command.mapping.settings_rows(levels)
    related = command.mapping.tables.related
    if related and not isinstance(related.series, str) and not levels:
        command.warnings.append("none of the related series of the mapping is landed or registered")
    if sorted(map(str, wanted)) == sorted(map(str, current)):
        return newest, None
    settings_id, moment = clock.tick()
    keys = ("section", "name", "attribute", "value")
    rows = [
        {"settings_id": settings_id, "landed_at": moment, **dict(zip(keys, row, strict=True))}
        for row in wanted
    ]
    return settings_id, command.stage(command.lake.stage("settings", rows, settings_id))
