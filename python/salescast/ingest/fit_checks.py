"""Does the mapping fit the columns, dates and numbers that were read."""

from __future__ import annotations

import difflib
import glob
import re
from typing import Any

from salescast.errors import UserError
from salescast.ingest.landing import Landing
from salescast.ingest.landing_sql import is_date, is_number
from salescast.ingest.source_files import SourceFile
from salescast.lake import Lake, StagedFile
from salescast.lake.settings import newest_settings
from salescast.mapping import WEEKDAYS, Mapping, TableMapping

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


def check_columns(source: SourceFile, table: TableMapping, mapping: Mapping) -> None:
    """Refuse a file that lacks a column of the mapping or names one twice."""
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
            key = name if name.startswith(("series.", "line_id.")) else f"columns.{name}"
            hints.append(f"tables.{source.table}.{key}: {by_lower[near[0]]!r}")
    fix = f"correct tables.{source.table} in {mapping.path} or the header"
    raise UserError(
        f"the file lacks a column that the mapping {mapping.name} names: {needed}",
        where=f"{source.path}; columns found: {shown}",
        fix=f"did you mean {', '.join(hints)}? {fix}" if hints else fix,
    )


def check_values(source: SourceFile, staged: StagedFile, landing: Landing) -> None:
    """Refuse a file most of whose dates or numbers make no sense under the mapping."""
    if source.table not in ("sales", "related"):
        return
    path = {"path": glob.escape(str(staged.path))}
    rows = "read_parquet($path, hive_partitioning = false)"
    good_date = is_date('"date"')
    bad = landing.con.execute(
        f"select count_if(coalesce(not {good_date}, true)), count(*) from {rows}", path
    ).fetchone() or (0, 0)
    if 2 * bad[0] > bad[1]:
        _refuse_dates(source, landing, path, f"from {rows} where coalesce(not {good_date}, true)")
    value, by = ("sales", "'sales'") if source.table == "sales" else ("value", "series_name")
    query = (
        f'select {by}, count("{value}"), count(*) filter (not {is_number(value)})'
        f" from {rows} group by 1"
    )
    for name, n_values, n_bad in landing.con.execute(query, path).fetchall():
        if 2 * n_bad > n_values:
            where = f"from {rows} where {by} = $name and not {is_number(value)}"
            _refuse_numbers(source, landing, {**path, "name": name}, value, where)
        if not n_values and source.table == "sales":
            raise UserError(
                "the file has no value of sales at all",
                where=f"{source.path}, column {landing.mapping.tables.sales.columns['sales']!r}",
                fix=f"correct tables.sales.columns.sales or null_texts in {landing.mapping.path}",
            )
    _check_weekdays(source, landing, path, f"from {rows} where {good_date}")


def _examples(
    landing: Landing, column: str, parameters: dict[str, Any], where: str
) -> tuple[list[str], int | None]:
    """Three bad values in the order of the file, and the row of the first one."""
    found = landing.con.execute(
        f'select "{column}", min(source_row) {where} and "{column}" is not null'
        " group by 1 order by 2 limit 3",
        parameters,
    ).fetchall()
    return [row[0] for row in found], found[0][1] if found else None


def _refuse_dates(
    source: SourceFile, landing: Landing, parameters: dict[str, Any], where: str
) -> None:
    mapping = landing.mapping
    title = mapping.tables.present()[source.table].columns["date"]
    values, row = _examples(landing, "date", parameters, where)
    if not values:
        raise UserError(
            "most dates of the file are empty",
            where=f"{source.path}, column {title!r}",
            fix=f"correct tables.{source.table}.columns.date or null_texts in {mapping.path}",
        )
    fitting = [
        f for f in _OTHER_DATE_FORMATS if f not in mapping.date_format and _fits(landing, values, f)
    ]
    shown = " or ".join(repr(each) for each in mapping.date_format)
    hint = f", for example {' or '.join(repr(f) for f in fitting[:2])}" if fitting else ""
    raise UserError(
        f"most dates do not fit the date format {shown}: "
        + ", ".join(repr(value) for value in values),
        where=f"{source.path}, column {title!r}, from row {row} on",
        fix=f"set date_format in {mapping.path}{hint}",
    )


def _fits(landing: Landing, values: list[str], date_format: str) -> bool:
    row = landing.con.execute(
        "select bool_and(coalesce(year(try_strptime(v, $f)) between 1900 and 2199, false))"
        " from unnest($values) as t(v)",
        {"f": date_format, "values": values},
    ).fetchone()
    return bool(row and row[0])


def _refuse_numbers(
    source: SourceFile,
    landing: Landing,
    parameters: dict[str, Any],
    column: str,
    where: str,
) -> None:
    mapping = landing.mapping
    columns = mapping.tables.present()[source.table].source_columns()
    name = parameters["name"]
    values, row = _examples(landing, column, parameters, where)
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
    source: SourceFile, landing: Landing, parameters: dict[str, Any], where: str
) -> None:
    mapping = landing.mapping
    found = landing.con.execute(
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
            landing.warnings.append(
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


def check_week_end(mapping: Mapping, lake: Lake) -> None:
    """Refuse another last weekday of the week once forecasts have landed."""
    landed = newest_settings(lake).source.get("week_ends_on")
    if landed not in (None, mapping.week_ends_on) and lake.has_rows("forecasts"):
        raise UserError(
            f"week_ends_on is {mapping.week_ends_on}, but this home has forecasts for weeks that "
            f"end on {landed}",
            where=f"{mapping.path}: week_ends_on",
            fix="keep the weekday, or start a new home (SALESCAST_HOME) for other weeks",
        )
