"""The measures in Python equal those of rpt_forecast_accuracy, where nothing is sold too."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from jinja2 import Environment

from salescast.marts.measures import MEASURES, fact_sums, measure_columns, pooled_sums

REPOSITORY = Path(__file__).parents[3]
KEYS = "kind, model_id, cutoff_date, level, horizon_band"

FACTS = """
create table dim_forecast_run as
    select *, 'backtest' as kind, date '2026-01-03' as cutoff_date, true as is_current
    from (values ('a-1', 'a'), ('b-1', 'b')) as runs(run_id, model_id);
create table facts as
    select
        run_id, item_id, date '2026-01-10' as week_end_date, 1 as inputs_digest, horizon_weeks,
        actual, p50, p10, p50 + 2 as p90,
        abs(actual - p50) as abs_error, abs(actual) as abs_actual,
        (actual - p50 - 1) ** 2 as squared_error, week_weight,
        week_weight * abs(actual - p50) as weighted_abs_error,
        abs(actual - p10) / 10 as pinball_loss_p10, abs(actual - p50) / 2 as pinball_loss_p50,
        abs(actual - p50 - 2) / 10 as pinball_loss_p90,
        abs(actual - p50) / 3 as pinball_loss_deciles,
        cast(actual between p10 and p50 + 2 as integer) as n_inside_p10_p90,
        naive_abs_error, seasonal_scale
    from (values
        -- Two items and two bands; a week without an actual, one without a naive.
        ('a-1', '1:x', 1, 10e0, 8e0, 7e0, 1e0, 3e0, 2e0),
        ('a-1', '1:x', 2, 14e0, 15e0, 11e0, 5e0, 2e0, 2e0),
        ('a-1', '1:x', 5, null, 15e0, 11e0, 5e0, null, 2e0),
        ('a-1', '1:y', 2, -3e0, 1e0, -1e0, 1e0, null, null),
        ('a-1', '1:y', 5, 6e0, 9e0, 2e0, 1e0, 5e0, 4e0),
        -- Nothing sold, no band, a weight, a naive error and a scale of zero: no ratio has a value.
        ('b-1', '2:x', 1, 0e0, 0e0, null, 0e0, 0e0, 0e0),
        -- A band without any quantile beside one that has them.
        ('b-1', '2:y', 5, 4e0, 5e0, null, 1e0, 2e0, 1e0),
        ('b-1', '2:y', 6, 4e0, 5e0, 1e0, 1e0, 2e0, 1e0)
    ) as rows(run_id, item_id, horizon_weeks, actual, p50, p10, week_weight, naive_abs_error,
        seasonal_scale);
create table fct_forecast_vs_actual as select * from facts;
create table fct_forecast_vs_actual_aggregate as
    select 'chain' as level, 0e0 as p50_without_actual, * replace (':' as item_id) from facts
    where actual is not null;
create table dim_forecast_run_week as
    select run_id, 1 as run_inputs_digest from dim_forecast_run;
"""


@pytest.fixture(scope="module")
def report() -> duckdb.DuckDBPyConnection:
    """Hand-made facts, and `report` as the model's own SQL makes it of them."""
    environment = Environment(extensions=["jinja2.ext.do"])
    macros = "".join(
        (REPOSITORY / f"macros/metrics/{name}.sql").read_text()
        for name in ("safe_divide", "due_rows", "of_due_runs", "digest_of_digests")
    )
    connection = duckdb.connect()
    connection.execute(FACTS)
    for table, model in (
        ("fct_run_accuracy", "marts/forecast/fct_run_accuracy"),
        ("report", "reports/rpt_forecast_accuracy"),
    ):
        text = (REPOSITORY / f"models/{model}.sql").read_text()
        sql = environment.from_string(macros + text).render(
            ref=lambda name: name, config=lambda **_: "", is_incremental=lambda: False
        )
        connection.execute(f"create table {table} as {sql}")
    return connection


def table(
    connection: duckdb.DuckDBPyConnection, sql: str
) -> dict[tuple[str, ...], dict[str, float | None]]:
    """Measures by key."""
    found = connection.sql(sql)
    n_keys = len(found.columns) - sum(name in MEASURES for name in found.columns)
    return {
        row[:n_keys]: dict(zip(found.columns[n_keys:], row[n_keys:], strict=True))
        for row in found.fetchall()
    }


def same(
    found: dict[tuple[str, ...], dict[str, float | None]],
    expected: dict[tuple[str, ...], dict[str, float | None]],
) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        known = {name: value for name, value in values.items() if value is not None}
        assert {name for name, value in found[key].items() if value is not None} == set(known), key
        assert {name: found[key][name] for name in known} == pytest.approx(known, rel=1e-12), key


def test_the_rows_hold_what_could_go_wrong(report: duckdb.DuckDBPyConnection) -> None:
    """Each measure has a value somewhere and none somewhere, but RMSE, which has one always."""
    for measure in MEASURES:
        missing = f"count(*) filter (where {measure} is null)"
        ((n_missing, n_values),) = report.sql(
            f"select {missing}, count({measure}) from report"
        ).fetchall()
        assert n_values > 1 and (n_missing > 0 or measure == "rmse"), measure


def test_measures_are_those_of_the_report(report: duckdb.DuckDBPyConnection) -> None:
    """On the report's own sums; the columns after the sums are the measures."""
    columns = report.sql("select * from report").columns
    first = columns.index("n_rows_with_scale") + 1
    assert columns[first : first + len(MEASURES)] == list(MEASURES)
    same(
        table(report, f"select {KEYS}, {measure_columns(*MEASURES)} from report"),
        table(report, f"select {KEYS}, {', '.join(MEASURES)} from report"),
    )


def test_sums_of_facts_are_those_of_the_report(report: duckdb.DuckDBPyConnection) -> None:
    band = "case when horizon_weeks <= 4 then '1-4' else '5-13' end"
    same(
        table(
            report,
            f"""
            with sums as (
                select kind, model_id, cutoff_date, {band} as horizon_band, {fact_sums(*MEASURES)}
                from facts inner join dim_forecast_run using (run_id)
                where actual is not null
                group by all
            )
            select kind, model_id, cutoff_date, horizon_band, {measure_columns(*MEASURES)} from sums
            """,
        ),
        table(
            report,
            f"select kind, model_id, cutoff_date, horizon_band, {', '.join(MEASURES)} from report"
            " where level = 'store-department'",
        ),
    )


def test_pooled_bands_are_the_facts_of_all_of_them(report: duckdb.DuckDBPyConnection) -> None:
    """Also where a band lacks quantiles: its sums are left out, as its rows would be."""
    of_bands = f"select model_id, {pooled_sums(*MEASURES)} from report group by all"
    of_facts = f"""
        select model_id, {fact_sums(*MEASURES)} from facts
        inner join dim_forecast_run using (run_id) where actual is not null group by all
    """
    only = "where level = 'store-department' group by"
    same(
        table(
            report,
            f"select model_id, {measure_columns(*MEASURES)}"
            f" from ({of_bands.replace('group by', only)})",
        ),
        table(report, f"select model_id, {measure_columns(*MEASURES)} from ({of_facts})"),
    )
