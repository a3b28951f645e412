"""Which files of a folder belong to which table of the mapping, and which are passed over."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath, PurePosixPath

from salescast.errors import UserError
from salescast.ingest.landing import LANDING_ORDER
from salescast.lake import Lake
from salescast.mapping import Mapping

_DATA = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq", ".xlsx", ".xls")
_N_SHOWN = 3


def match_files(
    source: Path, mapping: Mapping, lake: Lake
) -> tuple[list[tuple[str, Path, str]], list[str], list[str]]:
    """The files that are landed, and those that are not.

    Returns:
        Files as (table, path, name in messages and rows), in landing order; names of those beside
        them that no table asks for; and paths of those in folders below that look like data.
    """
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
                if any(_is_named(source, pattern) for pattern in table.file)
            ]
        else:
            base, present = source, [p for p in sorted(source.iterdir()) if p.name[0] != "."]
            for name, table in tables.items():
                for path in {p for pattern in table.file for p in _found(source, pattern)}:
                    if path.is_file() and not _is_hidden(path.relative_to(source)):
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
    taken = {item[1] for item in matched}
    below = [] if source.is_file() else _files_below(source, taken, mapping)
    _check_sales_present(source, mapping, lake, {item[0] for item in matched}, present, below)
    unmatched = [p.name for p in present if p.is_file() and p not in taken]
    return matched, unmatched, below


def told_below(below: Sequence[str], mapping: Mapping) -> str:
    """The warning about files in folders below the one that is landed."""
    shown = ", ".join(below[:_N_SHOWN])
    more = f" and {len(below) - _N_SHOWN:,} more" if len(below) > _N_SHOWN else ""
    one = len(below) == 1
    return (
        f"{'1 file' if one else f'{len(below):,} files'} in folders below {'is' if one else 'are'} "
        f"passed over: {shown}{more}; {_how_below(below, mapping)}"
    )


def _how_below(below: Sequence[str], mapping: Mapping) -> str:
    folder, end = PurePosixPath(below[0]).parts[0], PurePosixPath(below[0]).suffix
    return (
        f"to land such files, give the table's file in {mapping.path} a pattern like "
        f"'{folder}/*{end}' or '**/*{end}'"
    )


def _files_below(source: Path, taken: Collection[Path], mapping: Mapping) -> list[str]:
    """Files in folders below one that are not taken and look as if they were meant.

    They end as data do, or are called as a table asks for; nothing hidden is among them.
    """
    patterns = [
        PurePosixPath(pattern).name
        for table in mapping.tables.present().values()
        for pattern in table.file
    ]
    return [
        path.relative_to(source).as_posix()
        for path in _walk(source)
        if path.parent != source
        and path not in taken
        and (
            path.name.lower().endswith(_DATA)
            or any(fnmatchcase(path.name, pattern) for pattern in patterns)
        )
    ]


def _walk(source: Path) -> Iterator[Path]:
    """Files below a folder in their order, each folder once, hidden ones left out."""
    seen = set()
    for folder, folders, names in os.walk(source, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield from (Path(folder, name) for name in sorted(names) if name[0] != ".")


def _is_hidden(path: Path) -> bool:
    return any(part[0] == "." for part in path.parts)


def _found(folder: Path, pattern: str) -> list[Path]:
    """What a pattern names; a file of that very name, as `sales[1].csv`, is meant alone."""
    own = folder / pattern
    if not PurePath(pattern).match(pattern) and own.is_file():
        return [own]
    return list(folder.glob(pattern))


def _is_named(file: Path, pattern: str) -> bool:
    parts = PurePath(pattern).parts
    return file.absolute().match(pattern) or file.absolute().parts[-len(parts) :] == parts


def _check_sales_present(
    source: Path,
    mapping: Mapping,
    lake: Lake,
    tables: set[str],
    present: Sequence[Path],
    below: Sequence[str],
) -> None:
    if "sales" in tables or (source.is_file() and tables and lake.names("raw_sales")):
        return
    names = [path.name for path in present]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    patterns = ", ".join(mapping.tables.sales.file)
    if below:
        shown += f"; in folders below: {', '.join(below[:_N_SHOWN])}"
    raise UserError(
        f"no file matches the sales pattern of mapping {mapping.name}: {patterns}",
        where=f"{source}; found: {shown or 'nothing'}",
        fix=f"name the file so, change tables.sales.file in {mapping.path}, or give --mapping"
        + ("; or name one file of another table by its path" if tables else "")
        + (f"; {_how_below(below, mapping)}" if below else ""),
    )
