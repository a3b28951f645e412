"""Opening one file: its kind, encoding, delimiter and header, and SQL that reads its rows."""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from salescast.errors import RunError, UserError
from salescast.mapping import Mapping
from salescast.sql_text import quoted_text

_DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Column:
    """A column of a source file: its name there, its SQL name in the reader, and its type."""

    name: str
    sql: str
    type: str


@dataclass(frozen=True)
class SourceFile:
    """A readable file: SQL that gives `source_row` and the columns, with its parameters."""

    path: Path
    name: str
    table: str
    content_hash: str
    columns: tuple[Column, ...]
    reader: str
    parameters: dict[str, Any]


def open_source_file(
    path: Path, name: str, table: str, mapping: Mapping, con: duckdb.DuckDBPyConnection
) -> SourceFile:
    """Look into a file and say how to read it.

    Args:
        path: The file.
        name: Its name in messages and rows.
        table: Table of the mapping that it belongs to, such as `sales`.
        mapping: What the files look like.
        con: Connection that reads Parquet schemas.

    Raises:
        UserError: The file is empty, broken, not UTF-8 or neither CSV nor Parquet.
    """
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


def _open_csv(path: Path, name: str, table: str, wanted: Sequence[str]) -> SourceFile:
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
        f" header = true, columns = {{{columns}}}, delim = {quoted_text(_DELIMITERS[best])},"
        " quote = '\"', escape = '\"', strict_mode = true,"
        f" compression = '{compression}')"
    )
    return SourceFile(
        path,
        name,
        table,
        content_hash,
        tuple(Column(title, f"c{i}", "VARCHAR") for i, title in enumerate(header)),
        reader,
        {"path": glob.escape(str(path))},
    )


def _open_parquet(path: Path, name: str, table: str, con: duckdb.DuckDBPyConnection) -> SourceFile:
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
        Column(title.strip(), f"c{i}", str(row[1]))
        for i, (title, row) in enumerate(zip(titles, described, strict=False))
    )
    aliases = ", ".join(["source_row", *(column.sql for column in columns)])
    reader = (
        f"select {aliases} from (select file_row_number + 1, * exclude (file_row_number)"
        f" from {source}) as file({aliases})"
    )
    return SourceFile(path, name, table, hasher.hexdigest(), columns, reader, parameters)


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


def told_reading(error: duckdb.Error, source: SourceFile) -> UserError | RunError:
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
