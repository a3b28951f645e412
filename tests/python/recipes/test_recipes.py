"""Recipes: found by their file, ordered by what they need, and given what they may read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from salescast.errors import RunError, UserError
from salescast.lake import Lake
from salescast.recipes import STEPS, Model, find_recipe, recipe_names, steps_of
from salescast.recipes.catalogue import choose_models, read_models
from salescast.week.batch import RunRecord
from salescast.week.run import carry_out
from support.small_week import (
    HORIZON,
    ITEMS,
    MODELS,
    NEWEST,
    World,
    begin,
    done_steps,
    forecasts,
    kill_at,
    open_week,
)

TOTAL = '''
"""The sum of the needed models' means, and the number of rows of earlier vintages."""
import duckdb
from salescast.recipes import Recipe, Step, land
from salescast.week.load import QUANTILE_COLUMNS, Forecasts

def _needs(model):
    return tuple(model.settings["of"])

def _predict(context, run):
    return "nothing to do"

def _load(context, run):
    files = [str(context.lake.file("forecasts", each.run_id)) for each in context.needed.values()]
    rows = context.files.work / "rows.parquet"
    rows.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        n = connection.execute(f"select count(*) from ({context.vintages})").fetchone()[0]
        quantiles = ", ".join(f"{n} + {k} + 1/3 as {c}" for k, c in enumerate(QUANTILE_COLUMNS))
        connection.execute(
            f"copy (select item_id, horizon_weeks, sum(mean) as mean, {quantiles}"
            f" from read_parquet({files}) group by all) to '{rows}'"
        )
    return land(context, run, Forecasts(rows=rows))

RECIPE = Recipe(
    keys=frozenset({"of"}),
    needs=_needs,
    vintages=True,
    steps=(Step("predict", _predict), Step("load", _load)),
)
'''
TABLES = """
[total]
recipe = "total"
of = ["deepar", "snaive_52"]
[snaive_52]
recipe = "sql"
relation = "baseline_snaive_52"
[deepar]
recipe = "deepar"
hyperparameters = { time_freq = "W", context_length = 4, epochs = 1 }
"""
WITH_TOTAL = {**MODELS, "total": Model("total", "total", {"of": ["deepar", "snaive_52"]})}


@pytest.fixture
def total(add_recipe: Callable[[str, str], None]) -> None:
    add_recipe("total", TOTAL)


def write(folder: Path, text: str) -> Path:
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def a_run(recipe: str) -> RunRecord:
    return RunRecord(
        run_id="b1-1-a",
        model_id="a",
        recipe=recipe,
        kind="forecast",
        cutoff_date=NEWEST,
        prediction_length=2,
    )


def test_the_files_are_the_list() -> None:
    assert recipe_names() == ["blend", "deepar", "direct", "mstl_ets", "sql"]
    for name in recipe_names():
        steps = [step.name for step in find_recipe(name).steps]
        assert steps == [step for step in STEPS if step in steps]
        assert steps[-1] == "load"


@pytest.mark.usefixtures("total")
def test_a_new_file_is_a_new_recipe() -> None:
    assert recipe_names() == ["blend", "deepar", "direct", "mstl_ets", "sql", "total"]
    assert steps_of(a_run("total")) == ("predict", "load")


@pytest.mark.parametrize("name", ["antigravity", "../sql", "sql.x", "catalogue", "trained", ""])
def test_only_recipes_of_the_package_are_imported(name: str) -> None:
    with pytest.raises(UserError, match="is not known") as caught:
        find_recipe(name)
    assert caught.value.fix == 'Use "blend", "deepar", "direct", "mstl_ets" or "sql".'
    assert "antigravity" not in sys.modules


def test_a_run_waits_for_the_steps_of_its_recipe() -> None:
    assert steps_of(a_run("sql")) == ("export", "load")
    assert steps_of(a_run("deepar")) == STEPS
    assert steps_of(a_run("a_recipe_that_is_gone")) == STEPS


@pytest.mark.usefixtures("total")
def test_what_a_model_needs_is_made_before_it(tmp_path: Path) -> None:
    known = read_models(write(tmp_path, TABLES))
    for names in (["total"], ["total", "deepar"], ["deepar", "total"]):
        chosen = [model.model_id for model in choose_models(known, names)]
        assert chosen == ["snaive_52", "deepar", "total"]
    assert [model.model_id for model in choose_models(known, [])] == ["snaive_52", "deepar"]


@pytest.mark.usefixtures("total")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('[a]\nrecipe = "total"\nof = ["b"]\n[b]\nrecipe = "total"\nof = ["a"]\n', "a needs b"),
        ('[a]\nrecipe = "total"\nof = ["a"]\n', "a needs a"),
        ('[a]\nrecipe = "total"\nof = ["prophet"]\n', "a needs prophet, which is no model"),
    ],
)
def test_needs_that_cannot_be_met_are_refused(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_models(write(tmp_path, TABLES + change))
    assert "models.toml: [" in str(caught.value.where)


def begin_total(folder: Path) -> World:
    return begin(folder, models=list(WITH_TOTAL.values()), backtests=1)


@pytest.mark.usefixtures("total")
def test_a_run_reads_what_it_needs_and_earlier_weeks_only(tmp_path: Path) -> None:
    world = begin_total(tmp_path)
    kill_at(world, lambda call: call == ("transform", f"deepar at {NEWEST}"), WITH_TOTAL)
    with pytest.raises(RunError, match="has not come to this step") as caught:
        carry_out(open_week(world, WITH_TOTAL), only="load")
    assert "salescast predict" in str(caught.value)
    carry_out(open_week(world, WITH_TOTAL))
    rows = {
        (row["model_id"], row["cutoff_date"], row["item_id"], row["horizon_weeks"]): row
        for row in forecasts(world)
    }
    earlier = NEWEST - timedelta(weeks=HORIZON)
    for item in ITEMS:
        for cutoff in (earlier, NEWEST):
            for week in range(1, HORIZON + 1):
                of = [rows[name, cutoff, item, week]["mean"] for name in ("deepar", "snaive_52")]
                assert rows["total", cutoff, item, week]["mean"] == sum(of)
    # Of three models at the earlier cutoff all weeks are over; of the newest none is.
    n_earlier = len(MODELS | WITH_TOTAL) * len(ITEMS) * HORIZON
    assert rows["total", earlier, "1:a", 1]["p05"] == 0.333333
    assert rows["total", NEWEST, "1:a", 1]["p05"] == pytest.approx(n_earlier + 0.3333)
    runs = Lake(tmp_path / "lake").read("runs").to_pylist()
    [run] = [r for r in runs if (r["model_id"], r["cutoff_date"]) == ("total", NEWEST)]
    assert (run["recipe"], run["forecaster"], run["data_hash"]) == ("total", "warehouse", "data-1")
    assert (f"{run['run_id']}", "export") not in done_steps(world)


@pytest.mark.usefixtures("total")
def test_a_run_waits_for_what_it_needs(tmp_path: Path) -> None:
    world = begin_total(tmp_path)
    kill_at(world, lambda call: call == ("transform", f"deepar at {NEWEST}"), WITH_TOTAL)
    with pytest.raises(RunError, match="deepar has not come to this step") as caught:
        carry_out(open_week(world, WITH_TOTAL), only="predict")
    assert "salescast load" in str(caught.value)


@pytest.mark.usefixtures("total")
def test_a_batch_that_was_begun_without_what_is_needed_now_says_so(tmp_path: Path) -> None:
    alone = WITH_TOTAL | {"total": Model("total", "total", {"of": []})}
    world = begin(tmp_path, models=[alone["snaive_52"], alone["total"]])
    kill_at(world, lambda call: call[0] == "export_baseline", alone)
    with pytest.raises(UserError, match="total needs deepar, of which this batch has no run"):
        carry_out(open_week(world, WITH_TOTAL))


def test_a_model_that_left_models_toml_says_what_to_do(tmp_path: Path) -> None:
    world = begin(tmp_path)
    kill_at(world, lambda call: call[0] == "transform")
    with pytest.raises(UserError, match="model deepar of this batch is not in") as caught:
        carry_out(open_week(world, {"snaive_52": MODELS["snaive_52"]}))
    assert "[deepar]" in str(caught.value.fix)
