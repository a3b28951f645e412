"""Cases whose answer lies in the marts: a home, and one build or run, each."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from support.cases import CASES
from support.home import Home, Rows
from support.project import project_with_tiny_model

from .commands import ingest

pytestmark = pytest.mark.dbt

NEWEST = date(2026, 11, 21)
PRE_PREDICT = ("build", "--selector", "pre_predict")


def build(home: Home, *arguments: str) -> str:
    """Give the command; returns what is said, in one line."""
    return " ".join(home.command(*(arguments or ("build",))).split())


def judged(home: Home) -> Rows:
    """Rows of sales and their sum, by what became of them."""
    return home.warehouse(
        "select row_status, count(*), sum(sales) from shop_staging.stg_retail__sales_judged"
        " group by 1 order by 1"
    )


def weekly(home: Home, what: str = "count(*), min(sales), max(sales), sum(sales)") -> Rows:
    """Figures of all weeks of each series."""
    return home.marts(
        f"select item_id, {what} from shop_marts.fct_weekly_sales group by 1 order by 1"
    )


def test_key_spellings(home: Home) -> None:
    ingest(home, "key_spellings")
    said = build(home, *PRE_PREDICT)
    stores = home.warehouse(
        "select store_id, count(*), sum(sales) from shop_staging.stg_retail__sales group by 1"
    )
    # Blanks of any kind, Unicode form and Excel's ="7" say nothing; NA is no value here.
    assert sorted(stores) == [
        ("'7", 6, 60),
        ("0", 6, 60),
        ("01", 7, 70),
        ("1", 31, 310),
        ("1.0", 6, 60),
        ("7", 12, 120),
        ("BERLIN", 6, 60),
        ("Berlin", 12, 120),
        ("Köln", 12, 120),
        ("N/A", 6, 60),
    ]
    # The others may be two stores: they are told, and not made one by guess.
    alike = home.warehouse("select distinct spellings from shop_staging.stg_retail__look_alikes")
    assert sorted(alike) == [("'7, 7",), ("01, 1, 1.0",), ("BERLIN, Berlin",)]
    assert "assert_keys_do_not_look_alike" in said
    assert "spelling = 01, spellings = 01, 1, 1.0" in said
    assert "rejection_reason = store_missing, n_rows = 6" in said


def test_late_reporting_stores(home: Home) -> None:
    ingest(home, "late_reporting_stores")
    said = build(home)
    weeks = home.marts(
        "select week_end_date, sales, is_observed, is_part_week, count(*)"
        " from shop_marts.fct_weekly_sales where week_end_date >= ? group by all order by all",
        [NEWEST - timedelta(weeks=1)],
    )
    assert weeks == [
        (NEWEST - timedelta(weeks=1), 70, True, False, 20),
        (NEWEST, 70, True, False, 8),
        (NEWEST, None, False, True, 12),
    ]
    chain = home.marts(
        "select sales, is_part_week, n_part_items from shop_marts.fct_weekly_sales_aggregate"
        " where level = 'chain' and week_end_date = ?",
        [NEWEST],
    )
    assert chain == [(None, True, 12)]
    which = ", ".join(f"S{number:02}" for number in range(8, 20))
    assert f"week_end_date = {NEWEST}, reason = late, n = 12, who = stores, which = {which}" in said


def test_month_files_overlap(home: Home) -> None:
    said = ingest(home, "month_files_overlap")
    assert "1,864 rows of 3 files, 2019-04-27 to 2019-07-01, sum of sales 2,346" in said
    build(home, *PRE_PREDICT)
    days = duckdb.execute(
        "select cast(strptime(\"Order Date\", '%m/%d/%y %H:%M') as date),"
        ' sum(cast("Quantity Ordered" as double)) from read_csv(?, all_varchar = true)'
        " group by 1 order by 1",
        [str(CASES / "month_files_overlap" / "Sales_*.csv")],
    ).fetchall()
    counted = home.warehouse(
        "select sales_date, sum(sales) from shop_staging.stg_retail__sales group by 1 order by 1"
    )
    assert counted == days
    assert sum(sales for _, sales in days) == 2_346
    # Both of them in two files.
    assert {(date(2019, 5, 1), 227), (date(2019, 6, 1), 183)} <= set(counted)
    assert judged(home) == [("accepted", 1_864, 2_346)]


def test_original_put_back(home: Home) -> None:
    for step in ("step1", "step2"):
        ingest(home, f"original_put_back/{step}")
    said = ingest(home, "original_put_back/step3")
    told = re.search(
        r"sales\.csv landed before as (\S+) and stays as it is: 219 rows of it were replaced since"
        r" by (\S+) \(sales\.csv\); --retract takes that back",
        said,
    )
    assert told, said
    assert len(home.landed("raw_loads")) == 2
    home.command("ingest", "--retract", told[2], "--reason", "withdrawn")
    build(home)
    assert weekly(home) == [("S1:A", 110, 100, 100, 11_000), ("S2:A", 110, 100, 100, 11_000)]


def test_renamed_and_discontinued(home: Home) -> None:
    ingest(home, "renamed_and_discontinued")
    said = build(home, "run", "--model", "snaive_52")
    chain = home.marts(
        "select p50 from shop_reports.rpt_forecast_latest where level = 'chain' and is_forecast"
    )
    assert chain == [(200,)] * 13
    assert "4 series, 52 rows; 2 ended, forecast as 0 (reports.rpt_ended_series)" in said
    assert home.marts(
        "select item_id, weeks_silent from shop_reports.rpt_ended_series order by 1"
    ) == [("Main St:A", 25), ("Park:OLD-SKU", 50)]
    assert "item_id = Main St:A" in said


def test_no_sale_within_context(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", project_with_tiny_model(tmp_path / "project"))
    ingest(home, "no_sale_within_context/through_run")
    said = build(home, "run", "--model", "tiny", "--horizon", "4")
    assert "13 series, 52 rows; 2 by the seasonal naive: onlynew:A, zero:A; 2 ended" in said
    assert home.marts(
        "select distinct item_id, dim_series.treatment, p50 from shop_marts.fct_forecast"
        " inner join shop_marts.dim_series using (item_id)"
        " where model_id = 'tiny' and dim_series.treatment <> 'trained' order by 1"
    ) == [
        ("oldend:A", "ended", 0),
        ("onepoint:A", "ended", 0),
        ("onlynew:A", "fallback", 40),
        ("zero:A", "fallback", 0),
    ]
    # Beside a series of 1e12 none is forecast at the level of another one.
    assert (
        home.marts(
            "with sold as (select item_id, max(abs(sales)) as most"
            "   from shop_marts.fct_weekly_sales group by 1)"
            " select item_id, mean, most from shop_marts.fct_forecast"
            " inner join sold using (item_id) where abs(mean) > 2 * most"
        )
        == []
    )


def test_rossmann_state_holiday(home: Home) -> None:
    ingest(home, "rossmann_state_holiday")
    said = build(home, *PRE_PREDICT)
    assert judged(home) == [("accepted", 980, 4_213_264)]
    flags = home.warehouse(
        "select is_holiday, count(*) from shop_staging.stg_retail__sales group by 1"
        " order by 1 nulls first"
    )
    unclear = duckdb.execute(
        "select Date, Store, cast(Sales as double) from read_csv(?, all_varchar = true)"
        " where StateHoliday <> '0'",
        [str(CASES / "rossmann_state_holiday" / "train.csv")],
    ).fetchall()
    assert flags == [(None, len(unclear)), (False, 980 - len(unclear))]
    assert len(unclear) == 10
    assert "row_problems = is_holiday_invalid" in said
    assert "n_rows = 10, sales = 50122.0" in said


def test_sum_across_files(home: Home) -> None:
    said = ingest(home, "sum_across_files")
    assert "220 rows of 2 files, 2024-10-19 to 2026-11-21, sum of sales 15,400" in said
    build(home)
    assert weekly(home) == [("S1:A", 110, 140, 140, 15_400)]


def test_year_typo_2002(home: Home) -> None:
    ingest(home, "year_typo_2002")
    said = build(home)
    first = NEWEST - timedelta(weeks=109)
    assert weekly(home, "count(*), count(sales), min(week_end_date)") == [
        ("S1:A", 110, 110, first),
        ("S2:A", 110, 110, first),
    ]
    assert home.marts("select min(week_end_date) from shop_marts.dim_week") == [(first,)]
    assert home.marts("select reason, n_rows from shop_reports.rpt_rejected_rows") == [
        ("date_far_from_the_rest", 1)
    ]
    assert "what = set_aside" in said
    assert "row_date = 2002-11-16, n_rows = 1, sales = 100" in said
