"""Homes with nothing, little or the wrong thing in them: a forecast, or words on what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from support.home import REPOSITORY, Home
from support.sources import WEEK, amount, weeks, write_csv, write_mapping

HEADER = ("store", "department", "date", "sales")
SATURDAY = date(2023, 1, 7)


# Nothing


@pytest.fixture(scope="module")
def empty(new_home: Callable[[str], Home]) -> Home:
    home = new_home("empty")
    home.command("build")
    return home


def test_an_empty_home_builds_and_publishes_empty_marts(empty: Home) -> None:
    names = empty.marts(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in ('shop_marts', 'shop_reports')"
    )
    folders = [REPOSITORY / "models" / folder for folder in ("marts", "reports")]
    models = {path.stem for folder in folders for path in folder.rglob("*.sql")}
    assert {name.partition(".")[2] for (name,) in names} == models
    for (name,) in names:
        assert empty.marts(f"select count(*) from {name}") == [(0,)], name


def test_a_run_without_sales_says_how_to_land_them(empty: Home) -> None:
    printed = empty.command("run", "--model", "snaive_52", code=2)
    assert "No sales are landed in this home" in printed
    assert "salescast ingest" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("store,department,date,sales\n", "the file has a header but no row"),
        ("store,department,date\n1,a,2023-01-07\n", "the file lacks a column"),
        ("store,department,date,sales\n1,a,2012-13-45,5\n", "most dates do not fit"),
        ("store,department,date,sales\n1,a,2023-01-07,1_000\n", "most values of sales are no"),
        ("store,department,date,sales\n1,a,2023-01-07,NA\n", "no value of sales at all"),
        (
            "store,department,date,sales\n1,a,2023-01-07\n",
            "most lines have 3 values, the header has 4",
        ),
    ],
)
def test_a_file_of_no_use_is_refused_and_nothing_lands(
    new_home: Callable[[str], Home], tmp_path: Path, content: str, message: str
) -> None:
    home = new_home("refused")
    (tmp_path / "sales.csv").write_text(content)
    mapping = write_mapping(tmp_path / "m.yml", grain="weekly", week_ends_on="saturday")
    printed = home.command("ingest", tmp_path, "--mapping", mapping, code=2)
    assert message in printed
    assert "sales.csv" in printed
    assert not list(home.lake.root.rglob("*.parquet"))


# Ten weeks


@pytest.fixture(scope="module")
def young(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home("young")
    folder = tmp_path_factory.mktemp("young_source")
    rows = [
        (store, "a", label, amount(100, week))
        for store in ("1", "2")
        for week, label in enumerate(weeks(SATURDAY, 10))
    ]
    write_csv(folder / "sales.csv", HEADER, rows)
    mapping = write_mapping(folder / "young.yml", grain="weekly", week_ends_on="saturday")
    home.command("ingest", folder, "--mapping", mapping)
    return home


def test_too_little_history_to_train_on_is_told_with_what_to_do(young: Home) -> None:
    printed = young.command("run", "--model", "tiny", "--horizon", "13", code=2)
    assert "No series is long enough to train on" in printed
    assert "--horizon" in printed
    assert "--model snaive_52" in printed
    assert young.finished()[-1] == "snaive_52/export"
    assert not list(young.batch_folder.rglob("train.log"))


def test_ten_weeks_are_enough_for_the_naive(young: Home) -> None:
    printed = young.command("run", "--model", "snaive_52", "--horizon", "13")
    assert "No week of these forecasts has been sold yet" in printed
    newest = SATURDAY + WEEK * 9
    rows = young.marts(
        "select item_id, week_end_date, mean, p05, p50, p95 from shop_marts.fct_forecast"
    )
    assert {row[:2] for row in rows} == {
        (item_id, newest + WEEK * h) for item_id in ("1:a", "2:a") for h in range(1, 14)
    }
    last = float(amount(100, 9))
    assert {(mean, p50) for _, _, mean, _, p50, _ in rows} == {(last, last)}
    assert all(p05 <= p50 < p95 for _, _, _, p05, p50, p95 in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cutoff", "2022-12-31"), "outside the landed sales"),
        (("--cutoff", "2031-01-04"), "outside the landed sales"),
        (("--horizon", "0"), "out of range"),
        (("--horizon", "1000"), "out of range"),
        (("--model", "oracle"), "There is no model oracle"),
        (("--trained-model", "gone"), "There is no trained model gone"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_built(
    young: Home, arguments: tuple[str, ...], message: str
) -> None:
    batches = sorted(young.path.glob("batches/*"))
    assert message in young.command("run", *arguments, code=2)
    assert sorted(young.path.glob("batches/*")) == batches


# A promotion plan that does not reach the horizon


@dataclass
class Unplanned:
    """A home whose run was refused, with what it said."""

    home: Home
    printed: str
    newest: date


@pytest.fixture(scope="module")
def unplanned(
    new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory
) -> Unplanned:
    """Store 7 has its plan; that of store 8 stops 13 weeks early; store 9 has none."""
    home = new_home("unplanned")
    folder = tmp_path_factory.mktemp("unplanned_source")
    labels = weeks(SATURDAY, 60)
    rows = [
        (store, department, label, amount(100, week))
        for store in ("7", "8", "9")
        for department in ("a", "b")
        for week, label in enumerate(labels)
    ]
    write_csv(folder / "sales.csv", HEADER, rows)
    plan = [("7", label, "1") for label in weeks(SATURDAY, 73)]
    plan += [("8", label, "0") for label in weeks(SATURDAY, 60)]
    write_csv(folder / "related.csv", ("store", "date", "promotion"), plan)
    mapping = write_mapping(
        folder / "unplanned.yml",
        grain="weekly",
        week_ends_on="saturday",
        series={"promotion": {"known_future": True}},
    )
    home.command("ingest", folder, "--mapping", mapping)
    printed = home.command("run", "--model", "tiny", "--horizon", "13", code=1)
    return Unplanned(home, printed, labels[-1])


def test_missing_features_are_refused_before_any_job_starts(unplanned: Unplanned) -> None:
    assert unplanned.home.finished() == ["request"]
    assert not list(unplanned.home.batch_folder.rglob("*.json.gz"))
    assert not unplanned.home.lake.files("forecasts")
    assert "salescast run --resume" in unplanned.printed


def test_missing_features_are_told_with_series_and_weeks(unplanned: Unplanned) -> None:
    lines = unplanned.printed.splitlines()
    (stops,) = [line for line in lines if "store_id = 8" in line]
    of_nine = [line for line in lines if "store_id = 9" in line]
    (past, ahead) = sorted(of_nine, key=lambda line: "place = horizon" in line)
    horizon = (unplanned.newest + WEEK, unplanned.newest + 13 * WEEK)
    for line, item_id, place, n_weeks, (first, last) in (
        (stops, "8:a", "horizon", 13, horizon),
        (ahead, "9:a", "horizon", 13, horizon),
        (past, "9:a", "past", 60, (SATURDAY, unplanned.newest)),
    ):
        assert f"place = {place}" in line
        assert "feature_name = promotion" in line
        assert f"example_item_id = {item_id}" in line
        assert "n_items = 2" in line
        assert f"n_missing_weeks = {n_weeks}" in line
        assert f"first_missing_week = {first}" in line
        assert f"last_missing_week = {last}" in line
    assert not [line for line in lines if "store_id = 7" in line]
