"""SQL from the columns of a source file to the rows of a lake table."""

from __future__ import annotations

import re
from typing import Any

from salescast.errors import UserError
from salescast.ingest.landing import Landing
from salescast.ingest.source_files import Column, SourceFile
from salescast.lake import LAKE_SCHEMAS
from salescast.mapping import RelatedTable, SalesTable, TableMapping

_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_COMMA_NUMBER = r"^\s*[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]*)(,[0-9]+)?([eE][+-]?[0-9]+)?\s*$"
_DATES = {"date", "opened_on", "closed_on"}
_NUMBERS = {"sales", "size"}


def landing_query(
    source: SourceFile, table: TableMapping, landing: Landing, parameters: dict[str, Any]
) -> str:
    """A select of the rows of a lake table; constants and series names are put in `parameters`."""
    by_title = {column.name: column for column in source.columns}
    comma = landing.mapping.decimal_sign == ","
    selected = []
    for name in LAKE_SCHEMAS[f"raw_{source.table}"]:
        if name in ("series_name", "value"):
            continue
        if name == "load_id":
            break
        if name == "line_id":
            sql = _line_id(table, by_title)
        elif name == "row_digest":
            sql = _row_digest(source)
        elif name in table.constants:
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
        series = _series_columns(source, table, landing)
        parameters["series_names"] = list(series)
        landing.series |= dict.fromkeys(series)
        values = [_series_value(column, comma) for column in series.values()]
        selected += [
            "unnest($series_names) as series_name",
            f"unnest([{', '.join(values)}]) as value",
        ]
    selected += [
        "$load_id as load_id",
        "date_trunc('milliseconds', $loaded_at::timestamp) as loaded_at",
        "$source_file as source_file",
        "source_row",
    ]
    return f"select {', '.join(selected)} from ({source.reader})"


def _line_id(table: TableMapping, by_title: dict[str, Column]) -> str:
    """SQL for what names a line, as JSON; null where a part of it is empty."""
    titles = table.line_id if isinstance(table, SalesTable) else []
    if not titles:
        return "null"
    parts = [f"trim({_value(by_title[title])})" for title in titles]
    whole = " and ".join(f"nullif({part}, '') is not null" for part in parts)
    return f"case when {whole} then cast(to_json([{', '.join(parts)}]) as varchar) end"


def _row_digest(source: SourceFile) -> str:
    """SQL for a digest of all columns of a row, mapped or not."""
    texts = [f"coalesce(cast({column.sql} as varchar), '')" for column in source.columns]
    return f"left(md5(concat_ws(chr(31), {', '.join(texts)})), 16)"


def _series_columns(source: SourceFile, table: RelatedTable, landing: Landing) -> dict[str, Column]:
    by_title = {column.name: column for column in source.columns}
    if not isinstance(table.series, str):
        return {name: by_title[spec.column or name] for name, spec in table.series.items()}
    others = [c for c in source.columns if c.name and c.name not in table.columns.values()]
    comma = landing.mapping.decimal_sign == ","
    parameters = {**source.parameters, "null_texts": ["", *landing.mapping.null_texts]}
    counts = ["count(*)"]
    for column in others:
        value = _series_value(column, comma)
        counts += [f"count({value})", f"count_if({is_number(value)})"]
    query = f"select {', '.join(counts)} from ({source.reader})"
    result = landing.con.execute(query, used_parameters(parameters, query)).fetchone() or ()
    numeric, rest = {}, []
    for column, n_values, n_numbers in zip(others, result[1::2], result[2::2], strict=True):
        if n_numbers and 2 * n_numbers >= n_values:
            numeric[column.name] = column
        else:
            rest.append(column.name)
    if rest:
        landing.warnings.append(
            f"{source.name}: not landed as series, because they hold no numbers: {', '.join(rest)}"
        )
    if not numeric and result and result[0]:
        raise UserError(
            "the file has no numeric column to take as a related series",
            where=f"{source.path}; columns found: {', '.join(c.name for c in source.columns)}",
            fix=f"take it away, or narrow tables.related.file in {landing.mapping.path}",
        )
    return numeric


def _text(column: Column) -> str:
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


def _value(column: Column) -> str:
    """SQL for the text of a column, null where it is one of the null texts."""
    text = _text(column)
    return f"case when list_contains($null_texts, {text}) then null else {text} end"


def _date(column: Column) -> str:
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


def _decimal_point(sql: str, column: Column) -> str:
    """SQL that turns 1.234,50 into 1234.50; typed numbers have a point already."""
    if column.type != "VARCHAR":
        return sql
    return (
        f"case when regexp_matches({sql}, '{_COMMA_NUMBER}')"
        f" then replace(replace({sql}, '.', ''), ',', '.') else {sql} end"
    )


def _series_value(column: Column, comma: bool) -> str:
    """SQL for the text of a related series: true and false are 1 and 0."""
    sql = _decimal_point(_value(column), column) if comma else _value(column)
    return f"case lower(trim({sql})) when 'true' then '1' when 'false' then '0' else {sql} end"


def is_number(sql: str) -> str:
    """SQL that says whether a text is a number with a decimal point."""
    return f"regexp_matches(trim({sql}), '{_NUMBER}')"


def is_date(sql: str) -> str:
    """SQL that says whether a text is an ISO date that exists."""
    return f"(regexp_matches({sql}, '{_ISO_DATE}') and try_cast({sql} as date) is not null)"


def used_parameters(parameters: dict[str, Any], query: str) -> dict[str, Any]:
    """The parameters that a query names; DuckDB refuses any other."""
    names = set(re.findall(r"\$([a-z_]+)", query))
    return {name: value for name, value in parameters.items() if name in names}
