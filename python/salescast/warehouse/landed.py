"""What the lake holds: its small tables are read here, the dates of sales by the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date

from salescast.lake import Lake
from salescast.lake.loads import counted_loads
from salescast.lake.settings import newest_settings
from salescast.warehouse import Landed


def sales_bounds_sql(relation: Callable[[str], str]) -> str:
    """A query of the first and last date with a sale, in SQL that both engines take.

    Args:
        relation: Gives what to select from for a table of the lake.
    """
    return f"with {_sales_sql(relation)} select min(sold_on), max(sold_on) from sales"


def landed_series_sql(relation: Callable[[str], str], cutoffs: Sequence[date]) -> str:
    """A query of the series at some cutoffs, in SQL that both engines take.

    Each row is a cutoff, its series, and their weeks from the first sale to the cutoff.

    Args:
        relation: Gives what to select from for a table of the lake.
        cutoffs: The cutoffs, at least one.
    """
    days = ", ".join(f"(date '{cutoff.isoformat()}')" for cutoff in sorted(set(cutoffs)))
    return f"""
        with {_sales_sql(relation)},
        series as (
            select store, department, min(sold_on) as first_sold_on
            from sales group by store, department
        ),
        cutoffs as (select cutoff_date from (values {days}) as listed (cutoff_date))
        select
            cutoff_date,
            count(*) as n_series,
            cast(sum(floor(date_diff('day', first_sold_on, cutoff_date) / 7.0) + 1) as bigint)
                as n_weeks
        from series cross join cutoffs
        where first_sold_on <= cutoff_date
        group by cutoff_date
        order by cutoff_date
    """


def _sales_sql(relation: Callable[[str], str]) -> str:
    """Common table expressions up to `sales`: rows of loads that count, with a usable date."""
    return f"""
        active_loads as (
            select load_id from {relation("raw_loads")} as loads
            where load_id not in (
                select load_id from {relation("raw_retractions")} as retractions
            )
            and load_id not in (
                select replaces_load_id from {relation("raw_loads")} as replacements
                where replaces_load_id is not null
            )
        ),
        dated as (
            select store, department, try_cast("date" as date) as sold_on, loaded_at
            from {relation("raw_sales")} as landed
            where load_id in (select load_id from active_loads) and "date" like '____-__-__'
        ),
        sales as (
            select store, department, sold_on from dated
            where sold_on between date '1990-01-01' and cast(loaded_at as date) + interval '7' day
        )
    """


def landed_until_sql(lake: Lake, cutoff: date) -> str:
    """A query of DuckDB: the forecasts of landed runs for weeks up to a cutoff.

    They were made before it, and what was sold in these weeks is known at it.
    """
    return f"""
        select * from ({lake.scan_sql("forecasts")})
        where week_end_date <= date '{cutoff.isoformat()}'
            and run_id in (select run_id from ({lake.scan_sql("runs")}))
    """


def read_lower_bound(lake: Lake) -> float | None:
    """The least that a forecast may be, as the newest settings say; None for no bound."""
    bound = newest_settings(lake).source.get("lower_bound")
    return float(bound) if bound else None


def count_landed_rows(lake: Lake) -> dict[str, int]:
    """Rows of the loads that count, by table of the lake."""
    rows: dict[str, int] = {}
    for load in counted_loads(lake):
        rows[load.table_name] = rows.get(load.table_name, 0) + load.n_rows
    return rows


def count_known_future(lake: Lake) -> int:
    """Related series that the newest settings tell to be known beforehand."""
    return sum(
        (section, attribute, value) == ("related_series", "known_future", "true")
        for section, _, attribute, value in newest_settings(lake).rows
    )


def read_landed(lake: Lake, first_date: date | None, last_date: date | None) -> Landed:
    """What the lake holds now, with the dates that the engine found."""
    loads = sorted(load.load_id for load in counted_loads(lake))
    settings = newest_settings(lake)
    requests = lake.read("requested_cutoffs")["request_id"].to_pylist()
    known = [*loads, *([settings.settings_id] if settings.settings_id else [])]
    return Landed(
        data_hash=hashlib.sha256(",".join(known).encode()).hexdigest(),
        first_date=first_date,
        last_date=last_date,
        week_ends_on=settings.source.get("week_ends_on"),
        cutoff_request=max(requests, default=None),
    )
