"""Rows of sales that staging will reject for a reason that can be seen before they land.

The reasons are those of models/staging/retail/stg_retail__sales_judged.sql. What only the whole
landing tells is not among them: a date far from all others, a store that has another name now.
"""

from __future__ import annotations

from dataclasses import dataclass

from salescast.ingest.landing import Landing
from salescast.ingest.landing_sql import used_parameters
from salescast.ingest.source_files import SourceFile
from salescast.ingest.value_sql import BLANKS, NUMBER, is_date, plain_text_sql
from salescast.lake import StagedFile
from salescast.mapping import WEEKDAYS
from salescast.sql_text import file_pattern, quoted_name, quoted_text

NOT_SEEN = ("date_far_from_the_rest", "store_unknown")
"""Reasons of staging for which it needs more than the files."""

# Names in each table: no value there loses the row, or makes it one of all stores or departments.
_NAMES = {
    "sales": ("store", "department"),
    "related": ("store", "department"),
    "stores": ("store",),
    "departments": ("department",),
    "series_changes": ("store", "department", "renamed_from"),
}
_SHORT_NUMBER = NUMBER.replace("[0-9]+)?$", "[0-9]{1,3})?$")


@dataclass(frozen=True)
class SetAside:
    """Rows of sales that will not count, for one reason.

    Attributes:
        reason: The reason, as in rpt_rejected_rows.
        n_rows: How many of the delivery.
        place: File and row of the first of them; empty where the reason is a repetition.
    """

    reason: str
    n_rows: int
    place: str


def sales_set_aside(landing: Landing) -> tuple[SetAside, ...]:
    """What of the sales of the delivery staging will reject, most frequent reasons first."""
    loads = {
        load_id: record
        for load_id, record in landing.records.items()
        if record["table_name"] == "raw_sales"
    }
    if not loads:
        return ()
    mapping = landing.mapping
    rows = " union all ".join(
        f"select *, {quoted_text(loads[load_id]['delivery_id'])} as delivery_id"
        f" from {_scan(landing.rows[load_id])}"
        for load_id in loads
    )
    judged = f"select *, {_reason(landing)} as reason from ({rows})"
    found = landing.con.execute(
        f"select reason, count(*), min((load_id, source_row)) from ({judged}) group by 1"
        " having reason is not null"
    ).fetchall()
    result = []
    for reason, n_rows, (load_id, row) in found:
        place = f"{loads[load_id]['source_file']}, {landing.sources[load_id].place(row)}"
        result.append(SetAside(reason, n_rows, place))
    has_lines = bool(mapping.tables.sales.line_id)
    if has_lines or mapping.duplicates == "reject":
        key = "line_id" if has_lines else "trim(store), trim(department), trim(date)"
        wanted = ["line_id is not null"] if has_lines else []
        # It is looked for once more only where there is one.
        wanted += ["reason is null"] if found else []
        repeated = landing.con.execute(
            f"select count(*) - count(distinct hash(delivery_id, {key})) from ({judged})"
            f" where {' and '.join(wanted) or 'true'}"
        ).fetchone()
        if repeated and repeated[0]:
            name = "duplicate_line" if has_lines else "duplicate_key"
            result.append(SetAside(name, repeated[0], ""))
    return tuple(sorted(result, key=lambda each: (-each.n_rows, each.reason)))


def _reason(landing: Landing) -> str:
    """SQL for why staging will reject a row of sales; null where it will not."""
    mapping = landing.mapping
    weekly = mapping.grain == "weekly"
    starts = weekly and mapping.week_label == "start"
    day = "try_cast(trim(date) as date)"
    last_day = f"{day} + 6" if starts else day
    label = WEEKDAYS.index(mapping.label_weekday) + 1
    day_after = "cast(loaded_at as date) + 1"
    latest = "cast(loaded_at as date) + 7" if weekly else day_after
    days = (
        f"""
            when isodow({day}) <> {label} then 'date_is_no_week_label'
            when {last_day} > {day_after} then 'week_is_not_over'
        """
        if weekly
        else ""
    )
    # Nearly all rows are good, and these comparisons are cheap; '_' is what only the cast reads.
    is_good = f"""
        unreadable_line is null
        and store >= '!' and store < chr(127) and department >= '!' and department < chr(127)
        and date like '____-__-__' and {last_day} between date '1990-01-01' and {day_after}
        {f"and isodow({day}) = {label}" if weekly else ""}
        and abs(try_cast(sales as double)) < 1e13 and not contains(sales, '_')
    """
    return f"""
        case
            when {is_good} then null
            when unreadable_line is not null then 'line_unreadable'
            when {_is_empty("store")} then 'store_missing'
            when {_is_empty("department")} then 'department_missing'
            when date is null then 'date_missing'
            when not {is_date("trim(date)")} then 'date_invalid'
            when {last_day} < date '1990-01-01' or {last_day} > {latest} then 'date_out_of_range'
            {days}
            when sales is null then 'sales_missing'
            when not regexp_matches(trim(sales), '{_SHORT_NUMBER}')
                or try_cast(trim(sales) as double) is null
                then 'sales_invalid'
            when abs(try_cast(trim(sales) as double)) >= 1e13 then 'sales_out_of_range'
        end
    """


def _is_empty(name: str) -> str:
    return f"({name} is null or regexp_full_match({name}, '[{BLANKS}]*'))"


def tell_null_texts(source: SourceFile, staged: StagedFile, landing: Landing) -> None:
    """Warn of names that are read as no value, such as a store that is called NA."""
    mapping, con = landing.mapping, landing.con
    table = mapping.tables.present()[source.table]
    texts = [text for text in mapping.null_texts if text]
    columns = {
        name: column
        for name in _NAMES[source.table]
        if name not in table.computed and (column := source.column_of(name, table.columns))
    }
    if not texts or not columns:
        return
    counts = ", ".join(f"count(*) - count({quoted_name(name)})" for name in columns)
    empty = con.execute(f"select {counts} from {_scan(staged)}").fetchone() or ()
    for (name, column), n_empty in zip(columns.items(), empty, strict=True):
        if not n_empty:
            continue
        query = (
            f"select {plain_text_sql(column)} as text, count(*), min(source_row)"
            f" from ({source.reader}) where list_contains($texts, text) group by 1 order by 2 desc"
        )
        parameters = {**source.parameters, "texts": texts}
        for text, n_rows, row in con.execute(query, used_parameters(parameters, query)).fetchall():
            left = [each for each in mapping.null_texts if each != text]
            rows = f"1 row has no {name}" if n_rows == 1 else f"{n_rows:,} rows have no {name}"
            landing.warnings.append(
                f"{source.name}: {rows}, because {text!r} is read as no value "
                f"({source.place(row)}{'' if n_rows == 1 else ' on'}); if it is the name of a "
                f"{'store or department' if name == 'renamed_from' else name}, set null_texts: "
                f"{left} in {mapping.path}"
            )


def _scan(staged: StagedFile) -> str:
    path = quoted_text(file_pattern(staged.path))
    return f"read_parquet({path}, hive_partitioning = false)"
