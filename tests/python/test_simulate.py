"""The demo chain is deterministic, has the landing's columns and looks like retail."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dateutil.easter import easter  # type: ignore[import-untyped, unused-ignore]

from salescast.errors import UserError
from salescast.simulate import (
    DEFAULT_END,
    PLANNED_WEEKS,
    SimulationSummary,
    easter_sunday,
    simulate,
)

MAPPING = Path(__file__).parents[2] / "mappings" / "demo.yml"
HEADERS = {
    "related.csv": "store,date,promotion,temperature,price_index",
    "stores.csv": "store,type,size,region,opened_on,closed_on",
    "departments.csv": "department,name,category",
}
SALES_HEADER = ["store", "department", "date", "sales", "is_holiday", "is_stocked_out"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return simulate(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def warehouse(demo: SimulationSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """Landed text as `raw`, good rows as `sales`, their weeks as `weekly`, and `related`."""
    con = duckdb.connect()
    con.execute(
        "create table raw as select * from read_csv(?, all_varchar = true)",
        [str(demo.folder / "sales.csv.gz")],
    )
    con.execute(
        """
        create table sales as
        select store, department, cast(date as date) as date, cast(sales as double) as sales,
            is_stocked_out = 'true' as is_stocked_out, is_holiday = 'true' as is_holiday
        from raw
        where try_cast(date as date) is not null and try_cast(sales as double) is not null
            and store in (select store from read_csv(?)) and department is not null
        qualify count(*) over (partition by store, department, date) = 1
        """,
        [str(demo.folder / "stores.csv")],
    )
    con.execute(
        """
        create table weekly as
        select store, department, date + cast(6 - dayofweek(date) as integer) as week_end_date,
            sum(sales) as sales, bool_or(is_stocked_out) as is_stocked_out
        from sales group by all having count(*) = 7
        """
    )
    con.execute(
        "create table related as select * from read_csv(?)", [str(demo.folder / "related.csv")]
    )
    con.execute(
        """
        create table compared as
        with promotions as (
            select store, date as week_end_date, promotion from related where dayofweek(date) = 6
        )
        select this.*, before.sales as last_year, promotion - promotion_before as more_promotion
        from weekly as this
        join weekly as before
            on before.store = this.store and before.department = this.department
            and before.week_end_date = this.week_end_date - 364
        join promotions
            on promotions.store = this.store and promotions.week_end_date = this.week_end_date
        join (select store, week_end_date, promotion as promotion_before from promotions) as earlier
            on earlier.store = this.store and earlier.week_end_date = before.week_end_date
        """
    )
    yield con
    con.close()


def _value(con: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> Any:
    return con.execute(query, values or []).fetchall()[0][0]


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_same_seed_gives_same_bytes_and_another_seed_other_rows(
    tmp_path: Path, file_format: Any
) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        simulate(tmp_path / name, stores=4, weeks=60, seed=seed, file_format=file_format)
    one = _digests(tmp_path / "one")
    assert len(one) == 4
    assert one == _digests(tmp_path / "two")
    if file_format == "csv":
        # A gzip header may hold the time of writing, which two quick runs share.
        assert (tmp_path / "one" / "sales.csv.gz").read_bytes()[4:8] == bytes(4)
    other = _digests(tmp_path / "other")
    assert all(one[name] != other[name] for name in one if name != "departments.csv")


def test_one_more_week_repeats_the_history(tmp_path: Path) -> None:
    folders = ("now", "later")
    for more, name in enumerate(folders):
        end = DEFAULT_END + timedelta(weeks=more)
        simulate(tmp_path / name, weeks=110 + more, end=end, grain="weekly", file_format="parquet")
    con = duckdb.connect()
    # Temperature and price index of the new week were blank before, promotions were planned.
    for file, columns in (("sales.parquet", "*"), ("related.csv", "store, date, promotion")):
        now, later = (f"select {columns} from '{tmp_path / name / file}'" for name in folders)
        assert _value(con, f"select count(*) from ({now} except all {later})") == 0, file
    new_weeks = con.execute(
        f"select distinct date from '{tmp_path}/later/sales.parquet' where date > ?", [DEFAULT_END]
    ).fetchall()
    assert new_weeks == [(DEFAULT_END + timedelta(weeks=1),)]


def test_days_sum_to_the_weeks_of_the_weekly_grain(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    simulate(tmp_path, grain="weekly", defects=False)
    joined = warehouse.execute(
        f"""
        select count(*), max(abs(weekly.sales - other.sales))
        from weekly
        join '{tmp_path}/sales.csv.gz' as other
            on weekly.store = other.store and weekly.department = other.department
            and weekly.week_end_date = other.date
        where weekly.department in ('grocery', 'garden', 'sweets')  -- none of them has returns
        """
    ).fetchall()[0]
    assert joined[0] > 4500
    assert joined[1] < 0.05


def test_parquet_holds_the_rows_of_the_csv(tmp_path: Path) -> None:
    for file_format in ("csv", "parquet"):
        simulate(tmp_path / file_format, stores=3, weeks=60, defects=False, file_format=file_format)
    one, other = tmp_path / "csv" / "sales.csv.gz", tmp_path / "parquet" / "sales.parquet"
    con = duckdb.connect()
    types = [row[1] for row in con.execute(f"describe select * from '{other}'").fetchall()]
    assert types == ["VARCHAR", "VARCHAR", "DATE", "DOUBLE", "BOOLEAN", "BOOLEAN"]
    for left, right in ((one, other), (other, one)):
        assert _value(con, f"select count(*) from (from '{left}' except all from '{right}')") == 0


def test_files_have_the_canonical_columns(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert [path.name for path in demo.files] == ["sales.csv.gz", *HEADERS]
    assert {path.name for path in demo.folder.iterdir()} == {path.name for path in demo.files}
    for name, header in HEADERS.items():
        assert (demo.folder / name).read_text().splitlines()[0] == header
    columns = [row[0] for row in warehouse.execute("describe raw").fetchall()]
    assert columns == SALES_HEADER
    assert sum(path.stat().st_size for path in demo.files) < 5_000_000


def test_summary_tells_what_was_written(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert demo.end_date == DEFAULT_END
    assert (demo.end_date.weekday(), demo.first_date.weekday()) == (5, 6)
    assert demo.end_date - demo.first_date == timedelta(days=7 * 160 - 1)
    assert demo.n_rows == _value(warehouse, "select count(*) from raw")
    assert demo.n_series == 144
    span = warehouse.execute("select min(date), max(date) from sales").fetchall()[0]
    assert span == (demo.first_date, demo.end_date)


def test_end_moves_to_the_last_saturday(tmp_path: Path) -> None:
    summary = simulate(tmp_path, stores=1, departments=1, weeks=8, end=date(2024, 7, 5))
    assert summary.end_date == date(2024, 6, 29)


DEFECT_CONDITIONS = {
    "blank_sales": "sales is null",
    "text_in_sales": "sales is not null and try_cast(sales as double) is null",
    "impossible_date": "try_cast(date as date) is null",
    "unknown_store": "store not in (select store from known)",
    "blank_store": "store is null",
    "blank_department": "department is null",
}


def test_defects_are_few_and_of_each_kind(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert sum(demo.defects.values()) <= 20
    warehouse.execute(
        f"create or replace temp table known as select store from '{demo.folder}/stores.csv'"
    )
    for kind, condition in DEFECT_CONDITIONS.items():
        found = _value(warehouse, f"select count(*) from raw where {condition}")
        assert found == demo.defects[kind] > 0, kind
    repeated = """
        select count(*) from (
            select 1 from raw group by store, department, date
            having count(*) = 2 and count(distinct sales) = {})
    """
    assert _value(warehouse, repeated.format(1)) == demo.defects["same_row_twice"] == 2
    assert _value(warehouse, repeated.format(2)) == demo.defects["other_sales_for_a_key"] == 2
    assert demo.defects.keys() == DEFECT_CONDITIONS.keys() | {
        "same_row_twice",
        "other_sales_for_a_key",
    }


def test_without_defects_every_row_is_good(tmp_path: Path) -> None:
    summary = simulate(tmp_path, stores=5, weeks=60, defects=False)
    con = duckdb.connect()
    # Types are found by the reader only if every value has its type.
    types = [row[1] for row in con.execute(f"describe '{tmp_path}/sales.csv.gz'").fetchall()]
    assert types == ["VARCHAR", "VARCHAR", "DATE", "DOUBLE", "BOOLEAN", "BOOLEAN"]
    assert summary.defects == {}
    keys = "select count(*), count(distinct (store, department, date)) from"
    counts = con.execute(f"{keys} '{tmp_path}/sales.csv.gz'").fetchall()[0]
    assert counts == (summary.n_rows, summary.n_rows)


def _chain_weeks(con: duckdb.DuckDBPyConnection, department: str) -> dict[date, float]:
    return dict(
        con.execute(
            "select week_end_date, sum(sales) from weekly where department = ? group by 1",
            [department],
        ).fetchall()
    )


def test_toys_peak_before_christmas(warehouse: duckdb.DuckDBPyConnection) -> None:
    weeks = _chain_weeks(warehouse, "toys")
    usual = sorted(weeks.values())[len(weeks) // 2]
    for year in (2023, 2024, 2025):
        of_year = {week: sales for week, sales in weeks.items() if week.year == year}
        peak = max(of_year, key=lambda week: of_year[week])
        assert 0 < (date(year, 12, 25) - peak).days < 14
        assert of_year[peak] > 3 * usual


def test_sweets_follow_easter_when_it_moves(warehouse: duckdb.DuckDBPyConnection) -> None:
    weeks = _chain_weeks(warehouse, "sweets")
    peaks = []
    for year in (2024, 2025, 2026):
        spring = {week: sales for week, sales in weeks.items() if week.year == year}
        spring = {week: sales for week, sales in spring.items() if week.month in (3, 4)}
        peak = max(spring, key=lambda week: spring[week])
        assert peak == easter(year) - timedelta(days=1)
        peaks.append(peak - timedelta(days=364 * (year - 2024)))
    assert len(set(peaks)) == 3


def test_bakery_peaks_in_the_week_of_thanksgiving(warehouse: duckdb.DuckDBPyConnection) -> None:
    weeks = _chain_weeks(warehouse, "bakery")
    for thanksgiving in (date(2023, 11, 23), date(2024, 11, 28), date(2025, 11, 27)):
        week = thanksgiving + timedelta(days=2)
        neighbours = [weeks[week - timedelta(days=days)] for days in (14, 21)]
        assert weeks[week] > 1.1 * max(neighbours)


def test_shops_are_busier_at_the_weekend_and_shut_at_christmas(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    by_day = dict(
        warehouse.execute("select dayofweek(date), avg(sales) from sales group by 1").fetchall()
    )
    assert by_day[6] == max(by_day.values())
    assert by_day[6] > 1.25 * by_day[2]
    christmas = warehouse.execute(
        "select distinct sales from sales where strftime(date, '%m-%d') = '12-25'"
    ).fetchall()
    assert christmas == [(0.0,)]


def test_holidays_are_flagged(warehouse: duckdb.DuckDBPyConnection) -> None:
    flagged = warehouse.execute(
        "select distinct date from sales where is_holiday and year(date) = 2025 order by 1"
    ).fetchall()
    assert [day for (day,) in flagged] == [
        date(2025, 1, 1), date(2025, 5, 26), date(2025, 7, 4),
        date(2025, 9, 1), date(2025, 11, 27), date(2025, 12, 25),
    ]  # fmt: skip


def test_promotions_lift_sales(warehouse: duckdb.DuckDBPyConnection) -> None:
    slopes = dict(
        warehouse.execute(
            """
            select department, regr_slope(ln(sales / last_year), more_promotion)
            from compared where sales > 0 and last_year > 0 group by 1
            """
        ).fetchall()
    )
    assert len(slopes) == 12
    assert min(slopes.values()) > 0.12
    assert slopes["electronics"] > slopes["grocery"] + 0.1


def test_promotions_fall_in_other_weeks_than_last_year(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    share = _value(
        warehouse, "select avg(cast(abs(more_promotion) > 0.4 as integer)) from compared"
    )
    assert 0.15 < share < 0.6


def test_series_start_late_end_early_and_have_gaps(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute(
        f"""
        create or replace temp table lives as
        select store, department, min(date) as first_date, max(date) as last_date,
            count(distinct date_trunc('week', date + 1)) as n_weeks, count(*) as n_days
        from sales
        join '{demo.folder}/stores.csv' using (store)
        where closed_on is null and opened_on < date '{demo.first_date}'
        group by all
        """
    )
    first, last = f"date '{demo.first_date}' + 7", f"date '{demo.end_date}' - 7"
    conditions = {
        "late": f"first_date > {first} and last_date > {last} and n_weeks >= 10",
        "ended": f"first_date <= {first} and last_date < {last} and n_weeks >= 10",
        "short and over": f"n_weeks < 10 and last_date < {last}",
        "short and new": f"n_weeks < 10 and last_date > {last}",
        "gap of weeks": "n_weeks between 20 and date_diff('day', first_date, last_date) // 7 - 1",
        "complete": f"first_date <= {first} and last_date > {last} and n_weeks = 160",
    }
    for kind, condition in conditions.items():
        assert _value(warehouse, f"select count(*) from lives where {condition}") >= 1, kind
    assert _value(warehouse, f"select count(*) from lives where {conditions['complete']}") > 90
    # More single days are missing than the defects took away.
    n_missing_days = _value(warehouse, "select sum(n_weeks * 7 - n_days) from lives")
    assert n_missing_days > sum(demo.defects.values())


def test_stores_open_and_close_with_their_sales(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    spans = warehouse.execute(
        f"""
        select closed_on, opened_on, min(date), max(date)
        from '{demo.folder}/stores.csv' join sales using (store) group by all
        """
    ).fetchall()
    assert len(spans) == 12
    closed = [span for span in spans if span[0] is not None]
    opened = [span for span in spans if span[1] > demo.first_date]
    assert len(closed) == len(opened) == 1
    assert closed[0][3] == closed[0][0]
    assert opened[0][2] == opened[0][1]
    assert all(span[3] == demo.end_date for span in spans if span[0] is None)


def test_returns_and_stockouts_are_rare_but_there(warehouse: duckdb.DuckDBPyConnection) -> None:
    share_negative = _value(warehouse, "select avg(cast(sales < 0 as integer)) from sales")
    assert 0 < share_negative < 0.002
    stocked_out, all_weeks = warehouse.execute(
        """
        select median(sales / last_year) filter (is_stocked_out), median(sales / last_year)
        from compared where last_year > 0
        """
    ).fetchall()[0]
    assert stocked_out < 0.8 * all_weeks


def test_small_departments_are_noisier(warehouse: duckdb.DuckDBPyConnection) -> None:
    spread = dict(
        warehouse.execute(
            """
            select department, median(abs(ln(sales / before)))
            from (
                select *, lag(sales) over (
                    partition by store, department order by week_end_date) as before
                from weekly where month(week_end_date) in (1, 2, 6, 9) and sales > 0
            ) where before > 0 group by 1
            """
        ).fetchall()
    )
    assert spread["jewellery"] > 1.5 * spread["grocery"]


def test_promotions_are_planned_ahead_and_weather_is_not(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    assert demo.planned_until == demo.end_date + timedelta(weeks=PLANNED_WEEKS)
    n_days = (demo.planned_until - demo.first_date).days + 1
    per_store = warehouse.execute(
        """
        select distinct count(promotion), min(date), max(date),
            count(temperature), max(date) filter (temperature is not null),
            max(date) filter (price_index is not null)
        from related group by store
        """
    ).fetchall()
    assert per_store == [
        (n_days, demo.first_date, demo.planned_until, 160 * 7, demo.end_date, demo.end_date)
    ]
    future = warehouse.execute(
        "select min(promotion), max(promotion), avg(promotion) from related where date > ?",
        [demo.end_date],
    ).fetchall()[0]
    assert future[0] >= 0 and future[1] <= 1
    assert 0.08 < future[2] < 0.4


def test_a_model_with_promotions_beats_the_seasonal_naive(
    demo: SimulationSummary, warehouse: duckdb.DuckDBPyConnection
) -> None:
    cutoff = demo.end_date - timedelta(weeks=13)
    naive, model, n_scored = warehouse.execute(
        """
        with train as (select * from compared where week_end_date <= $cutoff),
        uplift as (
            select department, regr_slope(ln(sales / last_year), more_promotion) as slope
            from train where sales > 0 and last_year > 0 group by 1
        ),
        growth as (
            select store, department,
                sum(sales) / sum(last_year * exp(slope * more_promotion)) as ratio
            from train join uplift using (department)
            where week_end_date > $cutoff - 91 group by all
        ),
        scored as (
            select sales, last_year,
                last_year * exp(slope * more_promotion) * ratio as forecast
            from compared join uplift using (department) join growth using (store, department)
            where week_end_date > $cutoff
        )
        select sum(abs(sales - last_year)) / sum(abs(sales)),
            sum(abs(sales - forecast)) / sum(abs(sales)), count(*)
        from scored
        """,
        {"cutoff": cutoff},
    ).fetchall()[0]
    assert n_scored > 1400
    assert 0.12 < naive < 0.20
    assert model < 0.8 * naive


def test_three_thousand_series_take_seconds(tmp_path: Path) -> None:
    began = time.perf_counter()
    summary = simulate(tmp_path, stores=50, departments=60, grain="weekly")
    # It takes about one second; the bound leaves room for a busy machine.
    assert time.perf_counter() - began < 15
    assert summary.n_series == 3000


def test_many_departments_have_distinct_names(tmp_path: Path) -> None:
    simulate(tmp_path, stores=1, departments=60, weeks=8, defects=False)
    names = duckdb.execute(f"select count(distinct department), count(distinct name) "
                           f"from '{tmp_path}/departments.csv'").fetchall()  # fmt: skip
    assert names == [(60, 60)]


def test_blocks_of_stores_are_written_once_each(tmp_path: Path) -> None:
    summary = simulate(tmp_path, stores=150, departments=2, weeks=9, grain="weekly", defects=False)
    rows = duckdb.execute(
        f"""select count(distinct store), count(*), count(distinct (store, department, date))
        from '{tmp_path}/sales.csv.gz'"""
    ).fetchall()
    assert rows == [(150, summary.n_rows, summary.n_rows)]
    assert duckdb.execute(
        f"select count(distinct store), count(*) from '{tmp_path}/related.csv'"
    ).fetchall() == [(150, 150 * (9 + PLANNED_WEEKS))]


@pytest.mark.parametrize(
    "wrong",
    [{"stores": 0}, {"departments": 0}, {"weeks": 7}, {"seed": -1}, {"grain": "hourly"},
     {"file_format": "xlsx"}],
)  # fmt: skip
def test_wrong_arguments_are_told(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        simulate(tmp_path / "out", **wrong)
    assert next(iter(wrong)) in error.value.what
    assert error.value.fix
    assert not (tmp_path / "out").exists()


def test_a_folder_never_holds_sales_in_two_formats(tmp_path: Path) -> None:
    simulate(tmp_path, stores=1, departments=1, weeks=8)
    with pytest.raises(UserError, match=r"sales\.csv\.gz"):
        simulate(tmp_path, stores=1, departments=1, weeks=8, file_format="parquet")
    assert not (tmp_path / "sales.parquet").exists()


def test_easter_agrees_with_dateutil() -> None:
    assert all(easter_sunday(year) == easter(year) for year in range(1900, 2200))


def test_demo_mapping_fits_the_files(demo: SimulationSummary) -> None:
    mapping = yaml.safe_load(MAPPING.read_text())
    assert (mapping["name"], mapping["grain"]) == ("demo", "daily")
    assert mapping["week_ends_on"] == "saturday"
    assert set(mapping["tables"]) == {"sales", "related", "stores", "departments"}
    con = duckdb.connect()
    for name, table in mapping["tables"].items():
        patterns = table["file"] if isinstance(table["file"], list) else [table["file"]]
        found = [path for pattern in patterns for path in demo.folder.glob(pattern)]
        assert len(found) == 1, name
        header = [row[0] for row in con.execute(f"describe '{found[0]}'").fetchall()]
        series = {
            key: settings.get("column", key) for key, settings in table.get("series", {}).items()
        }
        assert sorted([*table["columns"].values(), *series.values()]) == sorted(header), name
    known = {
        name: settings["known_future"]
        for name, settings in mapping["tables"]["related"]["series"].items()
    }
    assert known == {"promotion": True, "temperature": False, "price_index": False}
