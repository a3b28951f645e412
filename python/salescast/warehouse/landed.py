"""What the lake holds: its small tables are read here, the dates of sales by the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date

from salescast.lake import Lake
from salescast.warehouse import Landed


def sales_bounds_sql(relation: Callable[[str], str]) -> str:
    """A query of the first and last date with a sale, in SQL that both engines take.

    Args:
        relation: Gives what to select from for a table of the lake.
    """
    return f"""
        with active_loads as (
            select load_id from {relation("raw_loads")} as loads
            where load_id not in (
                select load_id from {relation("raw_retractions")} as retractions
            )
        ),
        sales as (
            select try_cast("date" as date) as sold_on, loaded_at
            from {relation("raw_sales")} as landed
            where load_id in (select load_id from active_loads) and "date" like '____-__-__'
        )
        select min(sold_on), max(sold_on) from sales
        where sold_on between date '1990-01-01' and cast(loaded_at as date) + interval '7' day
    """


def read_lower_bound(lake: Lake) -> float | None:
    """The least that a forecast may be, as the newest settings say; None for no bound."""
    bound = _newest_source(lake)[1].get("lower_bound")
    return float(bound) if bound else None


def read_landed(lake: Lake, first_date: date | None, last_date: date | None) -> Landed:
    """What the lake holds now, with the dates that the engine found."""
    retracted = set(lake.read("raw_retractions")["load_id"].to_pylist())
    loads = sorted(set(lake.read("raw_loads")["load_id"].to_pylist()) - retracted)
    settings_id, source = _newest_source(lake)
    requests = lake.read("requested_cutoffs")["request_id"].to_pylist()
    known = [*loads, *([settings_id] if settings_id else [])]
    return Landed(
        data_hash=hashlib.sha256(",".join(known).encode()).hexdigest(),
        first_date=first_date,
        last_date=last_date,
        week_ends_on=source.get("week_ends_on"),
        cutoff_request=max(requests, default=None),
    )


def _newest_source(lake: Lake) -> tuple[str | None, dict[str, str]]:
    """Id of the newest settings, and what they say of the source."""
    rows = lake.read("settings").to_pylist()
    settings_id = max((row["settings_id"] for row in rows), default=None)
    return settings_id, {
        row["attribute"]: row["value"]
        for row in rows
        if row["settings_id"] == settings_id and row["section"] == "source"
    }
