"""What of the examples of docs/your-data.md counts in the warehouse, added up by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from support.home import REPOSITORY, Home
from support.warehouse import NO_TESTS

pytestmark = pytest.mark.dbt

EXAMPLES = REPOSITORY / "docs" / "examples"

# Prices times quantities of the lines that were paid or came back, by the day in Berlin.
SOLD = [
    ("DE", "MUG-BLUE", 19, 14.90),
    ("DE", "MUG-BLUE", 20, -7.45),  # the refund
    ("DE", "MUG-BLUE", 21, 0),  # paid in the first export, cancelled in the second
    ("DE", "MUG-BLUE", 22, 7.45),
    ("DE", "TEA-GREEN", 19, 4.90),  # and a cancelled line
    ("DE", "TEA-GREEN", 20, 9.80),
    ("DE", "TEA-GREEN", 22, 33.05),  # 23.25, and 9.80 of 23:20 on the 21st in UTC
    ("DE", "TEA-GREEN", 23, 4.90),
    ("NL", "MUG-BLUE", 19, 7.45),
    ("NL", "MUG-BLUE", 20, 27.80),
    ("NL", "MUG-BLUE", 22, 14.90),  # open in the first export, paid in the second
    ("NL", "TEA-GREEN", 20, 27.90),
    ("NL", "TEA-GREEN", 21, 4.90),
    ("NL", "TEA-GREEN", 23, 4.90),  # 9.80, and a refund of 4.90
]

ACCEPTED = """
    select store_id, department_id, sales_date, cast(round(sum(sales), 2) as double)
    from shop_staging.stg_retail__sales_judged where row_status = 'accepted'
    group by all order by all
"""


@pytest.fixture(autouse=True)
def _without_data_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NO_TESTS.items():
        monkeypatch.setenv(name, value)


def landed(name: str, files: list[str], place: Path) -> Home:
    home = Home(place / name, REPOSITORY)
    for file in files:
        home.command("ingest", EXAMPLES / name / file, "--mapping", EXAMPLES / f"{name}.yml")
    return home


def test_a_line_of_the_web_shop_counts_once_as_it_is_now(tmp_path: Path) -> None:
    home = landed("webshop", ["orders-2026-11-22.csv", "orders-2026-11-24.csv"], tmp_path)
    home.open_warehouse().build("staging")
    expected = [(*key, date(2026, 11, day), sales) for *key, day, sales in SOLD]
    assert home.warehouse(ACCEPTED) == expected
    assert sum(row[3] for row in expected) == pytest.approx(155.40)


def test_the_wide_table_is_forecast(tmp_path: Path) -> None:
    home = landed("erp", ["deliveries.csv"], tmp_path)
    home.command("run", "--model", "snaive_52")
    observed = "select count(*), sum(sales) from shop_marts.fct_weekly_sales where is_observed"
    assert home.marts(observed) == [(398, 314_918)]
    bounds = "select min(week_end_date), max(week_end_date), count(*) from shop_marts.fct_forecast"
    assert home.marts(bounds) == [(date(2026, 11, 7), date(2027, 1, 30), 6 * 13)]
    # The naive repeats the week of a year before: 1,269 boxes stand in the file.
    one = "select p50 from shop_marts.fct_forecast where item_id = '1000:FLOUR-25'"
    assert home.marts(f"{one} and week_end_date = date '2026-11-07'") == [(1_269,)]
