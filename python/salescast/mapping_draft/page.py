"""The page of a mapping: each key with the evidence for it and what is to be checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import duckdb

from salescast.ingest.value_sql import written_date_sql
from salescast.mapping import (
    DepartmentsTable,
    RelatedTable,
    SalesTable,
    StoresTable,
    TableMapping,
)
from salescast.mapping_draft.plan import Plan, Table
from salescast.mapping_draft.rhythm import Rhythm, line_columns
from salescast.mapping_draft.roles import best, shown
from salescast.mapping_draft.signs import Keys
from salescast.mapping_draft.words import language_of
from salescast.mapping_draft.written import Page

_WHAT = {
    "related": "Series beside sales, such as prices, promotions or the weather.",
    "stores": "Attributes of stores.",
    "departments": "Attributes of departments.",
}


@dataclass(frozen=True)
class Lines:
    """The columns that tell lines apart: `is_sure` if one is a number of the line.

    `order` is the column of orders where nothing tells their lines apart.
    """

    titles: tuple[str, ...]
    is_sure: bool
    order: str = ""


def write_page(
    name: str,
    plan: Plan,
    keys: Keys,
    rhythm: Rhythm,
    left: Sequence[tuple[str, str]],
    con: duckdb.DuckDBPyConnection,
) -> tuple[str, list[str]]:
    """YAML of a mapping, and what is to be checked in it."""
    page = Page()
    page.say(
        "Drafted by `salescast map`; edit it. mappings/retail.yml explains each key. Above a key "
        "stands what was seen; lines with CHECK say what the files do not tell.",
    )
    _summary(page, plan, rhythm)
    for file, why in left:
        page.say(f"Left: {shown(file)}: {why}.")
    page.blank()
    page.key("name", name)
    page.blank()
    lines = _line_titles(plan.tables["sales"], rhythm, con)
    _top(page, plan, keys, rhythm, lines)
    page.open("tables")
    for number, (table_name, table) in enumerate(plan.tables.items()):
        if number:
            page.blank()
        if table_name in _WHAT:
            page.say(_WHAT[table_name], indent=2)
        _table(page, table_name, table, plan, rhythm, con, lines)
    return page.text(), page.checks


def _summary(page: Page, plan: Plan, rhythm: Rhythm) -> None:
    sales = plan.tables["sales"]
    if rhythm.n_rows:
        dates = f"{rhythm.first} to {rhythm.last}" if rhythm.first else "no date"
        total = "no sales" if rhythm.sales is None else f"sales {rhythm.sales:,.2f}"
        part = "" if all(look.is_whole for look in sales.kind.looks) else "the beginning of "
        files = sales.names[0] if len(sales.names) == 1 else f"{len(sales.names)} files"
        page.say(f"Read with it: {part}{files}: {rhythm.n_rows:,} rows, {dates}, {total}.")
        if rhythm.n_bad_dates or rhythm.n_bad_sales:
            page.check(
                f"{rhythm.n_bad_dates:,} rows without a date and {rhythm.n_bad_sales:,} without a "
                "number that can be read; they are set aside"
            )
    for look in sales.kind.looks[:3]:
        page.say(*(f"{look.name}: {note}." for note in look.layout.notes))
        if look.source.unreadable:
            number, line = look.source.unreadable[0]
            page.say(
                f"{look.name}: {len(look.source.unreadable):,} line(s) that do not fit the header "
                f"are set aside; the first is line {number}: {line[:80]!r}."
            )
    hashes: dict[str, str] = {}
    for look in sales.kind.looks:
        if look.source.content_hash in hashes:
            page.check(f"{look.name} and {hashes[look.source.content_hash]} hold the same bytes")
        hashes[look.source.content_hash] = look.name


def _top(page: Page, plan: Plan, keys: Keys, rhythm: Rhythm, lines: Lines | None) -> None:
    sales = plan.tables["sales"]
    wide = sales.wide

    def put(key: str, value: Any, *, default: Any = None) -> None:
        why = [*rhythm.why.get(key, []), *keys.why.get(key, [])]
        doubts = [*rhythm.doubts.get(key, []), *keys.doubts.get(key, [])]
        if value == default and not why and not doubts:
            return
        page.key(key, value, why=why, doubts=doubts)
        page.blank()

    if wide and wide.is_monthly:
        page.check(
            "the columns are months or more: monthly data cannot be forecast by week. Ask for "
            "daily or weekly sales"
        )
    put("grain", rhythm.grain)
    put("week_label", rhythm.week_label, default="end")
    put("week_ends_on", rhythm.week_ends_on)
    put("missing_means", rhythm.missing_means, default="unknown")
    put("duplicates", rhythm.duplicates, default="reject")
    if rhythm.duplicates == "sum":
        sure = bool(lines and lines.is_sure)
        said = ["a line is known by its line_id, so later deliveries may bring more lines of a day"]
        asked = [
            "does a later delivery hold whole days again (restates) or new lines of days that were "
            "delivered before (adds)?"
        ]
        why, doubts = (said, []) if sure else ([], asked)
        page.key("deliveries", "adds" if sure else "restates", why=why, doubts=doubts)
        page.blank()
    titles = [title for table in plan.tables.values() for title in table.kind.titles]
    region = "DE" if language_of(titles) == "DE" else "US"
    seen = ["the titles are German"] if region == "DE" else []
    doubts = (
        []
        if seen
        else ["whose holidays explain the sales? A country such as US, or a part such as DE-BY"]
    )
    page.key("calendar_region", region, why=seen, doubts=doubts)
    page.blank()
    put("null_texts", keys.values.get("null_texts"))
    put("decimal_sign", keys.values["decimal_sign"], default=".")
    put("thousands_sign", keys.values["thousands_sign"])
    put("date_format", keys.values.get("date_format", "%Y-%m-%d"), default="%Y-%m-%d")
    put("timezone", "as_written", default="as_written")


def _table(
    page: Page,
    name: str,
    table: Table,
    plan: Plan,
    rhythm: Rhythm,
    con: duckdb.DuckDBPyConnection,
    lines: Lines | None,
) -> None:
    roles, layout = table.roles, table.kind.looks[0].layout
    page.open(name, 2)
    others = [n for other in plan.tables.values() if other is not table for n in other.names]
    patterns = _patterns(table.names, others)
    later = [] if len(table.names) > 1 else ["a pattern such as sales*.csv takes later files too"]
    page.key("file", patterns, why=later if name == "sales" else [], indent=4)
    if layout.encoding != "utf-8":
        page.key("encoding", layout.encoding, doubts=layout.doubts[:1], indent=4)
        page.check(*layout.doubts[1:], indent=4)
    else:
        page.check(*layout.doubts, indent=4)
    if layout.n_lines_before:
        page.key("skip_lines", layout.n_lines_before, indent=4)
    page.open("columns", 4)
    ordered = [(n, roles.columns[n]) for n in _allowed(name) if n in roles.columns]
    for ours, profile in ordered:
        page.key(
            ours,
            profile.title,
            why=[*roles.why.get(ours, []), *(rhythm.why.get(ours, []) if name == "sales" else [])],
            doubts=[*roles.doubts.get(ours, []), *rhythm.doubts.get(ours, [])]
            if name == "sales"
            else roles.doubts.get(ours, []),
            indent=6,
        )
    if not roles.columns:
        page.lines[-1] += " {}"
    if roles.constants:
        why = [text for ours in roles.constants for text in roles.why.get(ours, [])]
        doubts = [text for ours in roles.constants for text in roles.doubts.get(ours, [])]
        page.key("constants", roles.constants, why=why, doubts=doubts, indent=4)
    for key, value in (("compute", roles.compute), ("keep", roles.keep)):
        if value:
            named = [key, *value] if isinstance(value, dict) else [key]
            page.key(
                key, value, doubts=[d for n in named for d in roles.doubts.get(n, [])], indent=4
            )
        else:
            page.check(*roles.doubts.get(key, []), indent=4)
    if table.wide:
        page.key(
            "unpivot", table.wide.unpivot, why=table.wide.why, doubts=table.wide.doubts, indent=4
        )
    if name == "sales" and lines:
        _lines(page, lines)
    if name == "related":
        _series(page, table, rhythm, con)
    _unused(page, name, table)


def _allowed(name: str) -> tuple[str, ...]:
    """Columns that a table may have, in their usual order."""
    tables: dict[str, type[TableMapping]] = {
        "sales": SalesTable,
        "related": RelatedTable,
        "stores": StoresTable,
        "departments": DepartmentsTable,
    }
    return tables[name].allowed


def _series(page: Page, table: Table, rhythm: Rhythm, con: duckdb.DuckDBPyConnection) -> None:
    date_column = table.roles.columns["date"]
    newest = None
    if date_column.dates and date_column.dates.formats and rhythm.last:
        day = written_date_sql(
            table.kind.sql(date_column.title), date_column.dates.formats, table.kind.mapping
        )
        row = con.execute(
            f"select max(try_cast({day} as date)) from {table.kind.sample}"
        ).fetchone()
        newest = row[0] if row else None
    if newest and rhythm.last and newest > rhythm.last:
        page.check(
            f"dates go on to {newest}, after the last sale: say known_future: true for what is "
            "planned ahead, such as promotions, and never for what is only known afterwards",
            indent=4,
        )
    page.say(
        "weekly_aggregation says how days become a week: sum, mean, min, max or last.", indent=4
    )
    page.open("series", 4)
    for series, spec in table.series.items():
        page.key(series, spec, indent=6)


def _line_titles(table: Table, rhythm: Rhythm, con: duckdb.DuckDBPyConnection) -> Lines | None:
    """The columns that identify a line of a till or shop; None where rows are no lines."""
    if not rhythm.is_lines or table.wide or not rhythm.n_rows:
        return None
    kind = table.kind
    order, line = best(kind.profiles, "order", 2.0), best(kind.profiles, "line", 2.0)
    item = table.roles.columns.get("department")
    for columns in ([line], [order, line], [order], [order, item]):
        titles = [column.title for column in columns if column]
        if len(titles) == len(columns) and line_columns(
            con, [kind.sample], [kind.sql(title) for title in titles]
        ):
            return Lines(tuple(titles), line in columns)
    return Lines((), False, order.title if order else "")


def _lines(page: Page, lines: Lines) -> None:
    said = f"no two rows have the same {' and '.join(map(shown, lines.titles))}"
    if lines.is_sure:
        why = [f"{said}: a line that is delivered again counts once"]
        page.key("line_id", list(lines.titles), why=why, indent=4)
    elif lines.titles:
        page.check(
            f"{said}. If they identify a line for good, write line_id: {list(lines.titles)}, so "
            "that a line that is delivered twice counts once",
            indent=4,
        )
    elif lines.order:
        page.check(
            f"no columns were found that tell lines of one {shown(lines.order)} apart: a line that "
            "is delivered twice counts twice",
            indent=4,
        )


def _unused(page: Page, name: str, table: Table) -> None:
    used = table.roles.used() | {spec["column"] for spec in table.series.values()}
    used |= set(table.wide.titles if table.wide else ())
    unused = [shown(title) for title in table.kind.titles if title not in used]
    if unused and name in ("sales", "related"):
        more = f" and {len(unused) - 12} more" if len(unused) > 12 else ""
        text = f"Columns not used: {', '.join(unused[:12])}{more}."
        if name == "sales":
            text += " Related series, such as a promotion, come from a file of their own."
        page.say(text, indent=4)


def _patterns(names: Sequence[str], others: Sequence[str]) -> str | list[str]:
    """A pattern that takes these files and no others."""
    escaped = [_escaped(name) for name in names]
    if len(names) == 1:
        return escaped[0]
    start, end = _shared(names), _shared([name[::-1] for name in names])[::-1]
    shortest = min(map(len, names))
    if len(start) + len(end) <= shortest and (start or end) and "/" not in start + end:
        pattern = f"{_escaped(start)}*{_escaped(end)}"
        if not any(PurePath(other).match(pattern) for other in others):
            return pattern
    return escaped


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _shared(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    place = 0
    while place < min(len(first), len(last)) and first[place] == last[place]:
        place += 1
    return first[:place]
