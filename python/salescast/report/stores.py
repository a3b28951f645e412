"""The table of stores: forecast ahead, change on last year and accuracy."""

from __future__ import annotations

from datetime import date

from salescast.marts.measures import fact_sums, measure_columns
from salescast.marts.reader import Marts, Row
from salescast.report.accuracy import Scope

N_STORES_SHOWN = 10


def stores_table(source: Marts, scope: Scope | None, newest_week: date | None) -> Row:
    """One row a store: forecast of the next 13 weeks, change on last year, accuracy."""
    rows = source.rows(
        f"""
        with weeks as (
            select distinct week_end_date from {{reports}}.rpt_forecast_latest
            where level = 'store' and is_forecast and week_end_date > $newest_week
            order by week_end_date limit 13
        ),
        last_year as (
            select store_id, week_end_date + 364 as week_end_date, sales as actual
            from {{marts}}.fct_weekly_sales_aggregate
            where level = 'store'
        ),
        ahead as (
            select l.store_id, sum(coalesce(l.mean, l.p50)) as forecast,
                sum(coalesce(l.mean, l.p50)) filter (where y.actual is not null)
                    / nullif(sum(y.actual), 0) - 1 as change
            from {{reports}}.rpt_forecast_latest as l
            join weeks using (week_end_date)
            left join last_year as y
                on y.store_id = l.store_id and y.week_end_date = l.week_end_date
            where l.level = 'store' and l.is_forecast
            group by l.store_id
        ),
        sums as (
            select f.store_id, {fact_sums("wape", "value_added")}
            from {{marts}}.fct_forecast_vs_actual as f
            join {{marts}}.dim_forecast_run as r using (run_id)
            where r.is_current and f.model_id = $model_id and f.actual is not null
                and r.kind = $kind and list_contains($cutoffs::date[], r.cutoff_date)
            group by f.store_id
        ),
        judged as (
            select store_id, {measure_columns("wape", "value_added")} from sums
        ),
        stores as (
            select store_id, count(*) as n_series from {{marts}}.dim_series group by store_id
        ),
        shown as (
            select store_id from ahead
            union
            select store_id from judged
        )
        select store_id, stores.n_series, t.store_type, t.region, t.opened_on, t.closed_on,
            forecast, change, wape, value_added
        from shown
        left join stores using (store_id)
        left join {{marts}}.dim_store as t using (store_id)
        left join ahead using (store_id)
        left join judged using (store_id)
        where forecast is not null or wape is not null
        order by wape nulls last, forecast desc nulls last, store_id
        """,
        newest_week=newest_week,
        model_id=scope.model_id if scope else "",
        kind=scope.kind if scope else "",
        cutoffs=scope.cutoffs if scope else [],
    )
    judged = any(row["wape"] is not None for row in rows)
    if not judged:
        rows.sort(key=lambda row: -(row["forecast"] or 0))
    parts = [("", rows)] if rows else []
    if len(rows) > 2 * N_STORES_SHOWN:
        first, last = (
            ("lowest WAPE", "highest WAPE") if judged else ("largest forecast", "smallest forecast")
        )
        parts = [
            (f"The {N_STORES_SHOWN} stores with the {first}", rows[:N_STORES_SHOWN]),
            (f"The {N_STORES_SHOWN} stores with the {last}", rows[-N_STORES_SHOWN:]),
        ]
    return {
        "n_stores": len(rows),
        "parts": parts,
        "judged": judged,
        "largest_forecast": max((abs(row["forecast"] or 0) for row in rows), default=0),
        "largest_wape": max((row["wape"] or 0 for row in rows), default=0),
    }
