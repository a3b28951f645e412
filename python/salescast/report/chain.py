"""The whole chain: its chart, the weeks ahead and their change on last year."""

from __future__ import annotations

from datetime import date, timedelta

from salescast.marts.reader import Marts, Row
from salescast.report.accuracy import Scope
from salescast.report.figures import chain_figure

WEEKS_OF_HISTORY = 104
MAX_BACKTESTS_DRAWN = 3


def chain_section(
    source: Marts,
    latest: Row,
    scope: Scope | None,
    events: list[Row],
    newest_week: date | None,
) -> Row:
    """The chain's chart and its table of weeks ahead; no figure when there are no sales."""
    if newest_week is None:
        return {"figure": None}
    first_week = newest_week - timedelta(weeks=WEEKS_OF_HISTORY - 1)
    actual = source.rows(
        """
        select a.week_end_date as week,
            if(l.actual_without_forecast is null, a.sales, l.actual) as actual
        from {marts}.fct_weekly_sales_aggregate as a
        left join {reports}.rpt_forecast_latest as l
            on l.level = 'chain' and l.week_end_date = a.week_end_date
        where a.level = 'chain' and a.week_end_date >= $first_week
        order by a.week_end_date
        """,
        first_week=first_week,
    )
    forecast = source.rows(
        """
        select l.week_end_date as week, l.mean, l.p10, l.p50, l.p90, l.naive_p50,
            l.p50_without_actual, l.actual_without_forecast, y.actual as last_year
        from {reports}.rpt_forecast_latest as l
        left join (
            select week_end_date + 364 as week_end_date, sales as actual
            from {marts}.fct_weekly_sales_aggregate where level = 'chain'
        ) as y using (week_end_date)
        where l.level = 'chain' and l.is_forecast
        order by l.week_end_date
        """
    )
    backtests = _backtests_of_chain(source, scope, first_week)
    return {
        "figure": chain_figure(actual, forecast, backtests, latest["cutoff_date"], events),
        "has_naive": any(row["naive_p50"] is not None for row in forecast),
        "has_events": any(event["week"] >= first_week for event in events),
        "backtests": list(backtests),
        "p50_without_actual": sum(row["p50_without_actual"] or 0 for row in forecast),
        "actual_without_forecast": sum(row["actual_without_forecast"] or 0 for row in forecast),
        "weeks": [row for row in forecast if row["week"] > newest_week],
    }


def _backtests_of_chain(
    source: Marts, scope: Scope | None, first_week: date
) -> dict[date, list[Row]]:
    """Chain totals of the newest backtests that do not overlap, by cutoff.

    Only weeks with an actual are summed, over the series that have one: the line stands beside the
    actuals that judge it, and stops where the chain's total is not whole.
    """
    if scope is None or scope.kind != "backtest":
        return {}
    rows = source.rows(
        """
        select r.cutoff_date, f.week_end_date as week, sum(coalesce(f.mean, f.p50)) as forecast
        from {marts}.fct_forecast_vs_actual as f
        join {marts}.dim_forecast_run as r using (run_id)
        join {marts}.fct_weekly_sales_aggregate as a
            on a.level = 'chain' and a.week_end_date = f.week_end_date and a.sales is not null
        where r.is_current and r.kind = 'backtest' and f.model_id = $model_id
            and f.actual is not null and f.week_end_date >= $first_week
        group by all
        order by r.cutoff_date desc, week
        """,
        model_id=scope.model_id,
        first_week=first_week,
    )
    by_cutoff: dict[date, list[Row]] = {}
    for row in rows:
        by_cutoff.setdefault(row["cutoff_date"], []).append(row)
    chosen: dict[date, list[Row]] = {}
    for cutoff, weeks in by_cutoff.items():
        if len(chosen) < MAX_BACKTESTS_DRAWN and weeks[-1]["week"] <= min(chosen, default=date.max):
            chosen[cutoff] = weeks
    return chosen


def weeks_ahead(source: Marts, newest_week: date | None, n_weeks: int) -> Row:
    """The chain's forecast of the next weeks beside the same weeks of last year (52 weeks before).

    Means add up over series and weeks, so the total is a sum of means. The change is taken over the
    weeks that have sales of last year.
    """
    return source.row(
        """
        with ahead as (
            select week_end_date, coalesce(mean, p50) as forecast
            from {reports}.rpt_forecast_latest
            where level = 'chain' and is_forecast and week_end_date > $newest_week
            order by week_end_date
            limit $n_weeks
        ),
        last_year as (
            select week_end_date + 364 as week_end_date, sales as actual
            from {marts}.fct_weekly_sales_aggregate
            where level = 'chain'
        )
        select
            $n_weeks as asked_weeks,
            count(forecast) as n_weeks,
            min(week_end_date) as first_week,
            max(week_end_date) as last_week,
            sum(forecast) as forecast,
            sum(actual) as last_year,
            count(actual) as n_weeks_last_year,
            sum(forecast) filter (where actual is not null) / nullif(sum(actual), 0) - 1 as change
        from ahead left join last_year using (week_end_date)
        """,
        newest_week=newest_week,
        n_weeks=n_weeks,
    )
