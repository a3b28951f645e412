"""A week with each algorithm that needs no PyTorch: the real program as a subprocess."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from salescast.errors import UserError
from salescast.forecaster.local import LocalForecaster
from salescast.lake import Lake
from salescast.lake.trained_models import Encoding
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.recipes import Model, find_recipe, needed_libraries
from salescast.recipes.catalogue import read_models
from salescast.recipes.trained import job_hyperparameters
from salescast.warehouse import TrainingRecords
from salescast.week.run import Week, carry_out
from support.small_week import (
    HORIZON,
    ITEMS,
    MODELS,
    NEWEST,
    FakeWarehouse,
    World,
    begin,
    forecasts,
    open_week,
)

ROOT = Path(__file__).parents[3]
N_WEEKS = 140


def sales(week: int) -> float:
    """A year's wave round a level, and some noise."""
    return 20 + 10 * math.sin(2 * math.pi * week / 52) + 0.3 * (week * week % 7 - 3)


def lines(items: Sequence[str]) -> list[dict[str, Any]]:
    start = NEWEST - timedelta(weeks=N_WEEKS - 1)
    return [
        {
            "item_id": item,
            "start": f"{start} 00:00:00",
            "target": [round(sales(week), 4) if week % 17 else None for week in range(1, N_WEEKS)]
            + [sales(N_WEEKS)],
            "cat": [number, 0],
            "dynamic_feat": [[0.0] * (N_WEEKS + HORIZON)],
        }
        for number, item in enumerate(items)
    ]


class WarehouseOfYears(FakeWarehouse):
    """The small world with series that are long enough for a season."""

    def export_training(self, cutoff: date, to: Path) -> TrainingRecords:
        counted = super().export_training(cutoff, to)
        rows = lines(ITEMS)
        for row in rows:
            del row["item_id"]
            row["dynamic_feat"] = [row["dynamic_feat"][0][:N_WEEKS]]
        to.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return counted

    def export_inference(self, cutoff: date, to: Path, encoding: Encoding) -> int:
        n_items = super().export_inference(cutoff, to, encoding)
        to.write_text("".join(json.dumps(row) + "\n" for row in lines(ITEMS[:n_items])))
        return n_items


def open_week_of_years(world: World, models: dict[str, Model]) -> Week:
    week = open_week(world, models)
    return replace(
        week,
        warehouse=WarehouseOfYears(world, week.lake),
        forecaster=LocalForecaster(threads=1),
    )


@dataclass(frozen=True)
class Case:
    """An algorithm, as its tests see it.

    within: how far its p50 may lie from what will be sold.
    settings: hyperparameters that make its training short.
    job: what a job is sent beside what every algorithm is.
    wrong: a setting that is refused, and the words.
    """

    name: str
    within: float
    settings: dict[str, Any]
    job: dict[str, str]
    wrong: tuple[str, str]


CASES = (
    Case(
        "mstl_ets",
        2,
        {},
        {"season_length": "52"},
        ("season_length = 0", "season_length must be an integer from 2 to 1000"),
    ),
    Case("direct", 6, {"steps": 100}, {}, ("steps = 0", "steps must be an integer >= 1")),
)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_a_week_is_forecast_and_lands(tmp_path: Path, case: Case) -> None:
    model = read_models(ROOT / "models.toml")[case.name]
    hyperparameters = {**model.settings["hyperparameters"], **case.settings}
    model = Model(case.name, model.recipe, {"hyperparameters": hyperparameters})
    models = {"snaive_52": MODELS["snaive_52"], case.name: model}
    world = begin(tmp_path, models=list(models.values()))
    carry_out(open_week_of_years(world, models))
    rows = [row for row in forecasts(world) if row["model_id"] == case.name]
    assert {(row["item_id"], row["horizon_weeks"]) for row in rows} == {
        (item, week) for item in ITEMS for week in range(1, HORIZON + 1)
    }
    for row in rows:
        if row["item_id"] == ITEMS[2]:
            # It has no record: it gets the rows of snaive_52.
            assert row["mean"] == 1.0
            continue
        assert row["p50"] == pytest.approx(sales(N_WEEKS + row["horizon_weeks"]), abs=case.within)
        assert row["p10"] < row["mean"] < row["p90"]
        assert row["p10"] < row["p50"] < row["p90"]
        assert [row[name] for name in QUANTILE_COLUMNS] == sorted(
            row[name] for name in QUANTILE_COLUMNS
        )
    (run,) = [
        row
        for row in Lake(tmp_path / "lake").read("runs").to_pylist()
        if row["model_id"] == case.name
    ]
    assert json.loads(run["hyperparameters"])["algorithm"] == case.name
    assert run["forecaster"] == "local"


def test_it_needs_no_library_beside_the_base(case: Case) -> None:
    assert needed_libraries([Model(case.name, case.name)]) == []


def test_its_job_names_the_algorithm(case: Case) -> None:
    algorithm = import_module(f"salescast.recipes.{case.name}").ALGORITHM
    model = read_models(ROOT / "models.toml")[case.name]
    assert job_hyperparameters(algorithm, model, 13) == {
        "time_freq": "W",
        "prediction_length": "13",
        "algorithm": case.name,
        **case.job,
    }


def test_a_wrong_setting_is_told_before_a_week_begins(tmp_path: Path, case: Case) -> None:
    text = (ROOT / "models.toml").read_text() + f"\n[mine]\nrecipe = '{case.name}'\n"
    path = tmp_path / "models.toml"
    setting, told = case.wrong
    path.write_text(text + f"hyperparameters = {{ time_freq = 'W', {setting} }}\n")
    with pytest.raises(UserError, match=told):
        read_models(path)
    path.write_text(text + "hyperparameters = { time_freq = 'W' }\nextensions = { seed = 1 }\n")
    with pytest.raises(UserError, match=f"{case.name} has hyperparameters only"):
        read_models(path)


class BuiltIn:
    """A forecaster that takes only what SageMaker's built-in DeepAR knows."""

    def check_model(self, model_id: str, extensions: dict[str, Any]) -> None:
        if extensions:
            raise UserError(f"{model_id} has {', '.join(extensions)}.", where="", fix="")


def test_the_built_in_deepar_is_refused_before_anything_is_built(case: Case) -> None:
    model = read_models(ROOT / "models.toml")[case.name]
    jobs = find_recipe(case.name).jobs
    assert jobs is not None
    with pytest.raises(UserError, match=f"{case.name} has algorithm"):
        jobs.check(model, BuiltIn(), 13, None)  # type: ignore[arg-type]
