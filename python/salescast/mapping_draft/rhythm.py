"""What the rows that were read say: one a day or a week, repeated or not, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import duckdb

from salescast.mapping import WEEKDAYS, Weekday
from salescast.mapping_draft.words import words_of

_FEW = 0.02
_ENDS = {"end", "ending", "ende", "fin", "fine", "einde", "we"}
_STARTS = {"start", "starting", "begin", "beginning", "beginn", "commencing", "du", "debut", "wc"}


@dataclass
class Rhythm:
    """What the rows say, with what was seen and what could not be told, by key.

    Attributes:
        grain: One row a day or a week.
        week_ends_on: Last day of the week.
        week_label: Whether weekly dates are the first or last day of their week.
        duplicates: What to do with two rows of one key.
        missing_means: What an absent row means.
        n_rows: Rows read.
        n_bad_dates: Those without a date that can be read.
        n_bad_sales: Those without a number that can be read.
        first, last: Dates.
        sales: Their sum.
        is_monthly: Whether there is one date a month or fewer.
        is_lines: Whether a row is a sale rather than a day or a week.
    """

    grain: Literal["daily", "weekly"] = "daily"
    week_ends_on: Weekday = "saturday"
    week_label: Literal["start", "end"] = "end"
    duplicates: Literal["reject", "sum"] = "reject"
    missing_means: Literal["unknown", "zero"] = "unknown"
    n_rows: int = 0
    n_bad_dates: int = 0
    n_bad_sales: int = 0
    first: date | None = None
    last: date | None = None
    sales: Any = None
    is_monthly: bool = False
    is_lines: bool = False
    why: dict[str, list[str]] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)

    def see(self, key: str, text: str) -> None:
        """Note what was seen."""
        self.why.setdefault(key, []).append(text)

    def doubt(self, key: str, text: str) -> None:
        """Note what a person has to look at."""
        self.doubts.setdefault(key, []).append(text)


def find_rhythm(
    con: duckdb.DuckDBPyConnection,
    sold: str,
    *,
    date_title: str,
    week_only: bool,
    has_lines: bool,
    is_wide: bool,
    week_end: Weekday,
) -> Rhythm:
    """Look at the rows of a table of store, department, day, sales, file; outliers are taken out.

    Args:
        con: Connection that has the table.
        sold: Its name.
        date_title: Name of the column of dates, which may say what the date of a week is.
        week_only: Whether the dates name ISO weeks.
        has_lines: Whether rows have a time of day or an order number.
        is_wide: Whether each row of the file is many dates.
        week_end: Last day of the week where the data cannot say it.
    """
    rhythm = Rhythm(week_ends_on=week_end)
    row = con.execute(
        "select count(*), count_if(day is null), count_if(sales is null), min(day), max(day),"
        f" sum(sales) from {sold}"
    ).fetchone()
    assert row is not None
    rhythm.n_rows, rhythm.n_bad_dates, rhythm.n_bad_sales = row[:3]
    rhythm.first, rhythm.last, rhythm.sales = row[3:]
    _find_outliers(con, sold, rhythm)
    _find_grain(con, sold, rhythm, date_title, week_only)
    _find_repeats(con, sold, rhythm, has_lines)
    if is_wide:
        rhythm.is_lines = False
    _find_missing(con, sold, rhythm)
    _find_negatives(con, sold, rhythm)
    return rhythm


def _find_grain(
    con: duckdb.DuckDBPyConnection, sold: str, rhythm: Rhythm, date_title: str, week_only: bool
) -> None:
    gaps = con.execute(
        "select gap, count(*) from (select day - lag(day) over (order by day) as gap from"
        f" (select distinct day from {sold} where day is not null)) where gap is not null"
        " group by 1 order by 2 desc, 1"
    ).fetchall()
    days = con.execute(
        f"select isodow(day), count(*) from {sold} where day is not null group by 1 order by 2 desc"
    ).fetchall()
    n_gaps = sum(row[1] for row in gaps)
    if week_only:
        rhythm.grain, rhythm.week_ends_on = "weekly", "sunday"
        rhythm.see("grain", "the dates name weeks")
        rhythm.see("week_ends_on", "ISO weeks end on Sunday")
        return
    if n_gaps < 3:
        rhythm.doubt("grain", f"only {n_gaps + 1} dates: are they days or weeks?")
    n_long = sum(row[1] for row in gaps if row[0] >= 26)
    if n_gaps and 2 * n_long > n_gaps and n_gaps >= 2:
        rhythm.is_monthly = True
        rhythm.doubt(
            "grain",
            f"{n_long:,} of {n_gaps:,} dates are 26 days or more after the one before: monthly "
            "data cannot be forecast by week. Ask for daily or weekly sales",
        )
        return
    n_days = sum(row[1] for row in days)
    n_weeks = sum(row[1] for row in gaps if row[0] % 7 == 0)
    if days and n_gaps and days[0][1] >= 0.9 * n_days and 10 * n_weeks >= 8 * n_gaps:
        _weekly(rhythm, WEEKDAYS[days[0][0] - 1], days[0][1], n_days, date_title)
        return
    if gaps:
        rhythm.see(
            "grain",
            f"dates fall on {len(days)} weekdays; most often {gaps[0][0]} day(s) lie between",
        )
    if len(days) < 5:
        rhythm.doubt("grain", f"dates fall on {len(days)} weekdays only: are they days?")
    rhythm.doubt(
        "week_ends_on",
        "daily data do not say when your week ends; it cannot change once forecasts exist",
    )


def _weekly(rhythm: Rhythm, weekday: str, n_rows: int, n_all: int, date_title: str) -> None:
    rhythm.grain = "weekly"
    rhythm.see("grain", f"{n_rows:,} of {n_all:,} rows are dated a {weekday.capitalize()}")
    words = set(words_of(date_title))
    number = WEEKDAYS.index(weekday)
    says_end, says_start = bool(words & _ENDS), bool(words & _STARTS)
    starts = says_start or (weekday == "monday" and not says_end)
    rhythm.week_label = "start" if starts else "end"
    rhythm.week_ends_on = WEEKDAYS[(number - 1) % 7 if starts else number]  # type: ignore[assignment]
    if says_end or says_start:
        rhythm.see("week_label", f"{date_title!r} says so")
    else:
        rhythm.doubt(
            "week_label",
            f"is the {weekday.capitalize()} the last (end) or the first day (start) of its week? "
            "It cannot change once forecasts exist",
        )


def _find_outliers(con: duckdb.DuckDBPyConnection, sold: str, rhythm: Rhythm) -> None:
    """Tell a few rows more than a year from all others, and take them out of the table."""
    con.execute(
        "create or replace temp table outside as"
        " with counted as ("
        f" select day, count(*) as n from {sold} where day is not null group by 1),"
        " around as (select day, lead(day) over up - day as gap_after, day - lag(day) over up as"
        " gap_before, sum(n) over up as n_before, sum(n) over down as n_after, sum(n) over () as"
        " n_all from counted window up as (order by day), down as (order by day desc)),"
        " ends as (select max(day) filter (gap_after > 366 and n_before <= 0.05 * n_all) as low,"
        " min(day) filter (gap_before > 366 and n_after <= 0.05 * n_all) as high from around)"
        " select day, n from counted, ends where day <= low or day >= high"
    )
    rows = con.execute("select day, n from outside order by day limit 4").fetchall()
    if rows:
        found = ", ".join(f"{row[0]} ({row[1]:,})" for row in rows)
        rhythm.doubt("date", f"dates more than a year from all others, with their rows: {found}")
        con.execute(f"delete from {sold} where day in (select day from outside)")


def _find_repeats(
    con: duckdb.DuckDBPyConnection, sold: str, rhythm: Rhythm, has_lines: bool
) -> None:
    row = con.execute(
        "select coalesce(sum(n) filter (n > 1), 0), count_if(files > 1), count_if(files > 1 and"
        " same), count_if(n > files) from (select count(*) as n, count(distinct file) as files,"
        f" min(sales) = max(sales) as same from {sold} where day is not null"
        " group by store, department, day)"
    ).fetchone() or (0, 0, 0, 0)
    n_repeated, n_across, n_same, n_within = (int(each) for each in row)
    if not n_repeated:
        rhythm.see("duplicates", "no two rows have the same store, department and date")
        return
    said = f"{n_repeated:,} of {rhythm.n_rows:,} rows share store, department and date with another"
    if n_within and (n_repeated >= _FEW * rhythm.n_rows or has_lines):
        rhythm.duplicates, rhythm.is_lines = "sum", True
        rhythm.see("duplicates", f"{said}: one row a sale, which sum to a day")
        if n_across:
            rhythm.doubt(
                "duplicates",
                f"{n_across:,} days of a store and department stand in more than one file: parts "
                "that add up, or the same sales twice?",
            )
    elif n_within:
        rhythm.see("duplicates", said)
        rhythm.doubt("duplicates", "reject takes the first of such rows, sum would add them")
    elif n_same > 0.5 * n_across:
        rhythm.see("duplicates", f"{said} in another file, {n_same:,} with the same sales")
        rhythm.doubt(
            "duplicates",
            "the same sales seem to stand in two files: take one away. reject takes the first, "
            "sum would double them",
        )
    else:
        rhythm.duplicates = "sum"
        rhythm.see("duplicates", f"{said} in another file")
        rhythm.doubt("duplicates", "sum adds the files up, as of channels; reject takes the first")


def _find_missing(con: duckdb.DuckDBPyConnection, sold: str, rhythm: Rhythm) -> None:
    if rhythm.is_lines:
        rhythm.missing_means = "zero"
        rhythm.see("missing_means", "a row is a sale, so a day without one had none")
        return
    step = 7 if rhythm.grain == "weekly" else 1
    row = con.execute(
        "select sum(n), sum(expected), (select count_if(sales = 0) from"
        f" {sold}) from (select count(distinct day) as n,"
        f" date_diff('day', min(day), max(day)) // {step} + 1 as expected from {sold}"
        " where day is not null and sales is not null group by store, department)"
    ).fetchone() or (0, 0, 0)
    n_days, n_expected, n_zeros = (int(each or 0) for each in row)
    if n_expected and n_days < 0.98 * n_expected:
        share = 100 * (1 - n_days / n_expected)
        rhythm.doubt(
            "missing_means",
            f"{share:.0f} % of the {'weeks' if step == 7 else 'days'} between a series' first and "
            f"last date have no row, and {n_zeros:,} rows have sales of 0: does no row mean that "
            "nothing was sold (zero) or that it is not known (unknown)?",
        )


def _find_negatives(con: duckdb.DuckDBPyConnection, sold: str, rhythm: Rhythm) -> None:
    row = con.execute(f"select count(*), sum(sales) from {sold} where sales < 0").fetchone()
    if row and row[0]:
        rhythm.see(
            "sales",
            f"{row[0]:,} rows are negative, {row[1]:,.2f} together: returns, which are subtracted",
        )


def n_repeated(con: duckdb.DuckDBPyConnection, sample: str) -> int:
    """Rows that are the same as another one in every column."""
    row = con.execute(
        "select coalesce(sum(n) filter (n > 1), 0) from"
        f" (select *, count(*) as n from {sample} group by all)"
    ).fetchone()
    return int(row[0]) if row else 0


def line_columns(
    con: duckdb.DuckDBPyConnection, samples: Sequence[str], columns: Sequence[str]
) -> bool:
    """Whether columns together are different in every row of some tables."""
    listed = ", ".join(columns)
    every = " union all ".join(f"select {listed} from {sample}" for sample in samples)
    row = con.execute(
        f"select count(*) = count(distinct ({listed})) and count(*) > 0 from ({every})"
    ).fetchone()
    return bool(row and row[0])
