"""Values that go on over the end of their line: a text of several lines, or rows that a quote ate.

Between two quotes that are not closed, as in 17" TV, whole rows become a part of one value.
"""

from __future__ import annotations

from typing import Any

from salescast.errors import UserError
from salescast.ingest.landing import Landing
from salescast.ingest.source_files import SourceFile
from salescast.ingest.value_sql import written_date_sql
from salescast.lake import StagedFile
from salescast.sql_text import file_pattern, quoted_text

_N_SHOWN = 80


def check_line_breaks(source: SourceFile, staged: StagedFile, landing: Landing) -> None:
    """Tell rows with a line break inside a value.

    Raises:
        UserError: Such a value holds rows of the file.
    """
    if not _may_hold_line_breaks(source, staged, landing):
        return
    n_rows, row, title, text, n_eaten, eating = _line_breaks(source, landing)
    if n_eaten:
        raise UserError(
            "a quote is not closed and takes in the end of its line: "
            f"{'1 line' if n_eaten == 1 else f'{n_eaten:,} lines'} of the file would not be read",
            where=f"{source.path}, row {eating}",
            fix='close it; write a quote inside a value as "", and the value in quotes',
        )
    if n_rows:
        one = n_rows == 1
        landing.warnings.append(
            f"{source.name}: {'1 row has' if one else f'{n_rows:,} rows have'} a line break inside "
            f"a value, {'' if one else 'the first is '}row {row}, column {title!r}: {text!r}; if "
            "that is no text of several lines, a quote before it is not closed and took in rows: "
            'write a quote inside a value as ""'
        )


def _may_hold_line_breaks(source: SourceFile, staged: StagedFile, landing: Landing) -> bool:
    """Whether the file has quotes and more lines than rows; costs next to nothing."""
    text, layout = source.text, source.layout
    if text is None or layout is None or not text.has_quotes:
        return False
    path = quoted_text(file_pattern(staged.path))
    last_row = "max(source_row)" if source.wide is None else source.wide.row_of("max(source_row)")
    found = landing.con.execute(
        f"select {last_row} from read_parquet({path}, hive_partitioning = false)"
    ).fetchone()
    n_read = (found[0] if found else None) or 0
    return text.n_lines - layout.n_lines_before - 1 > n_read


def _line_breaks(source: SourceFile, landing: Landing) -> tuple[Any, ...]:
    """Rows with a line break, the first of them, and the lines that a value took in."""
    assert source.layout is not None
    columns, delimiter = source.layout.columns, quoted_text(source.layout.delimiter)
    has_break = " or ".join(f"regexp_matches({name}, '[\\r\\n]')" for name in columns)
    # As many delimiters as the lines have that it goes over: it went from a column to the same one.
    is_whole = (
        f"len(value) - len(replace(value, {delimiter}, ''))"
        f" = (len(pieces) - 1 - n_blank) * {len(columns) - 1}"
    )
    query = f"""
        with broken as (
            select source_row, [{", ".join(columns)}] as cells from ({source.rows})
            where {has_break}
        ),
        cells as (
            select source_row, generate_subscripts(cells, 1) as place, unnest(cells) as value
            from broken
        ),
        pieces as (
            select *, regexp_split_to_array(value, '\\r\\n|\\r|\\n') as pieces
            from cells where regexp_matches(value, '[\\r\\n]')
        ),
        counted as (
            select *, len(list_filter(pieces[2:-2], lambda piece: piece = '')) as n_blank
            from pieces
        ),
        judged as (
            select
                *,
                case
                    when {is_whole} and {_is_row(source, landing, delimiter)}
                        then len(pieces) - 1 - n_blank
                end as n_eaten
            from counted
        )
        select
            count(distinct source_row), min(source_row),
            list_extract($titles, arg_min(place, source_row)), left(arg_min(value, source_row),
                {_N_SHOWN}),
            sum(n_eaten)::bigint, min(source_row) filter (n_eaten is not null)
        from judged
    """
    titles = [source.title_of(name) for name in columns]
    parameters = {**source.parameters, "titles": titles}
    used = {name: value for name, value in parameters.items() if f"${name}" in query}
    row = landing.con.execute(query, used).fetchone()
    assert row is not None
    return row


def _is_row(source: SourceFile, landing: Landing, delimiter: str) -> str:
    """SQL that says whether the pieces of a value have a date where a row of the file has it."""
    if source.wide is not None:
        return "true"
    table = landing.mapping.tables.present()[source.table]
    column = source.column_of("date", table.columns)
    if column is None or source.layout is None:
        return "false"
    place = source.layout.columns.index(column.sql) + 1
    next_line = "list_filter(pieces[2:], lambda piece: piece <> '')[1]"
    text = (
        f"trim(case when place > {place} then string_split({next_line}, {delimiter})[{place}]"
        f" else string_split(pieces[1], {delimiter})[{place} - place + 1] end)"
    )
    day = written_date_sql(text, tuple(landing.mapping.date_format), landing.mapping)
    return f"{day} is not null"
