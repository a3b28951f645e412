"""Opening one file: its kind, encoding, delimiter and header, and SQL that reads its rows."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from salescast.errors import RunError, UserError
from salescast.ingest.text_files import CHUNK, TextFile, patched_copy, read_text, without_lines
from salescast.ingest.value_sql import Column
from salescast.ingest.wide_files import WideColumns, wide_columns
from salescast.mapping import AS_WRITTEN, Mapping
from salescast.sql_text import file_pattern, quoted_text

DELIMITERS = (",", ";", "\t", "|")
_TEXT_NAMES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?[;,\t ]*$', re.I)
# Lines in which a header is looked for that is not where it should be.
_N_LINES_BEFORE_HEADER = 50
# What stands in a line that cannot be read; longer ones are cut.
_MAX_LINE = 10_000
_OTHER_KINDS = {
    (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"): (
        "the file is a spreadsheet, which is not read",
        "save its sheet as 'CSV UTF-8' (File, Save as), and ingest that",
    ),
    (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz"): (
        "the file is an archive, which is not read",
        "unpack it, and ingest the files in it; a single file may be packed as .csv.gz",
    ),
    (".json", ".jsonl", ".xml", ".html", ".pdf"): (
        "the file is not a table of rows and columns",
        "export it as CSV",
    ),
}


@dataclass(frozen=True)
class SourceFile:
    """A readable file: SQL that gives its rows, with its parameters.

    Attributes:
        path: The file.
        name: Its name in messages and rows.
        table: Table of the mapping that it belongs to.
        content_hash: SHA-256 of its unpacked bytes.
        columns: Its columns; those of a wide file that became rows are not among them.
        rows: SQL of `source_row`, `unreadable_line` and the columns as they stand in the file.
        parameters: Values of the reader's parameters.
        text: The text that `rows` reads; None for Parquet, as is its layout.
        layout: How that text is cut into rows and columns.
        wide: How the columns of a wide file become rows.
        unreadable: Lines that were set aside, with their numbers.
    """

    path: Path
    name: str
    table: str
    content_hash: str
    columns: tuple[Column, ...]
    rows: str
    parameters: dict[str, Any]
    text: TextFile | None = None
    layout: _Layout | None = None
    wide: WideColumns | None = None
    unreadable: tuple[tuple[int, str], ...] = field(default=())

    @property
    def reader(self) -> str:
        """SQL that gives `source_row`, `unreadable_line` and the columns."""
        return self.wide.reader(self.rows, self.columns) if self.wide else self.rows

    @property
    def every_column(self) -> tuple[Column, ...]:
        """All columns of the reader, those that a wide file's columns became included."""
        return (*self.columns, *(self.wide.columns.values() if self.wide else ()))

    def column_of(self, name: str, titles: dict[str, str]) -> Column | None:
        """The column that gives one of our names, such as sales, or None where there is none.

        Args:
            name: Our name.
            titles: Columns of the file by our names, as the mapping gives them.
        """
        if self.wide and name in self.wide.columns:
            return self.wide.columns[name]
        title = titles.get(name)
        return next((each for each in self.columns if each.name == title), None)

    def title_of(self, sql: str) -> str:
        """The name that a column of the file has there, by its SQL name."""
        cells = self.wide.cells if self.wide else ()
        return next((each.name for each in (*self.columns, *cells) if each.sql == sql), sql)

    def place(self, source_row: int) -> str:
        """A row as messages name it; in a wide file also the column."""
        return self.wide.place(source_row) if self.wide else f"row {source_row}"


@dataclass(frozen=True)
class _Layout:
    """How a text file is cut into rows and columns."""

    n_columns: int
    delimiter: str
    n_lines_before: int

    @property
    def columns(self) -> list[str]:
        """SQL names of all columns, in their order."""
        return [f"c{index}" for index in range(self.n_columns)]

    def rows(self, is_packed: bool, options: str = "", token: str | None = None) -> str:
        """SQL of the rows; lines that begin with the token are unreadable ones."""
        names = self.columns
        types = ", ".join(f"{name}: 'varchar'" for name in names)
        source = (
            f"read_csv($path, auto_detect = false, header = true, columns = {{{types}}},"
            f" delim = {quoted_text(self.delimiter)}, quote = '\"', escape = '\"',"
            f" strict_mode = true,"
            f" compression = '{'gzip' if is_packed else 'none'}'{options})"
        )
        if token is None:
            line, columns = "cast(null as varchar)", names
        else:
            is_line = f"starts_with(c0, '{token}')"
            line = f"case when {is_line} then substr(c0, {len(token) + 1}) end"
            columns = [f"case when {is_line} then null else c0 end as c0", *names[1:]]
        return (
            f"select row_number() over () as source_row, {line} as unreadable_line,"
            f" {', '.join(columns)} from {source}"
        )


def open_source_file(
    path: Path,
    name: str,
    table: str,
    mapping: Mapping,
    con: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> SourceFile:
    """Look into a file and say how to read it.

    Args:
        path: The file.
        name: Its name in messages and rows.
        table: Table of the mapping that it belongs to, such as `sales`.
        mapping: What the files look like.
        con: Connection that reads Parquet schemas.
        scratch: Folder for a copy as UTF-8, which is needed as long as the file is read.

    Raises:
        UserError: The file is empty, broken, in another encoding or neither CSV nor Parquet.
    """
    kind = path.name.lower()
    try:
        if kind.endswith(_TEXT_NAMES):
            found = _open_csv(path, name, table, mapping, scratch)
        elif kind.endswith((".parquet", ".pq")):
            found = _open_parquet(path, name, table, mapping, con)
        else:
            raise _other_kind(path, table, mapping)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    wide = wide_columns(path, table, found.columns, mapping, con)
    if wide is None:
        return found
    return replace(
        found,
        columns=tuple(each for each in found.columns if each not in wide.cells),
        parameters={**found.parameters, **wide.parameters},
        wide=wide,
    )


def _other_kind(path: Path, table: str, mapping: Mapping) -> UserError:
    for endings, (what, fix) in _OTHER_KINDS.items():
        if path.name.lower().endswith(endings):
            return UserError(what, where=str(path), fix=fix)
    return UserError(
        "the file is neither CSV nor Parquet by its name",
        where=str(path),
        fix="end the name in .csv, .csv.gz or .parquet, or narrow the pattern "
        f"tables.{table}.file in {mapping.path}",
    )


def _open_csv(path: Path, name: str, table: str, mapping: Mapping, scratch: Path) -> SourceFile:
    described = mapping.tables.present()[table]
    key = f"tables.{table}.encoding in {mapping.path}"
    text = read_text(path, described.encoding, key, scratch)
    if not text.head.strip():
        raise UserError("the file is empty", where=str(path), fix="give a header and rows")
    lines = _lines(text.head)
    separator = SEPARATOR_LINE.match(lines[0].rstrip("\r\n"))
    n_before = described.skip_lines or (1 if separator else 0)
    delimiters = (separator[1],) if separator else DELIMITERS
    wanted = described.named_columns()
    header, delimiter = _best_header(text.head, lines, n_before, delimiters, wanted)
    _check_header_place(path, table, mapping, lines, n_before, header)
    if not any(header):
        raise UserError(
            "the first line is blank" if not n_before else f"line {n_before + 1} is blank",
            where=str(path),
            fix="start the file with the names of its columns, or set "
            f"tables.{table}.skip_lines in {mapping.path} to the number of lines before them",
        )
    # DuckDB takes the first line end of the file for the one that ends its rows.
    if broken := [title for title in header if "\n" in title or "\r" in title]:
        raise UserError(
            f"the name of a column holds a line break: {broken[0]!r}",
            where=f"{path}, header",
            fix="write each name on one line",
        )
    text = without_lines(text, lines[:n_before], scratch) if n_before else text
    layout = _Layout(len(header), delimiter, n_before)
    return SourceFile(
        path,
        name,
        table,
        text.content_hash,
        tuple(Column(title, f"c{i}", "VARCHAR") for i, title in enumerate(header)),
        layout.rows(text.is_packed),
        {"path": file_pattern(text.readable)},
        text,
        layout,
    )


def _lines(head: str) -> list[str]:
    """The first lines of a text, each with its end, as DuckDB and editors count them."""
    return [each for each in re.split(r"(?<=\n)|(?<=\r)(?!\n)", head[: CHUNK // 4])[:1100] if each]


def _best_header(
    head: str, lines: list[str], n_before: int, delimiters: Sequence[str], wanted: Sequence[str]
) -> tuple[list[str], str]:
    """Names of the columns under the delimiter that finds most of the wanted ones."""
    rest = head[sum(map(len, lines[:n_before])) :]
    found = []
    for delimiter in delimiters:
        header = _header(rest, delimiter)
        found.append((len(set(wanted) & set(header)), len(header), header, delimiter))
    best = max(found, key=lambda each: each[:2])
    return best[2], best[3]


def _check_header_place(
    path: Path,
    table: str,
    mapping: Mapping,
    lines: list[str],
    n_before: int,
    header: list[str],
) -> None:
    """Refuse a file whose header stands on another line than the mapping says."""
    described = mapping.tables.present()[table]
    titles = described.source_columns()
    needed = {title for ours, title in titles.items() if ours not in described.optional}
    n_here = len(needed & set(header))
    if n_here == len(needed):
        return
    best = (max(n_here, min(2, len(titles)) - 1), 0)
    for number, line in enumerate(lines[: n_before + _N_LINES_BEFORE_HEADER]):
        for delimiter in DELIMITERS if number != n_before else ():
            found = set(_header(line, delimiter))
            n_found = len(needed & found)
            if n_found > best[0] and len(found) > 1:
                best = (n_found, number + 1)
    if best[1] and 2 * best[0] > len(needed):
        raise UserError(
            f"line {best[1]} looks like the header, not line {n_before + 1}: "
            f"{lines[best[1] - 1].strip()[:200]!r}",
            where=str(path),
            fix=f"set tables.{table}.skip_lines: {best[1] - 1} in {mapping.path}",
        )


def _header(head: str, delimiter: str) -> list[str]:
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        return [title.strip() for title in next(lines, [])]
    except csv.Error:
        # A field longer than the csv module takes is no name of a column.
        return []


def _open_parquet(
    path: Path, name: str, table: str, mapping: Mapping, con: duckdb.DuckDBPyConnection
) -> SourceFile:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    source = (
        "read_parquet($path, file_row_number = true, binary_as_string = true,"
        " hive_partitioning = false)"
    )
    parameters = {"path": file_pattern(path)}
    try:
        schema = pq.read_schema(path)
        described = con.execute(f"describe select * from {source}", parameters).fetchall()
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        raise UserError(
            f"the file is not readable Parquet: {first_line(error)}",
            where=str(path),
            fix="write or copy the file again",
        ) from error
    columns, selected = [], []
    for index, (title, row) in enumerate(zip(schema.names, described, strict=False)):
        kind, sql = str(row[1]), f"c{index}"
        if kind.startswith("TIMESTAMP") and ("TZ" in kind or "ZONE" in kind):
            kind = "TIMESTAMP"
            selected.append(f"{_wall_clock(sql, schema.field(index), mapping, con, path)} as {sql}")
        else:
            selected.append(sql)
        columns.append(Column(title.strip(), sql, kind))
    aliases = ", ".join(["source_row", *(column.sql for column in columns)])
    rows = (
        f"select source_row, cast(null as varchar) as unreadable_line, {', '.join(selected)}"
        f" from (select file_row_number + 1, * exclude (file_row_number) from {source})"
        f" as file({aliases})"
    )
    return SourceFile(path, name, table, hasher.hexdigest(), tuple(columns), rows, parameters)


def _wall_clock(
    sql: str, described: pa.Field, mapping: Mapping, con: duckdb.DuckDBPyConnection, path: Path
) -> str:
    """SQL for what a clock showed at a moment, in the zone of the mapping or of the file."""
    zone = str(getattr(described.type, "tz", None) or "UTC")
    if mapping.timezone != AS_WRITTEN:
        zone = mapping.timezone
    if offset := re.fullmatch(r"([+-])(\d\d):?(\d\d)", zone):
        minutes = (int(offset[2]) * 60 + int(offset[3])) * (-1 if offset[1] == "-" else 1)
        return f"timezone('UTC', {sql}) + interval '{minutes}' minute"
    try:
        con.execute("select timezone($zone, timestamptz '2026-01-01')", {"zone": zone})
    except duckdb.Error as error:
        raise UserError(
            f"the time zone {zone!r} of the file is not known",
            where=f"{path}, column {described.name!r}",
            fix=f"set timezone in {mapping.path} to the zone of the stores, such as Europe/Berlin",
        ) from error
    return f"timezone({quoted_text(zone)}, {sql})"


def set_lines_aside(
    source: SourceFile, error: duckdb.Error, con: duckdb.DuckDBPyConnection, scratch: Path
) -> SourceFile:
    """A file whose lines with too many or too few values are read as `unreadable_line`.

    Args:
        source: The file that could not be read.
        error: What DuckDB said about it.
        con: Connection that reads it again.
        scratch: Folder for a copy.

    Raises:
        UserError: Another fault than such lines, or most lines are such.
        RunError: The memory or the disk was not enough.
    """
    told = told_reading(error, source)
    text, layout = source.text, source.layout
    if (
        text is None
        or layout is None
        or source.table not in ("sales", "related")
        or "Expected Number of Columns" not in str(error)
    ):
        raise told from error
    name = f"rejects_{secrets.token_hex(8)}"
    options = (
        f", ignore_errors = true, store_rejects = true, rejects_table = '{name}',"
        f" rejects_scan = '{name}_scan', rejects_limit = 0"
    )
    rows = layout.rows(text.is_packed, options)
    try:
        # Each column is named, so that none is left unread.
        every = " or ".join(f"{name} is not null" for name in layout.columns)
        # All of the result is fetched: only then are the rejected lines written down.
        ((n_good, _),) = con.execute(
            f"select count(*), count_if({every}) from ({rows})",
            {"path": source.parameters["path"]},
        ).fetchall()
        found = con.execute(
            "select min(line), line_byte_position, any_value(error_type)::varchar,"
            " any_value(csv_line), max(regexp_extract(error_message, 'Found: ([0-9]+)', 1)::int)"
            f" from {name} group by line_byte_position order by line_byte_position"
        ).fetchall()
    except duckdb.Error as again:
        raise told_reading(again, source) from again
    finally:
        con.execute(f"drop table if exists {name}")
        con.execute(f"drop table if exists {name}_scan")
    if not found or any(not row[2].endswith("COLUMNS") for row in found):
        raise told from error
    _check_few(source, layout, n_good, found)
    token = secrets.token_hex(16)
    patches, lines = [], []
    for line, position, _, raw, _ in found:
        bare = raw.lstrip("\r\n")
        if "\n" in bare or "\r" in bare:
            raise UserError(
                "a quote is not closed: a value goes on over the end of its line, and the row has "
                "another number of values than the header",
                where=f"{source.path}, line {line + layout.n_lines_before}",
                fix='close it; write a quote inside a value as ""',
            ) from error
        old = bare.encode()
        # The position is that of the line end before it where blank lines were passed over.
        place = position - 1 + len(raw.encode()) - len(old)
        shown = bare[:_MAX_LINE].replace('"', '""')
        filler = f'"{token}{shown}"' + layout.delimiter * (layout.n_columns - 1)
        patches.append((place, old, filler.encode()))
        lines.append((line + layout.n_lines_before, bare))
    copy = patched_copy(text, patches, scratch)
    if copy is None:
        raise told from error
    return replace(
        source,
        rows=layout.rows(False, token=token),
        parameters={**source.parameters, "path": file_pattern(copy)},
        unreadable=tuple(lines),
    )


def _check_few(
    source: SourceFile, layout: _Layout, n_good: int, found: list[tuple[Any, ...]]
) -> None:
    """Refuse a file most of whose lines do not fit its header."""
    if len(found) <= n_good:
        return
    line, _, kind, raw, _ = found[0]
    counts = {
        len(next(csv.reader([row[3].strip("\r\n")], delimiter=layout.delimiter)))
        for row in found[:1000]
    }
    each = f"{counts.pop()} values" if len(counts) == 1 else "another number of values"
    more = kind.startswith("TOO MANY")
    raise UserError(
        f"most lines have {each}, the header has {layout.n_columns}: {raw.strip()[:200]!r}",
        where=f"{source.path}, line {line + layout.n_lines_before}",
        fix=(
            "give each column of the file a name in the header, and put values that hold the "
            "delimiter in quotes"
            if more
            else "take away the names of columns that the lines lack, or the delimiter at the "
            "end of the header"
        ),
    )


def told_reading(error: duckdb.Error, source: SourceFile) -> UserError | RunError:
    """What DuckDB said about a file, in words that a person can act on."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return RunError(
            f"not enough memory to land the file: {first_line(error)}",
            where=str(source.path),
            fix="free some memory or split the file",
        )
    line = re.search(r"CSV Error on Line: (\d+)", text)
    n_before = source.layout.n_lines_before if source.layout else 0
    where = f"{source.path}, line {int(line[1]) + n_before}" if line else str(source.path)
    if ragged := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text):
        what = f"a row has {ragged[2]} values, the header has {ragged[1]}"
        return UserError(
            what,
            where=where,
            fix="take the line away where it is a total; put values that hold the delimiter in "
            "quotes",
        )
    if "unterminated quote" in text or "Maximum line size" in text:
        what = "a quote is not closed, or text follows it"
        return UserError(what, where=where, fix='close it; write a quote inside a value as ""')
    if "state machine" in text:
        what = "the file is not regular CSV; line ends may be mixed (LF, CRLF, CR)"
        return UserError(what, where=where, fix="write the file with one kind of line end")
    return UserError(f"the file cannot be read: {first_line(error)}", where=where)


def first_line(error: BaseException) -> str:
    """The first line of an error's text."""
    return str(error).strip().split("\n")[0]
