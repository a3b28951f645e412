"""The report says what SQL on the marts says, needs no network, and odd data cannot break it."""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import plotly.graph_objects as go
import pytest
import yaml

from salescast.errors import RunError, UserError
from salescast.marts.reader import REPORT_COLUMNS, REPORT_TABLES
from salescast.report import write_report

NEWEST_WEEK = date(2012, 10, 26)
MODELS = Path(__file__).parents[2] / "models"

# Column lists as the contracts of the marts name them; the rest of the test data is SQL on top.
EMPTY_TABLES = """
create schema {s}_marts; create schema {s}_reports;
create table {s}_marts.fct_weekly_sales (item_id varchar, week_end_date date, store_id varchar,
    department_id varchar, sales double, is_observed boolean, is_holiday_week boolean,
    week_weight double);
create table {s}_marts.fct_forecast_vs_actual (run_id varchar, item_id varchar, week_end_date date,
    model_id varchar, cutoff_date date, horizon_weeks integer, mean double, p10 double, p50 double,
    p90 double, actual double, abs_error double, squared_error double, abs_actual double,
    week_weight double, pinball_loss_p10 double, pinball_loss_p50 double, pinball_loss_p90 double,
    n_inside_p10_p90 integer, naive_abs_error double, store_id varchar,
    inputs_digest bigint);
create table {s}_marts.dim_week (week_end_date date, year_number integer, week_of_year integer,
    is_holiday_week boolean, week_weight double, events varchar);
create table {s}_marts.dim_series (item_id varchar, store_id varchar, department_id varchar,
    first_week_end_date date, last_week_end_date date, n_observed bigint, treatment varchar);
create table {s}_marts.dim_store (store_id varchar, store_type varchar, store_size double,
    region varchar, opened_on date, closed_on date);
create table {s}_marts.dim_department (department_id varchar, department_name varchar,
    category varchar);
create table {s}_marts.dim_forecast_run (run_id varchar, batch_id varchar, model_id varchar,
    kind varchar, cutoff_date date, prediction_length integer, trained_model_id varchar,
    data_hash varchar,
    code_version varchar, landed_at timestamp, is_current boolean, is_champion boolean,
    n_items bigint, n_fallback_items bigint, seed bigint, hyperparameters varchar,
    n_loads_retracted_since integer default 0);
create table {s}_reports.rpt_forecast_latest (level varchar, item_id varchar, week_end_date date,
    store_id varchar, department_id varchar, actual double, mean double, p10 double, p50 double,
    p90 double, naive_p50 double, run_id varchar,
    cutoff_date date, horizon_weeks integer, is_forecast boolean,
    model_id varchar, p50_without_actual double, actual_without_forecast double);
create table {s}_reports.rpt_forecast_accuracy (kind varchar, model_id varchar, cutoff_date date,
    level varchar, horizon_band varchar, n_rows bigint, sum_abs_error double, sum_abs_actual double,
    sum_pinball_loss_p10 double, sum_pinball_loss_p50 double, sum_pinball_loss_p90 double,
    n_inside_p10_p90 bigint, n_with_band bigint, sum_error double, sum_naive_abs_error double,
    sum_abs_error_with_naive double, n_rows_without_actual bigint, sum_p50_without_actual double);
create table {s}_reports.rpt_leaderboard (level varchar, horizon_band varchar, model_id varchar);
create table {s}_reports.rpt_row_problems (table_name varchar, problem varchar, n_rows bigint);
create table {s}_reports.rpt_rejected_rows (table_name varchar, reason varchar, n_rows bigint,
    example_source_file varchar, example_source_row bigint, example_value varchar,
    n_open_rows bigint);
create table {s}_reports.rpt_batches (batch_id varchar, started_at timestamp, finished_at timestamp,
    n_runs bigint, n_forecast_rows bigint, seconds double, last_step varchar,
    last_step_status varchar);
create table {s}_reports.rpt_part_weeks (item_id varchar, week_end_date date, store_id varchar,
    department_id varchar, reason varchar, reported_sales double);
create view {s}_marts.fct_weekly_sales_aggregate as
select 'chain' as level, null::varchar as store_id, week_end_date, sum(sales) as sales
from {s}_marts.fct_weekly_sales group by week_end_date
union all
select 'store', store_id, week_end_date, sum(sales)
from {s}_marts.fct_weekly_sales group by store_id, week_end_date;
"""

SALES = """
insert into {s}_marts.dim_week
select w, year(w), weekofyear(w), weekofyear(w) in (6, 36, 47, 52), 1,
    case weekofyear(w) when 6 then 'super_bowl' when 27 then 'independence_day'
        when 36 then 'labor_day' when 47 then 'thanksgiving, black_friday'
        when 52 then 'christmas' end
from (select cast(unnest(generate_series($newest - cast(7 * ($n_weeks - 1) as integer),
    $newest + cast(7 * $horizon as integer), interval 7 day)) as date) as w);
insert into {s}_marts.dim_store
select 'S' || i, ['A', 'B', 'C'][i % 3 + 1], 1000 * i, 'north', null, null
from range(1, $n_stores + 1) as r(i);
insert into {s}_marts.dim_department
select 'D' || i, 'Department ' || i, null from range(1, $n_departments + 1) as r(i);
insert into {s}_marts.dim_series
select store_id || ':' || department_id, store_id, department_id,
    $newest - cast(7 * ($n_weeks - 1) as integer), $newest, $n_weeks, 'trained'
from {s}_marts.dim_store cross join {s}_marts.dim_department;
insert into {s}_marts.fct_weekly_sales
select item_id, week_end_date, store_id, department_id,
    (200 + hash(item_id) % 4000) * (1 + 0.25 * sin(2 * pi() * week_of_year / 52))
        * case when week_of_year in (47, 51) then 1.7 else 1 end
        * (0.9 + hash(item_id || week_end_date::varchar) % 200 / 1000)
        * (1 + (year_number - 2010) * 0.03),
    true, is_holiday_week, 1
from {s}_marts.dim_series cross join {s}_marts.dim_week where week_end_date <= $newest;
"""

RUN = """
insert into {s}_marts.dim_forecast_run
select $run_id || '-' || m, $run_id, m, $kind, $cutoff, $horizon, if(m = 'deepar', 'tm-1', null),
    'sha256:abcdef0123456789', '0.1.0+abc', timestamp '2012-11-01 06:30:00', true, m = 'deepar',
    (select count(*) from {s}_marts.dim_series), 0, 1, '{{}}', 0
from (select unnest(['deepar', 'snaive_52']) as m);
create or replace temp table forecast as
with truth as (
    select s.item_id, s.store_id, s.department_id, w.week_end_date, w.h, l.sales as last_year,
        coalesce(a.sales, 1.03 * l.sales) as target
    from {s}_marts.dim_series as s
    cross join (
        select $cutoff + cast(7 * h as integer) as week_end_date, h
        from range(1, $horizon + 1) as r(h)
    ) as w
    join {s}_marts.fct_weekly_sales as l
        on l.item_id = s.item_id and l.week_end_date = w.week_end_date - 364
    left join {s}_marts.fct_weekly_sales as a
        on a.item_id = s.item_id and a.week_end_date = w.week_end_date
)
select item_id, store_id, department_id, week_end_date, cast(h as integer) as horizon_weeks,
    m as model_id,
    if(m = 'deepar', target * (0.94 + hash(item_id || h) % 120 / 1000 + 0.0008 * h)
        * if(hash(item_id) % 7 = 0, 1.15, 1), last_year) as p50,
    0.04 + 0.0005 * h as spread
from truth cross join (select unnest(['deepar', 'snaive_52']) as m);
insert into {s}_marts.fct_forecast_vs_actual by name
select $run_id || '-' || model_id as run_id, f.item_id, week_end_date, model_id,
    $cutoff as cutoff_date,
    horizon_weeks, 1.01 * p50 as mean, p50 * (1 - spread) as p10, p50, p50 * (1 + spread) as p90,
    sales as actual, abs(sales - p50) as abs_error, (sales - 1.01 * p50) ** 2 as squared_error,
    abs(sales) as abs_actual, 1 as week_weight,
    greatest(0.1 * (sales - p10), 0.9 * (p10 - sales)) as pinball_loss_p10,
    abs(sales - p50) / 2 as pinball_loss_p50,
    greatest(0.9 * (sales - p90), 0.1 * (p90 - sales)) as pinball_loss_p90,
    cast(sales between p10 and p90 as integer) as n_inside_p10_p90,
    any_value(abs(sales - p50)) filter (where model_id = 'snaive_52')
        over (partition by f.item_id, week_end_date) as naive_abs_error,
    f.store_id
from forecast as f join {s}_marts.fct_weekly_sales as a using (item_id, week_end_date);
"""

LATEST = """
insert into {s}_reports.rpt_forecast_latest by name
with items as (
    select item_id, store_id, department_id, week_end_date, horizon_weeks, model_id,
        1.01 * p50 as mean, p50 * (1 - spread) as p10, p50, p50 * (1 + spread) as p90,
        any_value(p50) filter (where model_id = 'snaive_52')
            over (partition by item_id, week_end_date) as naive_p50
    from forecast
),
levels as (
    select 'store-department' as level, item_id, store_id, department_id, week_end_date,
        horizon_weeks, mean, p10, p50, p90, naive_p50
    from items where model_id = 'deepar'
    union all
    select if(store_id is null, 'chain', 'store'), coalesce(store_id, '') || ':', store_id, null,
        week_end_date, horizon_weeks, sum(mean), 0.9 * sum(p50), sum(p50), 1.1 * sum(p50),
        sum(naive_p50)
    from items where model_id = 'deepar'
    group by grouping sets (
        (store_id, week_end_date, horizon_weeks), (week_end_date, horizon_weeks)
    )
)
select *, $run_id || '-deepar' as run_id, $cutoff as cutoff_date, true as is_forecast,
    'deepar' as model_id
from levels;
insert into {s}_reports.rpt_forecast_latest by name
select 'chain' as level, ':' as item_id, week_end_date, sum(sales) as actual, false as is_forecast
from {s}_marts.fct_weekly_sales group by all;
"""

ACCURACY = """
delete from {s}_reports.rpt_forecast_accuracy;
insert into {s}_reports.rpt_forecast_accuracy by name
select r.kind, f.model_id, f.cutoff_date, level,
    case when horizon_weeks <= 4 then '1-4' when horizon_weeks <= 13 then '5-13'
        when horizon_weeks <= 26 then '14-26' else '27+' end as horizon_band,
    count(*) as n_rows, sum(abs_error) as sum_abs_error, sum(abs_actual) as sum_abs_actual,
    sum(pinball_loss_p10) as sum_pinball_loss_p10, sum(pinball_loss_p50) as sum_pinball_loss_p50,
    sum(pinball_loss_p90) as sum_pinball_loss_p90, sum(n_inside_p10_p90) as n_inside_p10_p90,
    count(p10) as n_with_band, sum(p50 - actual) as sum_error,
    sum(naive_abs_error) as sum_naive_abs_error,
    sum(abs_error) filter (where naive_abs_error is not null) as sum_abs_error_with_naive
from {s}_marts.fct_forecast_vs_actual as f join {s}_marts.dim_forecast_run as r using (run_id)
cross join (select unnest(['store-department', 'chain']) as level)
where actual is not null
group by all;
"""

OTHERS = """
insert into {s}_reports.rpt_rejected_rows values
    ('sales', 'date is not a date', 12, 'sales_2012.csv', 4711, '2012-13-45', 0),
    ('sales', 'sales is not a number', 3, 'sales_2012.csv', 88, 'n/a?', 2);
insert into {s}_reports.rpt_batches values
    ('20121101t063000-ab12', '2012-11-01 06:30:00', '2012-11-01 06:52:30', 2, 1234, 1350,
        'publish', 'done');
"""


class Marts:
    """A small published marts file, grown step by step."""

    def __init__(self, path: Path, schema: str = "salescast") -> None:
        self.path = path
        self.schema = schema

    def create(self) -> Marts:
        self.sql(EMPTY_TABLES)
        return self

    def sql(self, script: str, **values: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            statements = connection.extract_statements(script.format(s=self.schema))
            for statement in statements:
                used = {name: values[name] for name in statement.named_parameters}
                result = connection.execute(statement, used)
            return result.fetchall()

    def sales(self, n_stores: int = 3, n_departments: int = 4, n_weeks: int = 160) -> Marts:
        sizes = {"n_stores": n_stores, "n_departments": n_departments, "n_weeks": n_weeks}
        self.sql(SALES, newest=NEWEST_WEEK, horizon=52, **sizes)
        return self

    def run(self, run_id: str, kind: str, cutoff: date, horizon: int = 39) -> Marts:
        latest = LATEST if kind == "live" else ""
        values = {"run_id": run_id, "kind": kind, "cutoff": cutoff, "horizon": horizon}
        self.sql(RUN + latest + ACCURACY, **values)
        return self

    def others(self) -> Marts:
        self.sql(OTHERS)
        return self

    def report(self) -> Page:
        out = self.path.with_name("out") / "report.html"
        written = write_report(self.path, out, schema=self.schema)
        assert written == out
        return Page(out.read_text(encoding="utf-8"))


class Page(HTMLParser):
    """What a reader sees: text outside scripts, attributes, and the figures' JSON."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.attributes: list[tuple[str, str, str | None]] = []
        self.pieces: list[str] = []
        self._hidden: str | None = None
        self._figures = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag in ("script", "style"):
            self._hidden = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = None

    def handle_data(self, data: str) -> None:
        if self._hidden is None:
            self.pieces.append(data)
        elif self._hidden == "figures":
            self._figures += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces))

    @property
    def figures(self) -> dict[str, Any]:
        return json.loads(self._figures)

    def trace(self, figure: str, name: str) -> dict[str, Any]:
        return next(t for t in self.figures[figure]["data"] if t["name"] == name)


@pytest.fixture
def empty(tmp_path: Path) -> Marts:
    return Marts(tmp_path / "marts.duckdb").create()


@pytest.fixture(scope="module")
def sold_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sales and nothing else."""
    return Marts(tmp_path_factory.mktemp("sold") / "marts.duckdb").create().sales().path


@pytest.fixture(scope="module")
def built(sold_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """Two backtests that do not overlap and the newest forecast; only to be read."""
    path = tmp_path_factory.mktemp("built") / "marts.duckdb"
    marts = Marts(Path(shutil.copy(sold_file, path)))
    marts.run("bt-1", "backtest", date(2011, 4, 29)).run("bt-2", "backtest", date(2012, 1, 27))
    return marts.run("fc-1", "live", NEWEST_WEEK).others()


@pytest.fixture(scope="module")
def page(built: Marts) -> Page:
    """The report of the built marts."""
    return built.report()


@pytest.fixture
def sold(sold_file: Path, tmp_path: Path) -> Marts:
    """A copy of the file with sales only, free to be changed."""
    return Marts(Path(shutil.copy(sold_file, tmp_path / "marts.duckdb")))


@pytest.fixture
def marts(built: Marts, tmp_path: Path) -> Marts:
    """A copy of the built file, free to be changed."""
    return Marts(Path(shutil.copy(built.path, tmp_path / "marts.duckdb")))


def test_columns_are_those_of_the_contracts(built: Marts) -> None:
    contracts = {
        (model["name"], column["name"])
        for folder in ("marts", "reports")
        for path in (MODELS / folder).rglob("_*__models.yml")
        for model in yaml.safe_load(path.read_text())["models"]
        for column in model["columns"]
    }
    columns = built.sql("select table_name, column_name from information_schema.columns")
    assert set(columns) - contracts == set()
    # Whatever this page was drawn from is also what Athena publishes.
    assert {table for table, _ in columns} <= set().union(*REPORT_TABLES.values())


def test_the_page_is_drawn_from_the_columns_that_athena_publishes(marts: Marts, page: Page) -> None:
    for table, columns in REPORT_COLUMNS.items():
        held = marts.sql(
            "select table_schema, column_name from information_schema.columns"
            f" where table_name = '{table}'"
        )
        assert set(columns) <= {column for _, column in held}
        for schema, column in held:
            if column not in columns:
                marts.sql(f"alter table {schema}.{table} drop column {column}")
    assert marts.report().text == page.text


def test_page_is_self_contained_and_small(page: Page) -> None:
    fetching = [a for a in page.attributes if a[1] in ("src", "href", "srcset", "action", "data")]
    assert fetching == []
    assert {tag for tag, _, _ in page.attributes} & {"link", "iframe", "object", "img"} == set()
    style = page.source[page.source.index("<style>") : page.source.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in page.source
    assert page.source.count("* plotly.js v") == 1
    assert len(page.source.encode()) < 6_000_000


def test_key_figures_equal_sql(built: Marts, page: Page) -> None:
    text = page.text
    ((wape, wql, coverage, added),) = built.sql(
        """
        select sum(abs_error) / sum(abs_actual),
            2 * sum(pinball_loss_p10 + pinball_loss_p50 + pinball_loss_p90) / 3 / sum(abs_actual),
            avg(n_inside_p10_p90), 1 - sum(abs_error) / sum(naive_abs_error)
        from {s}_marts.fct_forecast_vs_actual where model_id = 'deepar'
        """
    )
    ((naive_wape,),) = built.sql(
        "select sum(abs_error) / sum(abs_actual) from {s}_marts.fct_forecast_vs_actual"
        " where model_id = 'snaive_52'"
    )
    assert f"WAPE (lower is better) {wape:.1%} against {naive_wape:.1%} of snaive_52" in text
    assert f"wQL (lower is better) {wql:.1%}" in text
    assert f"(aim 80%) {coverage:.1%}" in text
    assert f"Value added (higher is better) {added:+.1%}" in text
    assert wape != naive_wape and added > 0


def ratio_of(marts: Marts, by: str, runs: str) -> list[tuple[Any, ...]]:
    """WAPE of deepar's runs of some names, by an expression."""
    return marts.sql(
        f"""
        select {by}, sum(abs_error) / sum(abs_actual)
        from {{s}}_marts.fct_forecast_vs_actual
        where model_id = 'deepar' and run_id similar to '{runs}-deepar' group by 1 order by 1
        """
    )


def test_only_backtests_that_the_naive_was_judged_on_are_pooled(marts: Marts) -> None:
    # A live forecast at the cutoff of a backtest, and a backtest that has no naive.
    for run_id, kind, cutoff in (
        ("live", "live", date(2012, 1, 27)),
        ("lone", "backtest", date(2011, 7, 29)),
    ):
        marts.sql(RUN, run_id=run_id, kind=kind, cutoff=cutoff, horizon=39)
    marts.sql(
        """
        delete from {s}_marts.fct_forecast_vs_actual where run_id = 'lone-snaive_52';
        update {s}_marts.fct_forecast_vs_actual set naive_abs_error = null
        where run_id = 'lone-deepar';
        update {s}_marts.fct_forecast_vs_actual
        set abs_error = abs_error * (5 + hash(item_id) % 3), n_inside_p10_p90 = 0
        where run_id in ('live-deepar', 'lone-deepar');
        """
    )
    marts.sql(ACCURACY)
    page = marts.report()
    ((_, wape),) = ratio_of(marts, "1", "bt-[12]")
    assert f"WAPE (lower is better) {wape:.1%} against" in page.text
    assert "backtest at cutoffs 2012-01-27, 2011-04-29" in page.text
    bands = "case when horizon_weeks <= 4 then 1 when horizon_weeks <= 13 then 2"
    by_band = ratio_of(marts, f"{bands} when horizon_weeks <= 26 then 3 else 4 end", "bt-[12]")
    drawn = page.trace("wape_by_band", "deepar")["y"]
    assert drawn == pytest.approx([value for _, value in by_band])
    assert min(page.trace("coverage_by_band", "deepar")["y"]) > 0
    for store_id, store_wape in ratio_of(marts, "store_id", "bt-[12]"):
        row = next(part for part in page.source.split("<tr") if f'"store">{store_id}</td>' in part)
        assert f"{store_wape:.1%}" in row
    ranked = ratio_of(marts, "item_id", "bt-[12]")
    shown = [v for _, name, v in page.attributes if name == "aria-label" and "series" in str(v)]
    assert len(shown) == 6
    for item_id, item_wape in ranked:
        if f"Weekly sales and forecast of series {item_id}" in shown:
            assert f"{item_wape:.1%}" in page.text


def test_without_a_backtest_that_the_naive_shares_all_are_pooled(marts: Marts) -> None:
    marts.sql("delete from {s}_marts.fct_forecast_vs_actual where model_id = 'snaive_52'")
    marts.sql("update {s}_marts.fct_forecast_vs_actual set naive_abs_error = null")
    marts.sql(ACCURACY)
    ((_, wape),) = ratio_of(marts, "1", "bt-[12]")
    assert f"WAPE (lower is better) {wape:.1%}" in marts.report().text


def test_coverage_is_judged_against_the_eighty_percent_that_p10_to_p90_promises(
    marts: Marts,
) -> None:
    inside = {
        ("2012-01-27", "deepar"): (78, True),
        ("2012-01-27", "snaive_52"): (84, False),
        ("2011-04-29", "deepar"): (76, False),
        ("2011-04-29", "snaive_52"): (83, True),
    }
    for (cutoff, model_id), (n_inside, _) in inside.items():
        marts.sql(
            "update {s}_reports.rpt_forecast_accuracy set n_with_band = 100,"
            " n_inside_p10_p90 = $n where cutoff_date = $cutoff and model_id = $model_id",
            n=n_inside,
            cutoff=date.fromisoformat(cutoff),
            model_id=model_id,
        )
    page = marts.report()
    table = page.source[page.source.index("Series-weeks</th>") :]
    for n_inside, is_best in inside.values():
        best = f"<strong>{n_inside}.0%</strong>" in table
        assert (best, f">{n_inside}.0%</td>" in table) == (is_best, not is_best)
    assert "Coverage p10\N{EN DASH}p90 (aim 80%) 77.0% against 83.5% of snaive_52" in page.text
    (line,) = page.figures["coverage_by_band"]["layout"]["shapes"]
    assert (line["y0"], line["y1"]) == (0.8, 0.8)


@pytest.mark.parametrize("n_weeks", [4, 13])
def test_weeks_ahead_equal_sql(built: Marts, page: Page, n_weeks: int) -> None:
    ((forecast, last_year),) = built.sql(
        """
        select
            (select sum(mean) from {s}_reports.rpt_forecast_latest
             where level = 'chain' and is_forecast and horizon_weeks <= $n),
            (select sum(sales) from {s}_marts.fct_weekly_sales
             where week_end_date > $newest - 364 and week_end_date <= $newest - 364 + 7 * $n)
        """,
        n=n_weeks,
        newest=NEWEST_WEEK,
    )
    assert f"Forecast of the next {n_weeks} weeks" in page.text
    assert f"{forecast / last_year - 1:+.1%} on the same weeks last year" in page.text
    assert ("div", "title", f"{forecast:,.0f}") in page.attributes


def test_accuracy_table_equals_sql_and_marks_the_best(built: Marts, page: Page) -> None:
    source = page.source
    rows = source[source.index("Series-weeks</th>") :].split("<tr")[1:5]
    expected = built.sql(
        """
        select model_id, sum(abs_error) / sum(abs_actual) as wape
        from {s}_marts.fct_forecast_vs_actual group by model_id, cutoff_date
        order by cutoff_date desc, wape
        """
    )
    for row, (model_id, wape), is_best in zip(rows, expected, [True, False] * 2, strict=True):
        assert f"<td>{model_id}</td>" in row
        assert (f"<strong>{wape:.1%}</strong>" if is_best else f">{wape:.1%}</td>") in row


def test_chain_chart_equals_sql(built: Marts, page: Page) -> None:
    actual = page.trace("chain", "Actual")
    expected = built.sql(
        "select week_end_date::varchar, sum(sales) from {s}_marts.fct_weekly_sales"
        " where week_end_date > $newest - 7 * 104 group by 1 order by 1",
        newest=NEWEST_WEEK,
    )
    assert actual["x"] == [week for week, _ in expected]
    assert actual["y"] == pytest.approx([value for _, value in expected])
    backtest = page.trace("chain", "Backtest, cutoff 2012-01-27")
    expected = built.sql(
        "select sum(mean) from {s}_marts.fct_forecast_vs_actual"
        " where run_id = 'bt-2-deepar' group by week_end_date order by week_end_date"
    )
    assert backtest["y"] == pytest.approx([value for (value,) in expected])
    band = built.sql(
        "select p90 from {s}_reports.rpt_forecast_latest"
        " where level = 'chain' and is_forecast order by week_end_date"
    )
    assert page.trace("chain", "p90")["fill"] == "tonexty"
    assert page.trace("chain", "p90")["y"] == pytest.approx([value for (value,) in band])


def test_overlapping_backtests_are_not_drawn_over_each_other(marts: Marts) -> None:
    marts.run("bt-3", "backtest", date(2011, 12, 30))
    names = [trace["name"] for trace in marts.report().figures["chain"]["data"]]
    assert "Backtest, cutoff 2012-01-27" in names
    assert "Backtest, cutoff 2011-12-30" not in names


def test_superseded_runs_are_left_out(marts: Marts, page: Page) -> None:
    marts.sql(
        """
        create temp table old as select * from {s}_marts.fct_forecast_vs_actual;
        insert into {s}_marts.fct_forecast_vs_actual
        select * replace ('old-' || run_id as run_id, 9 * abs_error as abs_error, 0 as mean)
        from old;
        create temp table old_runs as select * from {s}_marts.dim_forecast_run;
        insert into {s}_marts.dim_forecast_run
        select * replace ('old-' || run_id as run_id, false as is_current) from old_runs;
        """
    )
    after = marts.report()
    assert after.figures == page.figures
    assert after.text.split("Written")[0] == page.text.split("Written")[0]


def test_best_and_worst_series_are_ranked_by_value_added(built: Marts, page: Page) -> None:
    ranked = [
        item_id
        for (item_id,) in built.sql(
            """
            with judged as (
                select item_id, 1 - sum(abs_error) / sum(naive_abs_error) as added,
                    sum(abs_actual) as sold
                from {s}_marts.fct_forecast_vs_actual where model_id = 'deepar' group by all
            )
            select item_id from judged where sold > (select median(sold) from judged)
            order by added desc
            """
        )
    ]
    shown = [v for _, name, v in page.attributes if name == "aria-label" and "series" in str(v)]
    labels = [f"Weekly sales and forecast of series {i}" for i in [*ranked[:3], *ranked[:-4:-1]]]
    assert shown == labels
    assert page.trace("series_0", "p90")["fill"] == "tonexty"
    assert page.trace("series_0", "Naive")["line"]["dash"]


def test_stores_show_wape_and_forecast(built: Marts, page: Page) -> None:
    source = page.source
    for store_id, wape in built.sql(
        """
        select store_id, sum(abs_error) / sum(abs_actual) from {s}_marts.fct_forecast_vs_actual
        where model_id = 'deepar' group by all
        """
    ):
        row = next(part for part in source.split("<tr") if f'"store">{store_id}</td>' in part)
        assert f"{wape:.1%}" in row


def test_a_store_whose_sales_are_gone_keeps_its_forecast(marts: Marts) -> None:
    marts.sql("delete from {s}_marts.dim_series where store_id = 'S1'")
    assert '"store">S1</td>' in marts.report().source


def test_rejected_rows_and_batches_are_listed(page: Page) -> None:
    text = page.text
    assert "15 landed rows could not be used, 2 of them are still open" in text
    put_right = "date is not a date 0 12 2012-13-45 sales_2012.csv, row 4,711"
    still_open = "sales is not a number 2 3 n/a? sales_2012.csv, row 88"
    assert 0 < text.index(still_open) < text.index(put_right)
    assert "20121101t063000-ab12 2012-11-01 06:30 2 1,234 22.5 publish done" in text


def test_values_that_could_not_be_read_are_told_where_all_rows_are_used(marts: Marts) -> None:
    marts.sql(
        "insert into {s}_reports.rpt_row_problems values ('raw_stores', 'closed_on_invalid', 2)"
    )
    text = marts.report().text
    assert "2 values could not be read" in text
    assert "raw_stores: closed_on_invalid 2" in text


def test_the_run_that_is_shown_is_listed_though_it_is_no_record(marts: Marts) -> None:
    marts.sql(
        """
        insert into {s}_marts.dim_forecast_run
        select * replace (
            'rerun' as run_id, false as is_current, 3 as n_loads_retracted_since,
            landed_at + interval 1 hour as landed_at
        )
        from {s}_marts.dim_forecast_run where model_id = 'deepar' and kind = 'live';
        update {s}_reports.rpt_forecast_latest set run_id = 'rerun' where is_forecast;
        """
    )
    text = marts.report().text
    newest = text[text.index("Newest forecast of each model") :]
    assert "deepar champion shown a rerun: accuracy judges the first 3 loads retracted" in newest
    assert "rerun deepar live" in text[text.index("Runs on this page") :]


def test_stores_say_when_they_close_and_open(marts: Marts) -> None:
    marts.sql(
        """
        update {s}_marts.dim_store set closed_on = date '2012-10-01' where store_id = 'S1';
        update {s}_marts.dim_store set closed_on = date '2012-10-01', opened_on = date '2012-12-01'
        where store_id = 'S2';
        update {s}_marts.dim_store set opened_on = date '2062-01-01' where store_id = 'S3';
        """
    )
    text = marts.report().text
    for told in (
        "S1 last day 2012-10-01",
        "S2 closed from 2012-10-01 to 2012-12-01",
        "S3 opens 2062-01-01",
    ):
        assert told in text


def test_every_figure_is_valid_plotly(page: Page) -> None:
    assert page.figures
    # What plotly does not know is refused with an error.
    assert all(go.Figure(figure).data for figure in page.figures.values())


HOSTILE = """</script><script>alert('x')</script> 7% "a" & %{x} <b>: é"""


def test_hostile_names_are_shown_as_text(marts: Marts, page: Page) -> None:
    marts.sql("update {s}_marts.dim_series set store_id = $h where store_id = 'S1'", h=HOSTILE)
    marts.sql(
        "update {s}_marts.fct_weekly_sales set store_id = $h where store_id = 'S1'", h=HOSTILE
    )
    marts.sql(
        "update {s}_reports.rpt_forecast_latest set store_id = $h where store_id = 'S1'", h=HOSTILE
    )
    marts.sql("update {s}_marts.dim_department set department_name = $h", h=HOSTILE)
    marts.sql("update {s}_marts.dim_week set events = $h where events is not null", h=HOSTILE)
    marts.sql("update {s}_reports.rpt_rejected_rows set example_value = $h, reason = $h", h=HOSTILE)
    hostile = marts.report()
    assert re.sub(r"\s+", " ", HOSTILE) in hostile.text
    assert "<script>alert" not in hostile.source
    assert hostile.source.count("</script>") == page.source.count("</script>")
    for figure in hostile.figures.values():
        for note in figure["layout"].get("annotations", []):
            assert "<" not in note["text"]
        for trace in figure["data"]:
            assert "<" not in "".join(trace.get("text") or [])
    assert hostile.trace("series_0", "Event")["text"]


def test_no_sales_at_all(empty: Marts) -> None:
    page = empty.report()
    assert "No sales have been published yet" in page.text
    assert page.figures == {}


def test_no_forecast_says_what_to_run(sold: Marts) -> None:
    page = sold.report()
    assert "No forecast has landed yet. Run salescast run" in page.text
    assert "No accuracy yet." in page.text
    assert page.trace("chain", "Actual")["y"]


def test_forecast_without_backtest_says_what_will_appear(sold: Marts) -> None:
    page = sold.run("fc-1", "live", NEWEST_WEEK).report()
    assert "No accuracy yet." in page.text
    assert "salescast backtest --cutoff 2012-07-27" in page.text
    assert page.trace("chain", "Forecast, p50")["y"]
    assert "Stores" in page.text and "WAPE by lead time" not in page.text


def test_backtest_without_forecast(sold: Marts) -> None:
    page = sold.run("bt-1", "backtest", date(2012, 1, 27)).report()
    assert "No forecast has landed yet." in page.text
    assert "WAPE (lower is better)" in page.text
    assert page.trace("series_0", "Judged, p50")["y"]


def test_live_forecast_is_judged_and_called_stale(sold: Marts) -> None:
    page = sold.run("fc-1", "live", date(2012, 10, 5)).report()
    assert "made at cutoff 2012-10-05; sales of 3 later weeks have arrived since" in page.text
    assert (
        "live forecasts whose weeks have passed at cutoff 2012-10-05: 36 series-weeks" in page.text
    )
    ((forecast,),) = sold.sql(
        "select sum(mean) from {s}_reports.rpt_forecast_latest where level = 'chain'"
        " and horizon_weeks between 4 and 7"
    )
    assert ("div", "title", f"{forecast:,.0f}") in page.attributes


def test_forecast_shorter_than_asked(sold: Marts) -> None:
    page = sold.run("fc-1", "live", NEWEST_WEEK, horizon=1).report()
    assert "Forecast of the next 1 week" in page.text
    assert "the forecast reaches no further" in page.text
    assert page.trace("chain", "Forecast, p50")["mode"] == "markers"


def test_one_series(empty: Marts) -> None:
    empty.sales(n_stores=1, n_departments=1).run("bt-1", "backtest", date(2012, 1, 27))
    page = empty.run("fc-1", "live", NEWEST_WEEK).report()
    assert set(page.figures) == {"chain", "wape_by_band", "coverage_by_band", "series_0"}
    assert "Worst" not in page.pieces


def test_missing_quantiles_leave_dashes_and_no_band(marts: Marts) -> None:
    marts.sql(
        """
        update {s}_marts.fct_forecast_vs_actual set p10 = null, p90 = null, pinball_loss_p10 = null,
            pinball_loss_p90 = null, n_inside_p10_p90 = null;
        update {s}_reports.rpt_forecast_latest set p10 = null, p90 = null;
        """
    )
    marts.sql(ACCURACY)
    page = marts.report()
    assert "wQL (lower is better) \N{EN DASH} against \N{EN DASH} of snaive_52" in page.text
    assert [t for t in page.figures["series_0"]["data"] if t.get("fill")] == []


def test_without_a_naive_series_are_ranked_by_wape(marts: Marts) -> None:
    marts.sql("delete from {s}_marts.fct_forecast_vs_actual where model_id = 'snaive_52'")
    marts.sql("update {s}_marts.fct_forecast_vs_actual set naive_abs_error = null")
    marts.sql(ACCURACY)
    text = marts.report().text
    assert "needs a model beside snaive_52" in text
    assert "By WAPE over the cutoffs above" in text


def test_negative_sales_missing_weeks_and_nan(marts: Marts) -> None:
    marts.sql(
        "update {s}_marts.fct_weekly_sales set sales = -5000 where week_end_date = $d",
        d=date(2012, 6, 1),
    )
    marts.sql(
        "update {s}_marts.fct_weekly_sales set sales = null where week_end_date = $d",
        d=date(2012, 6, 8),
    )
    marts.sql("update {s}_reports.rpt_forecast_latest set p50 = 'nan' where horizon_weeks = 2")
    page = marts.report()
    actual = dict(zip(*(page.trace("chain", "Actual")[axis] for axis in "xy"), strict=True))
    assert actual["2012-06-01"] == -60000
    assert actual["2012-06-08"] is None
    assert page.figures["chain"]["layout"]["yaxis"]["range"][0] < -60000
    assert "NaN" not in page._figures


def test_a_chain_total_that_is_left_out_stops_the_lines_beside_it(marts: Marts) -> None:
    left_out = date(2012, 3, 2)
    marts.sql(
        "create or replace view {s}_marts.fct_weekly_sales_aggregate as"
        " select 'chain' as level, null::varchar as store_id, week_end_date,"
        f" if(week_end_date = date '{left_out}', null, sum(sales)) as sales"
        " from {s}_marts.fct_weekly_sales group by week_end_date"
    )
    page = marts.report()
    actual = dict(zip(*(page.trace("chain", "Actual")[axis] for axis in "xy"), strict=True))
    assert actual[str(left_out)] is None
    assert str(left_out) not in page.trace("chain", "Backtest, cutoff 2012-01-27")["x"]


def test_part_weeks_are_listed_newest_first(marts: Marts) -> None:
    assert "Part weeks" not in marts.report().text
    marts.sql(
        "insert into {s}_reports.rpt_part_weeks"
        " select 'S' || i || ':', date '2012-10-26', 'S' || i, null, 'late', 30"
        " from range(10, 30) as r(i)"
        " union all select 'S1:D2', date '2012-10-19', 'S1', 'D2', 'interrupted', 4"
    )
    text = marts.report().text
    assert "21 weeks of single stores or series are in only in part, 20 of them" in text
    assert text.index("20 stores") < text.index("1 series")
    assert "S10, S11" in text
    assert "S29:" not in text


def test_other_schema(tmp_path: Path) -> None:
    marts = Marts(tmp_path / "marts.duckdb", schema="sales_ana").create()
    assert "No forecast has landed yet" in marts.sales().report().text


def test_3331_series_take_seconds(empty: Marts) -> None:
    empty.sales(n_stores=45, n_departments=74, n_weeks=110).run(
        "bt-1", "backtest", date(2012, 1, 27)
    )
    empty.run("fc-1", "live", NEWEST_WEEK)
    start = time.process_time()
    page = empty.report()
    assert time.process_time() - start < 5
    assert "10 stores with the lowest WAPE" in page.text
    assert len(page.source.encode()) < 6_000_000


def test_report_replaces_an_older_one_and_leaves_no_other_file(marts: Marts) -> None:
    marts.report()
    marts.report()
    assert [path.name for path in (marts.path.parent / "out").iterdir()] == ["report.html"]


def test_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="salescast run"):
        write_report(tmp_path / "marts.duckdb", tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_wrong_schema_names_the_missing_tables(marts: Marts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"other_marts\.fct_weekly_sales"):
        write_report(marts.path, tmp_path / "report.html", schema="other")


def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "marts.duckdb"
    path.write_text("not a database, but long enough to look at" * 200)
    with pytest.raises(RunError, match="cannot be opened"):
        write_report(path, tmp_path / "report.html")
