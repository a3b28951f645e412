"""Sales that files have twice although their rows differ, in a time of export or a running number.

Compared is what is mapped: store, department, date and sales. One sale of 1.50 is like many others,
so a key counts as the same only if all its amounts are, each as often. Zeros say nothing, and sales
that are alike on all days say little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

# The amounts of a key as a whole, in any order.
_KEY = "load_id, store, department, day, count(*) as n_rows, sum(hash(amount)::hugeint) as amounts"


@dataclass(frozen=True)
class SameSales:
    """A file with the very sales that others have, or that it has itself several times.

    Attributes:
        source_file: The file.
        other_file: The one with most of them; the same file where it has them several times.
        n_same: Stores, departments and dates with the very sales of others; in one file, sales.
        n_compared: All of the file.
        n_different: How many of `n_same` are different from each other.
    """

    source_file: str
    other_file: str
    n_same: int
    n_compared: int
    n_different: int


def same_in_other_files(
    con: duckdb.DuckDBPyConnection, names: Mapping[str, str], others: str, *, has_lines: bool
) -> list[SameSales]:
    """Files of the delivery that have the sales of another file, or of all others together.

    Args:
        con: Connection that has the table `delivered` (figures.Sales).
        names: What to call a load.
        others: Condition for the rows of `delivered` beside which a row counts a second time.
        has_lines: Whether rows have line ids. One that stands in another load too counts once.
    """
    own, once = "", ""
    if has_lines:
        own = """
            and (line_id is null or line_id not in (
                select line_id from delivered where line_id is not null
                group by 1 having count(distinct load_id) > 1
            ))
        """
        once = """
            qualify line_id is null
                or row_number() over (partition by line_id order by load_id desc) = 1
        """
    rows = con.execute(
        f"""
        with new as (
            select {_KEY} from delivered where is_new and amount <> 0 {own} group by all
        ),
        others as (
            select {_KEY} from (select * from delivered where {others} and amount <> 0 {once})
            group by all
        ),
        met as (
            select
                new.load_id,
                new.store,
                new.department,
                new.day,
                any_value(hash(new.n_rows, new.amounts)) as amounts,
                min(others.load_id) filter (
                    others.n_rows = new.n_rows and others.amounts = new.amounts
                ) as same,
                case
                    when sum(others.n_rows) = any_value(new.n_rows)
                        and sum(others.amounts) = any_value(new.amounts)
                        then min(others.load_id)
                end as same_together
            from new
            inner join others using (store, department, day)
            where others.load_id <> new.load_id
            group by new.load_id, new.store, new.department, new.day
        ),
        found as (
            select
                load_id,
                mode(coalesce(same, same_together)) as other,
                count(*) as n_same,
                count(distinct amounts) as n_different
            from met where coalesce(same, same_together) is not null group by 1
        ),
        sizes as (select load_id, count(*) as n_keys from new group by 1)
        select load_id, other, n_same, n_keys, n_different
        from sizes inner join found using (load_id) order by 1
        """
    ).fetchall()
    return [SameSales(names[load_id], names[other], *counts) for load_id, other, *counts in rows]


def same_in_one_file(con: duckdb.DuckDBPyConnection, names: Mapping[str, str]) -> list[SameSales]:
    """Files of the delivery that have sales two or three times; see `same_in_other_files`."""
    rows = con.execute(
        """
        with sales as (
            select load_id, any_value(amount) as amount, count(*) as n_rows
            from delivered where is_new and amount <> 0 and line_id is null
            group by load_id, hash(store, department, day, amount)
        )
        select
            load_id, greatest(count_if(n_rows % 2 = 0), count_if(n_rows % 3 = 0)), count(*),
            count(distinct hash(amount, n_rows)) filter (n_rows > 1)
        from sales group by 1 order by 1
        """
    ).fetchall()
    return [SameSales(names[load_id], names[load_id], *counts) for load_id, *counts in rows]
