"""SQL from the columns of a source file to the rows of a lake table."""

from __future__ import annotations

import re
from typing import Any

from salescast.errors import UserError
from salescast.ingest.expression_sql import Cells, ExpressionSql
from salescast.ingest.landing import Landing
from salescast.ingest.source_files import SourceFile
from salescast.ingest.value_sql import Column, date_sql, is_number, number_sql, text_sql
from salescast.ingest.withdrawn import with_withdrawn
from salescast.lake import LAKE_SCHEMAS
from salescast.mapping import Mapping, RelatedTable, SalesTable, TableMapping

_DATES = {"date", "opened_on", "closed_on"}
_NUMBERS = {"sales", "size"}


def landing_query(
    source: SourceFile, table: TableMapping, landing: Landing, parameters: dict[str, Any]
) -> str:
    """A select of the rows of a lake table; constants and series names are put in `parameters`."""
    expressions = _expressions(source, landing.mapping, parameters)
    selected = []
    for name in LAKE_SCHEMAS[f"raw_{source.table}"]:
        if name in ("series_name", "value"):
            continue
        if name == "load_id":
            break
        if name in table.computed:
            computed = expressions.value(table.computed[name])
            sql = f"case when unreadable_line is null then {computed} end"
        else:
            sql = _value(name, source, table, landing.mapping, parameters)
        selected.append(f'{sql} as "{name}"')
    if isinstance(table, RelatedTable):
        series = _series_columns(source, table, landing)
        parameters["series_names"] = list(series)
        landing.series |= dict.fromkeys(series)
        values = ", ".join(_series_value(each, landing.mapping) for each in series.values())
        # A line that cannot be read is of no series and lands once.
        selected += [
            "unnest(case when unreadable_line is null then $series_names else [null] end)"
            " as series_name",
            f"unnest(case when unreadable_line is null then [{values}] else [null] end) as value",
        ]
    selected += [
        "$load_id as load_id",
        "date_trunc('milliseconds', $loaded_at::timestamp) as loaded_at",
        "$source_file as source_file",
        "source_row",
    ]
    if not table.kept:
        return f"select {', '.join(selected)} from ({source.reader})"
    is_kept = f"unreadable_line is not null or ({expressions.keeps(table.kept)})"
    rows = f"select {', '.join(selected)}, {is_kept} as is_kept from ({source.reader})"
    return with_withdrawn(rows, table, landing.mapping)


def left_out_query(
    source: SourceFile, table: TableMapping, mapping: Mapping, parameters: dict[str, Any]
) -> str:
    """A select of the number of rows that `keep` leaves out, their sales, and how many it keeps."""
    expressions = _expressions(source, mapping, parameters)
    sales = "null"
    if "sales" in table.computed:
        sales = expressions.value(table.computed["sales"])
    elif column := source.column_of("sales", table.columns):
        sales = number_sql(column, mapping)
    return (
        "select count_if(not is_kept), sum(sales) filter (not is_kept), count_if(is_kept) from"
        f" (select try_cast({sales} as decimal(38, 4)) as sales, unreadable_line is not null or"
        f" ({expressions.keeps(table.kept)}) as is_kept from ({source.reader}))"
    )


def compared_query(
    source: SourceFile, title: str, mapping: Mapping, parameters: dict[str, Any]
) -> str:
    """A select of the most frequent texts of a column, as an expression compares them."""
    text = _expressions(source, mapping, parameters).compared(title)
    return f"select {text} from ({source.reader}) group by 1 order by count(*) desc limit 200"


def _expressions(source: SourceFile, mapping: Mapping, parameters: dict[str, Any]) -> ExpressionSql:
    by_title = {column.name: column for column in reversed(source.columns)}

    def number(title: str) -> str:
        sql = number_sql(by_title[title], mapping)
        return f"case when {is_number(sql)} then trim({sql}) end"

    return ExpressionSql(Cells(lambda title: text_sql(by_title[title]), number), parameters)


def _line_id(table: TableMapping, source: SourceFile) -> str:
    """SQL for what names a line, as JSON; null where a part of it is empty."""
    titles = table.line_id if isinstance(table, SalesTable) else []
    if not titles:
        return "null"
    by_title = {column.name: column for column in source.columns}
    parts = [f"trim({text_sql(by_title[title])})" for title in titles]
    whole = " and ".join(f"nullif({part}, '') is not null" for part in parts)
    return f"case when {whole} then cast(to_json([{', '.join(parts)}]) as varchar) end"


def _row_digest(source: SourceFile) -> str:
    """SQL for a digest of all columns of a row, mapped or not."""
    names = ["unreadable_line", *(column.sql for column in source.every_column)]
    texts = [f"coalesce(cast({name} as varchar), '')" for name in names]
    return f"left(md5(concat_ws(chr(31), {', '.join(texts)})), 16)"


def _value(
    name: str,
    source: SourceFile,
    table: TableMapping,
    mapping: Mapping,
    parameters: dict[str, Any],
) -> str:
    """SQL for one column of the lake's table."""
    if name == "unreadable_line":
        return name
    if name == "line_id":
        return _line_id(table, source)
    if name == "row_digest":
        return _row_digest(source)
    if name in table.constants:
        parameters[f"constant_{name}"] = table.constants[name]
        return f"case when unreadable_line is null then $constant_{name} end"
    column = source.column_of(name, table.columns)
    if column is None:
        return "null"
    if name in _DATES:
        return date_sql(column, mapping)
    return number_sql(column, mapping) if name in _NUMBERS else text_sql(column)


def _series_columns(source: SourceFile, table: RelatedTable, landing: Landing) -> dict[str, Column]:
    by_title = {column.name: column for column in source.columns}
    if not isinstance(table.series, str):
        if source.wide:
            return {name: source.wide.columns[name] for name in table.series}
        return {name: by_title[spec.column or name] for name, spec in table.series.items()}
    others = [c for c in source.columns if c.name and c.name not in table.columns.values()]
    parameters = {**source.parameters, "null_texts": ["", *landing.mapping.null_texts]}
    counts = ["count(*)"]
    for column in others:
        value = _series_value(column, landing.mapping)
        counts += [f"count({value})", f"count_if({is_number(value)})"]
    query = f"select {', '.join(counts)} from ({source.reader})"
    result = landing.con.execute(query, used_parameters(parameters, query)).fetchone() or ()
    numeric: dict[str, Column] = {}
    rest, twice = [], []
    for column, n_values, n_numbers in zip(others, result[1::2], result[2::2], strict=True):
        if not (n_numbers and 2 * n_numbers >= n_values):
            rest.append(column.name)
        elif column.name in numeric:
            twice.append(column.name)
        else:
            numeric[column.name] = column
    if twice:
        raise UserError(
            f"the header names a numeric column more than once: {', '.join(twice)}",
            where=str(source.path),
            fix="give each a name of its own, or list the wanted series in tables.related.series "
            f"in {landing.mapping.path}",
        )
    if rest:
        landing.warnings.append(
            f"{source.name}: not landed as series, because they hold no numbers: "
            f"{', '.join(dict.fromkeys(rest))}"
        )
    if not numeric and result and result[0]:
        raise UserError(
            "the file has no numeric column to take as a related series",
            where=f"{source.path}; columns found: {', '.join(c.name for c in source.columns)}",
            fix=f"take it away, or narrow tables.related.file in {landing.mapping.path}",
        )
    return numeric


def _series_value(column: Column, mapping: Mapping) -> str:
    """SQL for the text of a related series: true and false are 1 and 0."""
    sql = number_sql(column, mapping)
    return f"case lower(trim({sql})) when 'true' then '1' when 'false' then '0' else {sql} end"


def used_parameters(parameters: dict[str, Any], query: str) -> dict[str, Any]:
    """The parameters that a query names; DuckDB refuses any other."""
    names = set(re.findall(r"\$([a-z_]+)", query))
    return {name: value for name, value in parameters.items() if name in names}
