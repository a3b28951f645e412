"""What a delivery holds, and what it does to the sales that are landed.

Rows are judged here as the staging models judge them (macros/staging/judge_rows.sql), for figures
and questions only: what counts in the warehouse is decided there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from salescast.ingest.same_sales import SameSales, same_in_one_file, same_in_other_files
from salescast.ingest.value_sql import is_date, is_number
from salescast.lake import Lake, StagedFile
from salescast.lake.digest import rows_digest_sql
from salescast.lake.loads import Load
from salescast.sql_text import file_pattern, quoted_name, quoted_text

_DAY = f"case when {is_date('trim(date)')} then cast(trim(date) as date) end"
# Exact, so that an equal sum is equal to the last digit in any order of rows.
_AMOUNT = "try_cast(case when {is_number} then trim({value}) end as decimal(28, 6))"


@dataclass(frozen=True)
class LoadFigures:
    """What the rows of one file hold: readable dates and, of sales, the sum of readable values.

    `rows_digest` stands for all that they hold (salescast.lake.digest).
    """

    rows_digest: int

    first_date: date | None = None
    last_date: date | None = None
    sales_sum: float | None = None
    days_sum: int | None = None


@dataclass(frozen=True)
class Replaced:
    """What a delivery does to landed rows of sales that count.

    Attributes:
        n_rows: Landed rows that do not count any more.
        first_date: First of their dates.
        last_date: Last of their dates.
        sum_before: Sum of sales of their stores, departments and dates before the delivery.
        sum_after: The same with it.
        n_changed: Stores, departments and dates whose sum is another one with it.
        n_changed_old: Those of them that are far before the newest landed date.
        oldest_changed: The first date of these.
        n_vanished: Of the replaced rows, those of keys with several rows of which the delivery has
            neither the row nor the line again.
        n_of_lines: Replaced rows of keys with several rows.
    """

    n_rows: int = 0
    first_date: date | None = None
    last_date: date | None = None
    sum_before: float = 0.0
    sum_after: float = 0.0
    n_changed: int = 0
    n_changed_old: int = 0
    oldest_changed: date | None = None
    n_vanished: int = 0
    n_of_lines: int = 0


@dataclass(frozen=True)
class LeftStanding:
    """Landed sales that a delivery leaves as they are although it restates what lies around."""

    n_rows: int = 0
    first_date: date | None = None
    last_date: date | None = None
    total: float = 0.0


@dataclass(frozen=True)
class Repeated:
    """Rows of a file that are, in all columns, also in another file or twice in the same."""

    source_file: str
    other_file: str
    n_repeated: int
    n_rows: int


def figures_of_load(con: duckdb.DuckDBPyConnection, table: str, staged: StagedFile) -> LoadFigures:
    """Figures of a staged file; tables without dates or sales have none of these."""
    day = _DAY if table in ("raw_sales", "raw_related") else "cast(null as date)"
    amount = _amount("sales") if table == "raw_sales" else "null"
    row = con.execute(
        f"""
        select
            {rows_digest_sql(table)},
            min({day}),
            max({day}),
            cast(sum({amount}) as double),
            cast(sum(epoch_us({day}) // 86400000000) as bigint)
        from {_staged(staged)}
        """
    ).fetchone()
    assert row is not None
    return LoadFigures(*row)


_KEYS = {
    "raw_sales": ("store", "department", "date"),
    "raw_related": ("store", "department", "date", "series_name"),
    "raw_stores": ("store",),
    "raw_departments": ("department",),
    "raw_series_changes": ("store", "department", "renamed_from"),
}


def rows_replaced_since(
    con: duckdb.DuckDBPyConnection, lake: Lake, load: Load, later: Sequence[Load]
) -> tuple[int, list[Load]]:
    """Rows of a load whose key stands in a later one, and the later loads that have such a key."""
    if not later:
        return 0, []
    keys = ", ".join(f"coalesce(trim({quoted_name(key)}), '')" for key in _KEYS[load.table_name])
    own = lake.scan_sql(load.table_name, [load.load_id])
    others = lake.scan_sql(load.table_name, [each.load_id for each in later])
    row = con.execute(
        f"""
        with own as (select row({keys}) as key, source_row from ({own})),
        others as (select distinct row({keys}) as key, load_id from ({others}))
        select count(distinct own.source_row), list(distinct others.load_id)
        from own inner join others using (key)
        """
    ).fetchone()
    if row is None or not row[0]:
        return 0, []
    return row[0], [each for each in later if each.load_id in row[1]]


class Sales:
    """The rows of a delivery beside the landed rows that they may meet.

    Args:
        con: Connection that reads the staged files.
        lake: Where earlier deliveries are.
        staged: Staged files of sales by load id.
        names: What to call a staged or landed load, by its id.
        landed: Landed loads of sales that may hold the same keys or lines.
        deliveries: Delivery by load id, of the staged files.
        gone: Landed loads that these files replace, read anew.
        adds: Whether the delivery adds to what is landed.
        sums: Whether rows of one key inside a delivery are summed.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        lake: Lake,
        staged: Mapping[str, StagedFile],
        names: Mapping[str, str],
        landed: Sequence[Load],
        deliveries: Mapping[str, str],
        gone: Collection[str],
        *,
        adds: bool,
        sums: bool,
    ) -> None:
        """Gather the rows; nothing is judged yet."""
        self._con, self._names, self._sums, self._adds = con, names, sums, adds
        gone_ids = ", ".join(quoted_text(name) for name in gone) or "''"
        self._kept = f"load_id not in ({gone_ids})"
        new = " union all by name ".join(f"from {_staged(file)}" for file in staged.values())
        old = lake.scan_sql("raw_sales", [load.load_id for load in landed])
        rows = [[load.load_id, load.delivery_id, load.adds] for load in landed]
        rows += [[load_id, deliveries[load_id], adds] for load_id in staged]
        con.execute(
            "create or replace temp table deliveries (load_id text, delivery_id text, adds bool)"
        )
        con.executemany("insert into deliveries values (?, ?, ?)", rows)
        columns = (
            "load_id, source_row, trim(store) as store, trim(department) as department,"
            f" {_DAY} as day, {_amount('sales')} as amount,"
            " line_id, row_digest"
        )
        con.execute(
            f"""
            create or replace temp table delivered as
            with read as (
                select {columns}, true as is_new from ({new})
                union all
                select {columns}, false as is_new from ({old})
            )
            select read.*, delivery_id, adds from read inner join deliveries using (load_id)
            where store <> '' and department <> '' and day is not null and amount is not null
            """
        )
        has_lines = con.execute("select count(line_id) > 0 from delivered").fetchone()
        self._has_lines = bool(has_lines and has_lines[0])

    def replaced(self, old_before: date | None, *, only_others: bool = False) -> Replaced:
        """What the delivery does to the landed rows.

        Args:
            old_before: Changes before this date are far in the past.
            only_others: Leave what the same files were before out of it.
        """
        before = f"not is_new and {self._kept}" if only_others else "not is_new"
        row = self._con.execute(
            f"""
            with before as ({self._judged(before)}),
            after as ({self._judged(self._kept)}),
            kept as (select load_id, source_row from after where not is_new),
            lost as (
                select before.* from before anti join kept using (load_id, source_row)
            ),
            lost_keys as (
                select store, department, day, count(*) as n_rows from lost group by all
            ),
            sums_before as (
                select store, department, day, sum(amount) as amount, count(*) as n_rows
                from before semi join lost_keys using (store, department, day) group by all
            ),
            sums_after as (
                select store, department, day, sum(amount) as amount, count(*) as n_rows
                from after semi join lost_keys using (store, department, day) group by all
            ),
            keys as (
                select
                    lost_keys.*,
                    sums_before.amount as amount_before,
                    coalesce(sums_after.amount, 0) as amount_after,
                    sums_after.amount is distinct from sums_before.amount as is_changed,
                    greatest(sums_before.n_rows, coalesce(sums_after.n_rows, 0)) > 1 as has_lines
                from lost_keys
                inner join sums_before using (store, department, day)
                left join sums_after using (store, department, day)
            ),
            vanished as (
                select lost.load_id, lost.source_row
                from lost
                inner join keys using (store, department, day)
                where keys.has_lines and lost.row_digest is not null
                    and lost.row_digest not in (
                        select row_digest from after where is_new and row_digest is not null
                    )
                    and coalesce(lost.line_id, '') not in (
                        select coalesce(line_id, ' ') from after where is_new
                    )
            )
            select
                cast(coalesce(sum(n_rows), 0) as bigint), min(day), max(day),
                cast(coalesce(sum(amount_before), 0) as double),
                cast(coalesce(sum(amount_after), 0) as double),
                count(*) filter (is_changed),
                count(*) filter (is_changed and day < $old_before),
                min(day) filter (is_changed and day < $old_before),
                (select count(*) from vanished),
                cast(coalesce(sum(n_rows) filter (has_lines), 0) as bigint)
            from keys
            """,
            {"old_before": old_before or date.min},
        ).fetchone()
        assert row is not None
        return Replaced(*row)

    def left_standing(self) -> LeftStanding:
        """Landed sales among the dates that each store has in the delivery, of keys it lacks.

        None where the delivery does not restate most of what is landed there: then it is one more
        department or channel, not the same export again.
        """
        row = self._con.execute(
            f"""
            with extents as (
                select store, min(day) as first_day, max(day) as last_day
                from delivered where is_new and not adds group by 1
            ),
            new_keys as (select distinct store, department, day from delivered where is_new),
            landed as (
                {self._judged(f"not is_new and {self._kept}")}
            ),
            met as (
                select landed.*, new_keys.day is not null as is_met
                from landed
                inner join extents
                    on landed.store = extents.store
                    and landed.day between extents.first_day and extents.last_day
                left join new_keys
                    on landed.store = new_keys.store
                    and landed.department = new_keys.department and landed.day = new_keys.day
            )
            select
                count(*) filter (not is_met), min(day) filter (not is_met),
                max(day) filter (not is_met),
                cast(coalesce(sum(amount) filter (not is_met), 0) as double)
            from met
            having 2 * count(*) filter (not is_met) <= count(*) filter (is_met)
            """
        ).fetchone()
        return LeftStanding(*row) if row else LeftStanding()

    def repeats(self) -> list[Repeated]:
        """Rows of each file that count a second time beside the same row of another file.

        Rows with a line id never do. Of several other files the one with most of them is named.
        """
        rows = self._con.execute(
            f"""
            with new as (select load_id, row_digest, line_id from delivered where is_new),
            places as (select distinct row_digest, load_id from delivered where {self._others()}),
            shared as (
                select new.load_id, places.load_id as other, count(*) as n_rows
                from new inner join places using (row_digest)
                where places.load_id <> new.load_id and new.line_id is null
                group by all
            ),
            sizes as (select load_id, count(*) as n_rows from new group by all)
            select
                shared.load_id, arg_max(other, shared.n_rows), max(shared.n_rows),
                any_value(sizes.n_rows)
            from shared inner join sizes using (load_id)
            group by 1 order by 1
            """
        ).fetchall()
        return [Repeated(self._names[a], self._names[b], n, size) for a, b, n, size in rows]

    def repeats_within_files(self) -> list[Repeated]:
        """Files that hold every row of theirs at least twice."""
        rows = self._con.execute(
            """
            with counted as (
                select load_id, row_digest, count(line_id) as n_ids, count(*) as n_rows
                from delivered where is_new group by load_id, row_digest
            )
            select load_id, sum(n_rows)::bigint from counted group by 1
            having min(n_rows) > 1 and sum(n_rows) >= 10 and sum(n_ids) = 0 order by 1
            """
        ).fetchall()
        return [Repeated(self._names[a], self._names[a], n, n) for a, n in rows]

    def same_sales(self) -> list[SameSales]:
        """Files with the sales of others, or with their own several times, in other words."""
        found = []
        if len(self._names) > 1:
            others = self._others()
            found += same_in_other_files(self._con, self._names, others, has_lines=self._has_lines)
        if self._sums:
            found += same_in_one_file(self._con, self._names)
        return found

    def lines_that_differ(self) -> tuple[int, int]:
        """Line ids for rows of the delivery that are not the same; of them, those in two files."""
        row = self._con.execute(
            """
            select count(*), count(*) filter (n_files > 1) from (
                select line_id, count(distinct load_id) as n_files
                from delivered where is_new and line_id is not null
                group by 1 having count(distinct row_digest) > 1
            )
            """
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    def _others(self) -> str:
        """Condition for the rows beside which the same row counts a second time."""
        counting = (["is_new"] if self._sums else []) + (["not is_new"] if self._adds else [])
        return f"({' or '.join(counting) or 'false'}) and {self._kept}"

    def _judged(self, where: str) -> str:
        """Rows that count among those of a condition."""
        once = (
            """
            qualify line_id is null or row_number() over (
                partition by line_id order by delivery_id desc, load_id, source_row
            ) = 1
            """
            if self._has_lines
            else ""
        )
        rank = (
            "1"
            if self._sums
            else (
                "row_number() over (partition by store, department, day, delivery_id"
                " order by load_id, source_row)"
            )
        )
        return f"""
            select * from (
                select *,
                    max(case when not adds then delivery_id end)
                        over (partition by store, department, day) as restated_by,
                    {rank} as row_rank
                from (select * from delivered where {where} {once})
            )
            where (restated_by is null or delivery_id >= restated_by) and row_rank = 1
        """


def _staged(file: StagedFile) -> str:
    path = quoted_text(file_pattern(file.path))
    return f"read_parquet({path}, hive_partitioning = false)"


def _amount(value: str) -> str:
    return _AMOUNT.format(is_number=is_number(value), value=value)


def plain(number: float) -> str:
    """A number as people write it in messages."""
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def dates(first: date | None, last: date | None) -> str:
    """A range of dates in messages."""
    if first is None or last is None:
        return "no date"
    return f"{first}" if first == last else f"{first} to {last}"


def counted(n: int, noun: str) -> str:
    """A number of things in messages."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
