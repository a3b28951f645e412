"""Does the mapping fit the columns, dates and numbers that were read."""

from __future__ import annotations

import calendar
import difflib
import re
from collections.abc import Sequence
from typing import Any

from salescast.errors import UserError
from salescast.ingest.landing import Landing
from salescast.ingest.landing_sql import used_parameters
from salescast.ingest.source_files import SourceFile
from salescast.ingest.value_sql import (
    CURRENCY,
    is_date,
    is_number,
    text_sql,
    written_date_sql,
    written_number_sql,
)
from salescast.ingest.wide_files import shown_titles, told_wide
from salescast.lake import Lake, StagedFile
from salescast.lake.settings import newest_settings
from salescast.mapping import (
    AS_WRITTEN,
    EXCEL_DATES,
    WEEKDAYS,
    Mapping,
    TableMapping,
    formats_clash,
    names_week_only,
)
from salescast.sql_text import file_pattern, quoted_text

_OTHER_DATE_FORMATS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S.%f %z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%d %H:%M:%S %Z",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%G-W%V",
    "%G-W%V-%u",
    EXCEL_DATES,
)
# Decimal and thousands signs that a message may advise, likeliest first.
_OTHER_SIGNS: tuple[tuple[str, str | None], ...] = (
    (".", ","),
    (",", None),
    (",", " "),
    (".", " "),
)
TOTALS = (
    r"^((grand|sub|over ?all)[ -]?)?(total|totals|sum|summe|gesamt|gesamtsumme|gesamtergebnis|"
    r"endsumme|zwischensumme|insgesamt|totale|total general|total g[eé]n[eé]ral|suma|razem|"
    r"celkem|totaal|итого|всего|合計|总计|toplam)[ :]*$"
)
_MAX_EXAMPLES = 1000
# Days from one date to the next at least, and what such data are called.
_SPACINGS = ((26, 35, "month"), (80, 100, "quarter"), (170, 195, "half year"), (350, 380, "year"))


def check_columns(source: SourceFile, table: TableMapping, mapping: Mapping) -> None:
    """Refuse a file that lacks a column of the mapping or names one twice."""
    titles = [column.name for column in source.columns]
    shown = shown_titles(titles)
    wanted = set(table.named_columns())
    if twice := sorted({title for title in wanted if titles.count(title) > 1}):
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
        _check_expressions(source, table, mapping, titles)
        return
    if source.wide is None and (
        wide := told_wide(source.path, titles, table, source.table, mapping)
    ):
        raise wide
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


def _check_expressions(
    source: SourceFile, table: TableMapping, mapping: Mapping, titles: list[str]
) -> None:
    """Refuse a file that lacks a column that an expression names."""
    by_lower = {title.lower(): title for title in titles if title}
    for key, expression in table.expressions():
        for title in expression.columns():
            if title in titles:
                continue
            near = difflib.get_close_matches(title.lower(), list(by_lower), n=1)
            hint = f"did you mean [{by_lower[near[0]]}]? " if near else ""
            raise UserError(
                f"the file lacks a column that {expression.text!r} names: {title!r}",
                where=f"{source.path}; columns found: {shown_titles(titles)}",
                fix=f"{hint}correct tables.{source.table}.{key} in {mapping.path} or the header; "
                "texts are written in single quotes",
            )


def check_values(source: SourceFile, staged: StagedFile, landing: Landing) -> None:
    """Refuse a file most of whose dates or numbers make no sense under the mapping.

    What makes no sense in a few rows only is told as a warning: staging sets those rows aside.
    """
    if source.table not in ("sales", "related"):
        return
    _tell_unreadable(source, landing)
    path, rows = _staged_rows([staged])
    good_date = is_date('"date"')
    n_bad, n_rows = landing.con.execute(
        f"select count_if(coalesce(not {good_date}, true)), count(*) {rows}", path
    ).fetchone() or (0, 0)
    if not n_rows:
        return
    if n_bad:
        where = f"{rows} and coalesce(not {good_date}, true)"
        _judge_dates(source, landing, path, rows, where, (n_bad, n_rows))
    value, by = ("sales", "'sales'") if source.table == "sales" else ("value", "series_name")
    query = (
        f'select {by}, count("{value}"), count(*) filter (not {is_number(value)}),'
        f" count_if(contains({value}, '.')),"
        f" count_if(regexp_matches({value}, '^[+-]?[1-9][0-9]{{0,2}}[.][0-9]{{3}}$'))"
        f" {rows} group by 1"
    )
    for name, n_values, n_bad, n_points, n_threes in landing.con.execute(query, path).fetchall():
        title = _title(source, landing, "sales" if source.table == "sales" else name)
        if n_bad:
            where = f"{rows} and {by} = $name and not {is_number(value)}"
            parameters = {**path, "name": name}
            counts = (n_bad, n_values, n_points)
            _judge_numbers(source, landing, parameters, value, where, counts)
        if not n_values and source.table == "sales":
            raise UserError(
                "the file has no value of sales at all",
                where=f"{source.path}, column {title!r}",
                fix=f"correct where sales come from, or null_texts, in {landing.mapping.path}",
            )
        if 3 <= n_points == n_threes and _is_text(source, name) and _is_point(landing.mapping):
            landing.warnings.append(
                f"{source.name}: every value of {title!r} that has a point has three digits behind "
                "it, and is read as a little more than one to a thousand; if 1.234 is 1234, set "
                f"decimal_sign: ',' and thousands_sign: '.' in {landing.mapping.path}"
            )
    if source.table == "sales":
        _check_currencies(source, landing)
        _tell_totals(source, landing, path, rows)


def _staged_rows(staged: Sequence[StagedFile]) -> tuple[dict[str, Any], str]:
    """The readable rows of staged files, as a parameter and the SQL after a select list."""
    paths = [file_pattern(each.path) for each in staged]
    scan = "from read_parquet($paths, hive_partitioning = false) where unreadable_line is null"
    return {"paths": paths}, scan


def _title(source: SourceFile, landing: Landing, name: str) -> str:
    """A column as the file names it, for messages."""
    if source.wide and name in source.wide.columns:
        return source.wide.columns[name].name
    table = landing.mapping.tables.present()[source.table]
    if name in table.computed:
        return table.computed[name].text
    titles = table.source_columns()
    return titles.get(name) or titles.get(f"series.{name}") or name


def _is_text(source: SourceFile, name: str) -> bool:
    return source.text is not None and bool(name)


def _is_point(mapping: Mapping) -> bool:
    return mapping.decimal_sign == "." and mapping.thousands_sign is None


def _tell_unreadable(source: SourceFile, landing: Landing) -> None:
    if not source.unreadable:
        return
    number, line = source.unreadable[0]
    n_lines = len(source.unreadable)
    landing.warnings.append(
        f"{source.name}: {n_lines} line{'s' if n_lines > 1 else ''} set aside, with more or fewer "
        f"values than the header; {'the first is ' if n_lines > 1 else ''}line {number}: "
        f"{line[:200]!r}"
    )


def _examples(
    landing: Landing, column: str, parameters: dict[str, Any], where: str
) -> tuple[list[str], int | None]:
    """Bad values in the order of the file, each once, and the row of the first one."""
    found = landing.con.execute(
        f'select "{column}", min(source_row) {where} and "{column}" is not null'
        f" group by 1 order by 2 limit {_MAX_EXAMPLES}",
        parameters,
    ).fetchall()
    return [row[0] for row in found], found[0][1] if found else None


def _shown(values: Sequence[str]) -> str:
    return ", ".join(repr(value) for value in values[:3])


def _judge_dates(
    source: SourceFile,
    landing: Landing,
    parameters: dict[str, Any],
    rows: str,
    where: str,
    counts: tuple[int, int],
) -> None:
    """Refuse dates most of which do not fit, or all of which fit another format; tell a few."""
    n_bad, n_rows = counts
    mapping = landing.mapping
    title = _title(source, landing, "date")
    values, row = _examples(landing, "date", parameters, where)
    most = 2 * n_bad > n_rows
    if not values or row is None:
        if most:
            raise UserError(
                "most dates of the file are empty",
                where=f"{source.path}, column {title!r}",
                fix=f"correct tables.{source.table}.columns.date or null_texts in {mapping.path}",
            )
        return
    used = mapping.date_format
    fitting = [f for f in _OTHER_DATE_FORMATS if f not in used and _fits(landing, values, [f])]
    shown = " or ".join(repr(each) for each in used)
    hint = ""
    if fitting:
        kept = [] if n_bad == n_rows or any(formats_clash(fitting[0], f) for f in used) else used
        wanted = [*kept, fitting[0]]
        hint = f": {wanted[0]!r}" if len(wanted) == 1 else f": {wanted}"
        if len(fitting) > 1 and formats_clash(fitting[0], fitting[1]):
            hint += f", or {fitting[1]!r}: the dates fit both, so look at one that you know"
    where_text = f"{source.path}, column {title!r}, from {source.place(row)} on"
    fix = f"set date_format{hint} in {mapping.path}"
    if most:
        raise UserError(
            f"most dates do not fit the date format {shown}: {_shown(values)}",
            where=where_text,
            fix=fix,
        )
    for other in fitting:
        if _fits_all(landing, parameters, rows, other):
            raise UserError(
                f"{n_bad:,} of {n_rows:,} dates do not fit the date format {shown}, such as "
                f"{_shown(values)}, and all fit {other!r}: days and months would be swapped",
                where=where_text,
                fix=f"set date_format: {other!r} in {mapping.path}",
            )
    landing.warnings.append(
        f"{source.name}: {n_bad:,} of {n_rows:,} dates do not fit the date format {shown} and are "
        f"set aside, such as {_shown(values)} ({source.place(row)} on)"
        + (f"; {fix}" if fitting else "")
    )


def _fits(landing: Landing, values: list[str], formats: list[str]) -> bool:
    mapping = landing.mapping
    if any(map(names_week_only, formats)) and mapping.grain == "daily":
        return False
    if "%Z" in "".join(formats) and mapping.timezone != AS_WRITTEN:
        return False
    day = written_date_sql("trim(v)", tuple(formats), mapping)
    row = landing.con.execute(
        f"select bool_and({day} is not null) from unnest($values) as t(v)", {"values": values}
    ).fetchone()
    return bool(row and row[0])


def _fits_all(landing: Landing, parameters: dict[str, Any], rows: str, other: str) -> bool:
    """Whether the dates that were read, written again as they were, also fit another format."""
    mapping = landing.mapping
    if len(mapping.date_format) > 1 or not formats_clash(other, mapping.date_format[0]):
        return False
    written = f'strftime(try_cast("date" as date), {quoted_text(mapping.date_format[0])})'
    day = written_date_sql("v", (other,), mapping)
    row = landing.con.execute(
        f"select bool_and({day} is not null) from (select distinct {written} as v {rows})"
        " where v is not null",
        parameters,
    ).fetchone()
    return bool(row and row[0])


def _judge_numbers(
    source: SourceFile,
    landing: Landing,
    parameters: dict[str, Any],
    column: str,
    where: str,
    counts: tuple[int, int, int],
) -> None:
    """Refuse values most of which are no numbers; tell a few."""
    n_bad, n_values, n_points = counts
    mapping = landing.mapping
    name = parameters["name"]
    values, row = _examples(landing, column, parameters, where)
    title = _title(source, landing, name)
    # Where most values are numbers with a point, a decimal comma would misread those.
    most = 2 * n_bad > n_values
    keys = _fitting_signs(landing, values, keeps_decimal=not most and n_points > 0)
    words = [value for value in values if not re.search("[0-9]", value)]
    where_text = f"{source.path}, column {title!r}, from {source.place(row or 0)} on"
    if most:
        raise UserError(
            f"most values of {name} are no numbers under the mapping: {_shown(values)}",
            where=where_text,
            fix=f"set {keys or 'decimal_sign, thousands_sign, null_texts or the column'} in "
            f"{mapping.path}",
        )
    landing.warnings.append(
        f"{source.name}: {n_bad:,} of {n_values:,} values of {name} are no numbers and are set "
        f"aside, such as {_shown(values)} ({source.place(row or 0)} on)"
        + (f"; set {keys} in {mapping.path}" if keys else "")
        + (f"; add {_shown(words)} to null_texts if they mean no value" if words else "")
    )


def _fitting_signs(landing: Landing, values: list[str], keeps_decimal: bool) -> str:
    """The keys under which all values are numbers, with what each would mean; empty if none."""
    mapping, fitting = landing.mapping, []
    values = [value for value in values if re.search(r"[0-9].*[.,' ]|[.,' ].*[0-9]", value)]
    if not values:
        return ""
    for decimal, thousands in _OTHER_SIGNS:
        if (decimal, thousands) == (mapping.decimal_sign, mapping.thousands_sign):
            continue
        if keeps_decimal and decimal != mapping.decimal_sign:
            continue
        other = mapping.model_copy(update={"decimal_sign": decimal, "thousands_sign": thousands})
        number = written_number_sql("v", other)
        row = landing.con.execute(
            f"select bool_and({is_number(number)}), first({number}) from unnest($v) as t(v)",
            {"v": values},
        ).fetchone()
        if row and row[0]:
            keys = [f"decimal_sign: {decimal!r}"] if decimal != mapping.decimal_sign else []
            keys += [f"thousands_sign: {thousands!r}"] if thousands else []
            if keys:
                fitting.append((" and ".join(keys), row[1]))
    if len(fitting) > 1 and fitting[0][1] != fitting[1][1]:
        return " or ".join(f"{key} (then {values[0]!r} is {number})" for key, number in fitting[:2])
    return fitting[0][0] if fitting else ""


def _check_currencies(source: SourceFile, landing: Landing) -> None:
    """Warn of sales in more than one currency, whose sum means nothing."""
    column = source.column_of("sales", landing.mapping.tables.sales.columns)
    if column is None or column.type != "VARCHAR" or source.text is None:
        return
    if len(source.text.currencies) < 2:
        return
    query = (
        f"select distinct regexp_extract({text_sql(column)}, {quoted_text(CURRENCY)}) as sign"
        f" from ({source.reader}) where sign <> '' order by 1 limit 5"
    )
    parameters = {**source.parameters, "null_texts": ["", *landing.mapping.null_texts]}
    found = landing.con.execute(query, used_parameters(parameters, query)).fetchall()
    if len(found) > 1:
        landing.warnings.append(
            f"{source.name}: the sales are in more than one currency "
            f"({', '.join(row[0] for row in found)}) and are added up as they are; convert them "
            "into one before, if stores or sums of stores hold both"
        )


def _tell_totals(source: SourceFile, landing: Landing, path: dict[str, Any], rows: str) -> None:
    """Warn of rows whose store or department is called a total: they count the others again."""
    table = landing.mapping.tables.sales
    for name in ("store", "department"):
        if name in table.constants:
            continue
        found = landing.con.execute(
            f"with names as (select {name} as name, count(*) as n_rows, min(source_row) as row_1"
            f" {rows} group by 1), totals as (select * from names where regexp_matches("
            f"lower(trim(name)), {quoted_text(TOTALS)}))"
            " select first(name), sum(n_rows), (select sum(n_rows) from names), min(row_1)"
            " from totals",
            path,
        ).fetchone()
        # A file of one store may well call it so.
        if found and found[1] and found[1] < found[2]:
            n_rows = f"{found[1]:,} row{'s' if found[1] > 1 else ''}"
            landing.warnings.append(
                f"{source.name}: {n_rows} of the {name} {found[0]!r} "
                f"({source.place(found[3])}{' on' if found[1] > 1 else ''}): if that is a total of "
                "the others, their sales count twice; take such rows out of the file, or leave "
                f"them out by tables.sales.keep in {landing.mapping.path}"
            )


def check_spacing(landing: Landing) -> None:
    """Refuse dates that are no days or weeks under the mapping, in all files of the command.

    Raises:
        UserError: Monthly or rarer data, another weekday than the mapping says, or days where it
            says weeks.
    """
    names = {
        table: [key for key, record in landing.records.items() if record["table_name"] == table]
        for table in ("raw_sales", "raw_related")
    }
    if sales := names["raw_sales"]:
        _refuse_months(landing, sales)
    for load_id in [*names["raw_related"], *sales]:
        _check_weekdays(landing.sources[load_id], landing.rows[load_id], landing)


def _refuse_months(landing: Landing, load_ids: Sequence[str]) -> None:
    path, rows = _staged_rows([landing.rows[load_id] for load_id in load_ids])
    row = landing.con.execute(
        'with days as (select distinct store, try_cast("date" as date) as day'
        f" {rows} and {is_date('date')}), gaps as (select day, day - lag(day) over"
        " (partition by store order by day) as gap from days)"
        " select count(distinct day), median(gap), count_if(gap >= 26) / count(gap),"
        " list_sort(list(distinct day))[:3], histogram(gap),"
        " case when min(day(day)) = max(day(day)) then min(day(day)) end from gaps",
        path,
    ).fetchone()
    if not row or row[0] < 4 or row[1] is None or row[2] < 0.95:
        return
    n_gaps = sum(row[4].values())
    for least, greatest, name in _SPACINGS:
        n_in = sum(n for gap, n in row[4].items() if least <= gap <= greatest)
        if least <= row[1] <= greatest and n_in >= 0.6 * n_gaps:
            dates = ", ".join(str(day) for day in row[3])
            fix = "export the sales by day or by week; no setting makes weeks of them"
            # Days of one month that were read as months all fall on the day of its number.
            if row[5] is not None and 1 < row[5] <= 12:
                fix += (
                    f"; if they are days of {calendar.month_name[row[5]]}, day and month are "
                    f"swapped under date_format in {landing.mapping.path}"
                )
            word = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}
            raise UserError(
                f"the sales have one date a {name} ({dates}, ...): "
                f"{word.get(name, 'half-yearly')} data cannot be forecast by week",
                where=f"{landing.sources[load_ids[0]].path}, column "
                f"{_title(landing.sources[load_ids[0]], landing, 'date')!r}",
                fix=fix,
            )


def _check_weekdays(source: SourceFile, staged: StagedFile, landing: Landing) -> None:
    mapping = landing.mapping
    path, rows = _staged_rows([staged])
    found = landing.con.execute(
        f'select isodow(cast("date" as date)), count(*), count(distinct "date")'
        f" {rows} and {is_date('date')} group by 1 order by 2 desc",
        path,
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
    title = _title(source, landing, "date")
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
            fix=f"set grain: daily in {mapping.path}, if each date is a day of sales",
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
