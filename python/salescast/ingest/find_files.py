"""Which files of a folder belong to which table of the mapping."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from salescast.errors import UserError
from salescast.ingest.landing import LANDING_ORDER
from salescast.lake import Lake
from salescast.mapping import Mapping


def match_files(
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
                if any(_is_named(source, pattern) for pattern in table.file)
            ]
        else:
            base, present = source, [p for p in sorted(source.iterdir()) if p.name[0] != "."]
            for name, table in tables.items():
                for path in {p for pattern in table.file for p in _found(source, pattern)}:
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
    source: Path, mapping: Mapping, lake: Lake, tables: set[str], present: Sequence[Path]
) -> None:
    if "sales" in tables or (source.is_file() and tables and lake.names("raw_sales")):
        return
    names = [path.name for path in present]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    patterns = ", ".join(mapping.tables.sales.file)
    raise UserError(
        f"no file matches the sales pattern of mapping {mapping.name}: {patterns}",
        where=f"{source}; found: {shown or 'nothing'}",
        fix=f"name the file so, change tables.sales.file in {mapping.path}, or give --mapping",
    )
