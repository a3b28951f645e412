"""The best and the worst forecast series, each with its chart."""

from __future__ import annotations

from datetime import timedelta

from salescast.marts.measures import fact_sums, measure_columns
from salescast.marts.reader import NAIVE, Marts, Row
from salescast.report.accuracy import Scope
from salescast.report.figures import series_figure

WEEKS_BEFORE_CUTOFF = 40
N_SERIES_SHOWN = 3


def best_and_worst(source: Marts, scope: Scope | None, events: list[Row]) -> Row:
    """The series with the highest and lowest value added (WAPE without a naive), each charted.

    Only series whose summed actual is above the median take part, so that the list does not
    fill with series that hardly sell; with few series all take part.
    """
    if scope is None:
        return {"best": [], "worst": [], "by_value_added": False}
    by_value_added = scope.has_naive and scope.model_id != NAIVE
    ranked = source.rows(
        f"""
        with sums as (
            select f.item_id, {fact_sums("wape", "value_added")}
            from {{marts}}.fct_forecast_vs_actual as f
            join {{marts}}.dim_forecast_run as r using (run_id)
            where r.is_current and f.model_id = $model_id and f.actual is not null
                and r.kind = $kind and list_contains($cutoffs::date[], r.cutoff_date)
            group by f.item_id
        ),
        judged as (select *, {measure_columns("wape", "value_added")} from sums),
        ranked as (
            select *, {"-value_added" if by_value_added else "wape"} as badness
            from judged
            where {"value_added" if by_value_added else "wape"} is not null
                and (
                    sum_abs_actual > (select median(sum_abs_actual) from judged)
                    or (select count(*) from judged) < {4 * N_SERIES_SHOWN}
                )
        ),
        numbered as (
            select *,
                row_number() over (order by badness, sum_abs_actual desc, item_id) as place,
                count(*) over () as n_ranked,
                (select count(*) from judged) as n_judged
            from ranked
        )
        select n.*, s.store_id, s.department_id,
            nullif(d.department_name, d.department_id) as department_name
        from numbered as n
        left join {{marts}}.dim_series as s using (item_id)
        left join {{marts}}.dim_department as d using (department_id)
        where n.place <= {N_SERIES_SHOWN} or n.place > n.n_ranked - {N_SERIES_SHOWN}
        order by n.place
        """,
        model_id=scope.model_id,
        kind=scope.kind,
        cutoffs=scope.cutoffs,
    )
    lines = _series_lines(source, scope, [row["item_id"] for row in ranked])
    for number, row in enumerate(ranked):
        row["chart"] = f"series_{number}"
        row["figure"] = series_figure(lines[row["item_id"]], scope.cutoffs[0], events)
    n_best = min(N_SERIES_SHOWN, (len(ranked) + 1) // 2)
    return {
        "best": ranked[:n_best],
        "worst": ranked[n_best:][::-1],
        "by_value_added": by_value_added,
        "above_median": bool(ranked) and ranked[0]["n_ranked"] < ranked[0]["n_judged"],
        "cutoff_date": scope.cutoffs[0],
    }


def _series_lines(
    source: Marts, scope: Scope, item_ids: list[str]
) -> dict[str, dict[str, list[Row]]]:
    """By item: actuals from before the newest judged cutoff, judged, naive and newest forecast."""
    parameters = {"item_ids": item_ids}
    cutoff = scope.cutoffs[0]
    judged = """
        select f.item_id, f.week_end_date as week, f.p10, f.p50, f.p90
        from {marts}.fct_forecast_vs_actual as f
        join {marts}.dim_forecast_run as r using (run_id)
        where r.is_current and r.kind = $kind and r.cutoff_date = $cutoff and f.model_id = $model_id
            and list_contains($item_ids, f.item_id)
        order by f.week_end_date
    """
    found = {
        "actual": source.rows(
            """
            select item_id, week_end_date as week, sales as actual
            from {marts}.fct_weekly_sales
            where list_contains($item_ids, item_id) and week_end_date > $first_week
            order by week_end_date
            """,
            first_week=cutoff - timedelta(weeks=WEEKS_BEFORE_CUTOFF),
            **parameters,
        ),
        "judged": source.rows(
            judged, kind=scope.kind, cutoff=cutoff, model_id=scope.model_id, **parameters
        ),
        "naive": source.rows(judged, kind=scope.kind, cutoff=cutoff, model_id=NAIVE, **parameters)
        if scope.model_id != NAIVE
        else [],
        "newest": source.rows(
            """
            select item_id, week_end_date as week, p10, p50, p90, naive_p50, cutoff_date
            from {reports}.rpt_forecast_latest
            where level = 'store-department' and is_forecast and list_contains($item_ids, item_id)
            order by week_end_date
            """,
            **parameters,
        ),
    }
    lines: dict[str, dict[str, list[Row]]] = {
        item_id: {name: [] for name in found} for item_id in item_ids
    }
    for name, rows in found.items():
        for row in rows:
            lines[row["item_id"]][name].append(row)
    return lines
