"""A trained model week after week: used again while it fits, refused by name once it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from support.home import Home
from support.sources import amount, weeks, write_csv, write_mapping
from support.warehouse import NO_TESTS, WITH_DATA_TESTS

SATURDAY = date(2024, 1, 6)
N_WEEKS, N_AHEAD = 90, 4
HORIZON = ("--horizon", str(N_AHEAD))
PROMOTION = {"promotion": {"known_future": True, "weekly_aggregation": "mean", "fill": "zero"}}


def land(home: Home, folder: Path, **series: object) -> None:
    """Land four series and their promotions, with a register of related series."""
    days = weeks(SATURDAY, N_WEEKS + N_AHEAD)
    sales = [
        (store, department, day, amount(100, week))
        for store in ("1", "2")
        for department in ("a", "b")
        for week, day in enumerate(days[:N_WEEKS])
    ]
    write_csv(folder / "sales.csv", ("store", "department", "date", "sales"), sales)
    columns = ("store", "date", *PROMOTION, "price")
    related = [(store, day, day.day % 2, day.day) for store in ("1", "2") for day in days]
    write_csv(folder / "related.csv", columns, related)
    mapping = write_mapping(
        folder / "shop.yml", series=series, grain="weekly", week_ends_on="saturday"
    )
    home.command("ingest", folder, "--mapping", mapping)


@pytest.fixture(scope="module", autouse=True)
def no_data_tests() -> Iterator[None]:
    """Builds here run no data tests: the test that says so runs them on all that stands by then."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in NO_TESTS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def home(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a week's run, whose trained model is champion."""
    home = new_home("reuse")
    land(home, tmp_path_factory.mktemp("reuse_source"), **PROMOTION)
    home.command("run", "--model", "tiny", *HORIZON)
    trained = home.run_of("tiny").trained_model_id
    assert trained is not None
    home.command("champion", "set", "tiny", "--trained-model", trained, "--reason", "steady")
    return home


def run_champion(home: Home, code: int = 0) -> str:
    return home.command("run", "--model", "champion", *HORIZON, code=code)


def test_the_champion_is_run_without_training_and_marked(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = home.run_of("tiny").trained_model_id
    monkeypatch.setenv("DBT_RESOURCE_TYPES", WITH_DATA_TESTS["DBT_RESOURCE_TYPES"])
    run_champion(home)
    assert home.run_of("tiny").trained_model_id == trained
    assert not list(home.batch_folder.rglob("train.log"))
    assert home.marts(
        "select distinct model_id, is_champion, trained_model_id = ?"
        " from shop_marts.dim_forecast_run order by all",
        [trained],
    ) == [("snaive_52", False, None), ("tiny", False, True), ("tiny", True, True)]
    (newest,) = home.marts(
        "select is_champion from shop_marts.dim_forecast_run where run_id = ?",
        [home.run_of("tiny").run_id],
    )
    assert newest == (True,)


def test_a_new_feature_is_not_asked_of_the_model(home: Home, tmp_path: Path) -> None:
    price = {"known_future": True, "weekly_aggregation": "mean", "fill": "zero"}
    land(home, tmp_path, **PROMOTION, price=price)
    run_champion(home)
    feature = home.files_of("tiny").encoding().features
    assert "promotion" in feature
    assert "price" not in feature


def test_a_feature_that_is_gone_is_named_before_any_job(home: Home, tmp_path: Path) -> None:
    promotion = {**PROMOTION["promotion"], "known_future": False}
    land(home, tmp_path, promotion=promotion)
    printed = run_champion(home, code=2)
    assert "needs features that the warehouse does not have: promotion" in printed
    assert "train a new model" in printed
    assert not list(home.batch_folder.rglob("*.log"))
    assert home.finished()[-1] == "snaive_52/export"
