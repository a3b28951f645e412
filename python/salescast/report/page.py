"""Everything that the page holds, in the order in which its template shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salescast.marts.reader import Marts, Row
from salescast.report.accuracy import accuracy_tables, choose_scope
from salescast.report.chain import chain_section, weeks_ahead
from salescast.report.figures import Figure
from salescast.report.series import best_and_worst
from salescast.report.stores import stores_table

PART_WEEKS_SHOWN = 12


def page_content(source: Marts) -> Row:
    """Everything the template shows, in the order it shows it."""
    newest_week = source.row(
        "select max(week_end_date) as week from {marts}.fct_weekly_sales where sales is not null"
    )["week"]
    latest = source.row(
        """
        select max(model_id) as model_id, max(run_id) as run_id, max(cutoff_date) as cutoff_date,
            max(week_end_date) as last_week
        from {reports}.rpt_forecast_latest
        where is_forecast
        """
    )
    scope = choose_scope(source, latest["model_id"])
    events = _events(source)
    figures: dict[str, Figure] = {}
    chain = chain_section(source, latest, scope, events, newest_week)
    if chain["figure"]:
        figures["chain"] = chain["figure"]
    accuracy = accuracy_tables(source, scope)
    figures.update(accuracy["figures"])
    series = best_and_worst(source, scope, events)
    for entry in [*series["best"], *series["worst"]]:
        figures[entry["chart"]] = entry["figure"]
    return {
        "written_at": datetime.now(UTC).replace(tzinfo=None),
        "newest_week": newest_week,
        "suggested_cutoff": newest_week - timedelta(weeks=13) if newest_week else None,
        "counts": source.row(
            """
            select count(distinct item_id) as n_series, count(distinct store_id) as n_stores,
                min(week_end_date) as first_week
            from {marts}.fct_weekly_sales
            """
        ),
        "latest": latest,
        "weeks_since_cutoff": (
            (newest_week - latest["cutoff_date"]).days // 7
            if newest_week and latest["cutoff_date"]
            else 0
        ),
        "newest_runs": _newest_runs(source, latest["run_id"] or ""),
        "ahead": [weeks_ahead(source, newest_week, n_weeks) for n_weeks in (4, 13)],
        "scope": scope,
        "chain": chain,
        "accuracy": accuracy,
        "series": series,
        "stores": stores_table(source, scope, newest_week),
        "row_problems": source.rows(
            "select * from {reports}.rpt_row_problems order by n_rows desc, table_name, problem"
        ),
        "rejected": source.rows(
            "select * from {reports}.rpt_rejected_rows"
            " order by n_open_rows desc, n_rows desc, table_name, reason"
        ),
        "part_weeks": _part_weeks(source),
        "batches": source.rows(
            "select * from {reports}.rpt_batches order by started_at desc, batch_id limit 8"
        ),
        "runs": source.rows(
            """
            select * from {marts}.dim_forecast_run where is_current or run_id = $shown
            order by run_id = $shown desc, kind = 'live' desc, cutoff_date desc, landed_at desc,
                model_id
            limit 24
            """,
            shown=latest["run_id"] or "",
        ),
        "figures": figures,
    }


def _part_weeks(source: Marts) -> Row:
    """The newest weeks of which stores or series reported only a part, and how many there are."""
    return {
        "newest": source.rows(
            """
            select week_end_date as week, reason, department_id is null as is_store,
                count(*) as n, sum(reported_sales) as reported_sales,
                list(coalesce(if(department_id is null, store_id, item_id), item_id)
                    order by item_id)[:12] as item_ids
            from {reports}.rpt_part_weeks
            group by all order by week desc, is_store desc, reason limit $n_shown
            """,
            n_shown=PART_WEEKS_SHOWN,
        ),
        "counts": source.row(
            """
            select count(*) as n, count(*) filter (where department_id is null) as n_of_stores
            from {reports}.rpt_part_weeks
            """
        ),
    }


def _newest_runs(source: Marts, shown: str) -> list[Row]:
    """Of each model the run that is shown, else the newest record of a cutoff, backtests apart."""
    return source.rows(
        """
        select *, run_id = $shown as is_shown from {marts}.dim_forecast_run
        where (is_current or run_id = $shown) and kind <> 'backtest'
        qualify row_number() over (
            partition by model_id
            order by run_id = $shown desc, cutoff_date desc, landed_at desc, run_id desc
        ) = 1
        order by is_champion desc, model_id
        """,
        shown=shown,
    )


def _events(source: Marts) -> list[Row]:
    return source.rows(
        """
        select week_end_date as week, coalesce(nullif(events, ''), 'holiday') as name
        from {marts}.dim_week
        where nullif(events, '') is not null or is_holiday_week
        order by week_end_date
        """
    )
