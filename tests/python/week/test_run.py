"""The week on small fakes: killed anywhere, it goes on to the same forecasts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError, UserError
from salescast.forecaster import JobUsage, TransformJob
from salescast.forecaster.sagemaker.images import built_in_image
from salescast.lake import Lake, sortable_id
from salescast.lake.trained_models import read_trained_model
from salescast.recipes import Model
from salescast.warehouse import Landed
from salescast.week.batch import Batch, BatchRecord, read_record
from salescast.week.export import RunFiles
from salescast.week.run import Week, carry_out
from support.small_week import (
    FIRST,
    HORIZON,
    ITEMS,
    MODELS,
    NEWEST,
    FakeWarehouse,
    Killed,
    World,
    a_record,
    begin,
    done_steps,
    forecasts,
    kill_at,
    open_week,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A batch with one backtest window that nothing disturbed."""
    world = begin(tmp_path_factory.mktemp("whole"), backtests=1)
    carry_out(open_week(world))
    return world


def test_the_week_lands_every_model_at_every_cutoff(whole: World) -> None:
    rows = forecasts(whole)
    earlier = NEWEST - timedelta(weeks=HORIZON)
    assert len(rows) == 2 * 2 * len(ITEMS) * HORIZON
    assert {(row["model_id"], row["cutoff_date"]) for row in rows} == {
        (model, cutoff) for model in MODELS for cutoff in (earlier, NEWEST)
    }
    by_model = {row["mean"] for row in rows if row["model_id"] == "deepar"}
    assert by_model == {float(str(earlier)[-2:]), float(str(NEWEST)[-2:]), 1.0}
    runs = Lake(whole.folder / "lake").read("runs").to_pylist()
    assert sorted((r["kind"], r["recipe"], r["n_fallback_items"]) for r in runs) == [
        ("backtest", "deepar", 1),
        ("backtest", "sql", 0),
        ("forecast", "deepar", 1),
        ("forecast", "sql", 0),
    ]
    assert {r["data_hash"] for r in runs} == {"data-1"}
    assert {r["seed"] for r in runs} == {None, 5}
    assert all(json.loads(r["hyperparameters"]) for r in runs if r["recipe"] == "deepar")


def test_the_week_builds_twice_and_publishes_last(whole: World) -> None:
    builds = [call for call in whole.calls if call[0] == "build"]
    assert builds == [("build", "pre_predict"), ("build", "post_predict")]
    assert whole.calls[-1] == ("publish",)
    assert read_record(whole.folder / "batches" / "20261122t000000-ab12").status == "done"


def test_models_with_a_selector_are_built_where_a_batch_asks_for_them(tmp_path: Path) -> None:
    settings = {"relation": "baseline_snaive_52", "selector": "mine"}
    models = MODELS | {
        name: Model(name, "sql", settings) for name in ("mine", "yours", "not_asked")
    }
    models["not_asked"] = Model("not_asked", "sql", settings | {"selector": "other"})
    asked = [models[name] for name in ("snaive_52", "mine", "yours")]
    world = begin(tmp_path, models=asked)
    carry_out(open_week(world, models))
    builds = [call[1] for call in world.calls if call[0] == "build"]
    assert builds == ["pre_predict", "mine", "post_predict"]


def test_everything_is_exported_before_anything_is_trained(whole: World) -> None:
    # Hours of training lie between; all runs shall be made of the warehouse of one build.
    names = [call[0] for call in whole.calls]
    exports = [place for place, name in enumerate(names) if name.startswith("export_")]
    assert names.index("build") < min(exports)
    assert max(exports) < names.index("train")
    assert [names.count(name) for name in ("export_baseline", "export_training", "train")] == [
        *(4, 2, 2)
    ]


def test_a_finished_batch_does_nothing_again(whole: World) -> None:
    before, steps = len(whole.calls), done_steps(whole)
    carry_out(open_week(whole))
    assert len(whole.calls) == before
    assert done_steps(whole) == steps


STEP_OF = {
    "export_training": "export",
    "export_encoding": "export",
    "export_inference": "export",
    "train": "train",
    "transform": "predict",
    "publish": "publish",
}


@pytest.mark.slow
def test_killed_anywhere_a_resume_ends_with_the_same_forecasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was written outlives a killed process; only a power cut asks for the sync, which is slow.
    monkeypatch.setattr("os.fsync", lambda _: None)
    undisturbed = begin(tmp_path / "whole")
    carry_out(open_week(undisturbed))
    expected, steps = forecasts(undisturbed), done_steps(undisturbed)
    moments = 0
    while True:
        moments += 1
        world = begin(tmp_path / str(moments))
        world.die_at = moments
        try:
            carry_out(open_week(world))
        except Killed:
            pass
        else:
            break
        finished = open_week(world).batch.record
        calls_before = len(world.calls)
        world.die_at = None
        carry_out(open_week(world))

        where = f"killed at moment {moments}"
        assert forecasts(world) == expected, where
        assert done_steps(world) == steps, where
        runs = Lake(world.folder / "lake").read("runs")["run_id"].to_pylist()
        assert len(runs) == len(set(runs)) == 2, where
        for call in world.calls[calls_before:]:
            assert not was_finished(finished, call), f"{where}: {call} was done again"
    assert moments > 25


def test_a_refused_output_lands_nothing_and_a_resume_forecasts_anew(tmp_path: Path) -> None:
    world = begin(tmp_path)
    world.loses_a_line = True
    with pytest.raises(RunError, match=rf"no forecast: 1 series \({ITEMS[1]}\)"):
        carry_out(open_week(world))
    assert {row["model_id"] for row in forecasts(world)} == {"snaive_52"}
    world.loses_a_line = False
    carry_out(open_week(world))
    assert [call[0] for call in world.calls].count("transform") == 2
    assert [call[0] for call in world.calls].count("train") == 1
    assert {row["model_id"] for row in forecasts(world)} == {"deepar", "snaive_52"}


@pytest.mark.parametrize("steps", [(None,), ("predict", "load")])
def test_forecasts_that_are_gone_before_they_landed_are_made_again(
    tmp_path: Path, whole: World, steps: tuple[str | None, ...]
) -> None:
    world = begin(tmp_path, backtests=1)
    transforms = [0]

    def is_second(call: tuple[str, ...]) -> bool:
        transforms[0] += call[0] == "transform"
        return transforms[0] == 2

    kill_at(world, is_second)
    batch = open_week(world).batch
    landed, waits = (run for run in batch.record.runs if run.recipe == "deepar")
    for run in (landed, waits):
        batch.record.finished.append(f"{run.run_id}/predict")
        RunFiles(batch.work(run)).forecasts.unlink(missing_ok=True)
    batch.save()
    with pytest.raises(RunError, match=f"{waits.run_id} has not come to this step") as caught:
        carry_out(open_week(world), only="load")
    assert "salescast predict" in str(caught.value)
    for step in steps:
        carry_out(open_week(world), only=step)
    assert forecasts(world) == forecasts(whole)
    assert [call[0] for call in world.calls].count("transform") == 2


def test_a_batch_that_an_earlier_version_began_goes_on(tmp_path: Path, whole: World) -> None:
    world = begin(tmp_path, backtests=1)
    transforms = [0]

    def is_second(call: tuple[str, ...]) -> bool:
        transforms[0] += call[0] == "transform"
        return transforms[0] == 2

    kill_at(world, is_second)
    folder = open_week(world).batch.folder
    # Written at this moment of the same batch, by a version that knew two recipes by name.
    recorded = Path(__file__).with_name("recorded_batch.json").read_text()
    (folder / "batch.json").write_text(recorded)
    calls = len(world.calls)
    carry_out(open_week(world))
    assert forecasts(world) == forecasts(whole)
    assert world.calls[calls:][0] == ("transform", f"deepar at {NEWEST}")
    runs = Lake(tmp_path / "lake").read("runs").to_pylist()
    assert sorted(run["recipe"] for run in runs) == ["deepar", "deepar", "sql", "sql"]


def was_finished(record: BatchRecord, call: tuple[str, ...]) -> bool:
    """Whether a call belongs to a step that the record had as finished."""
    if call[0] == "build":
        return {"pre_predict": "build", "post_predict": "build marts"}[call[1]] in record.finished
    if call[0] == "cutoffs":
        return "resolve" in record.finished
    step = STEP_OF.get(call[0])
    if step is None:
        return False
    if step == "publish":
        return step in record.finished
    cutoff = call[1].split()[-1]
    return any(
        f"{run.run_id}/{step}" in record.finished
        for run in record.runs
        if run.recipe == "deepar" and str(run.cutoff_date) == cutoff
    )


def test_new_data_before_the_exports_means_a_new_build_for_the_same_cutoffs(
    tmp_path: Path,
) -> None:
    world = begin(tmp_path)
    kill_at(world, lambda call: call[0] == "export_training")
    world.data_hash, world.newest = "data-2", NEWEST + timedelta(weeks=1)
    carry_out(open_week(world))
    assert [call for call in world.calls if call[0] == "build"] == [
        ("build", "pre_predict"),
        ("build", "pre_predict"),
        ("build", "post_predict"),
    ]
    runs = {r["model_id"]: r for r in Lake(tmp_path / "lake").read("runs").to_pylist()}
    assert {run["cutoff_date"] for run in runs.values()} == {NEWEST}
    # The naive run had left the warehouse before the stop; its hash tells that.
    assert runs["snaive_52"]["data_hash"] == "data-1"
    assert runs["deepar"]["data_hash"] == "data-2"


def test_a_new_build_is_asked_for_the_kinds_of_the_first(tmp_path: Path) -> None:
    world = begin(tmp_path, backtests=1)
    kill_at(world, lambda call: call[0] == "export_training")
    world.data_hash, world.newest = "data-2", NEWEST + timedelta(weeks=1)
    carry_out(open_week(world))
    earlier = NEWEST - timedelta(weeks=HORIZON)
    kinds = {(earlier, "backtest"), (NEWEST, "forecast")}
    lake = Lake(tmp_path / "lake")
    requests = lake.read("requested_cutoffs").to_pylist()
    newest = max(row["request_id"] for row in requests)
    asked = [row for row in requests if row["request_id"] == newest]
    assert {(row["cutoff_date"], row["kind"]) for row in asked} == kinds
    assert {row["weeks_back"] for row in asked} == {0}
    assert {(cutoff.cutoff_date, cutoff.kind) for cutoff in world.built_for} == kinds
    runs = lake.read("runs").to_pylist()
    assert sorted((run["cutoff_date"], run["kind"]) for run in runs) == sorted([*kinds, *kinds])


def test_new_data_after_the_exports_changes_nothing(tmp_path: Path, whole: World) -> None:
    world = begin(tmp_path, backtests=1)
    kill_at(world, lambda call: call[0] == "transform")
    world.data_hash = "data-2"
    carry_out(open_week(world))
    assert forecasts(world) == forecasts(whole)
    assert len([call for call in world.calls if call[0] == "build"]) == 2
    hashes = Lake(tmp_path / "lake").read("runs")["data_hash"].to_pylist()
    assert set(hashes) == {"data-1"}


def test_another_batch_in_between_means_a_new_build(tmp_path: Path) -> None:
    world = begin(tmp_path)
    kill_at(world, lambda call: call[0] == "export_baseline")
    row = {
        "request_id": sortable_id(datetime.now(UTC)),
        "requested_at": None,
        "cutoff_date": NEWEST - timedelta(weeks=10),
        "weeks_back": 0,
        "kind": "backtest",
        "horizon_weeks": HORIZON,
    }
    Lake(tmp_path / "lake").append("requested_cutoffs", [row])
    FakeWarehouse(world, Lake(tmp_path / "lake")).build("pre_predict")
    week = open_week(world)
    with pytest.raises(RunError, match="not built for batch"):
        carry_out(week, only="export")
    carry_out(week)
    assert {row["cutoff_date"] for row in forecasts(world)} == {NEWEST}


def test_a_failed_step_is_recorded_and_resumed(tmp_path: Path, whole: World) -> None:
    world = begin(tmp_path, backtests=1)
    week = open_week(world)

    def fail(job: TransformJob) -> Path:
        raise RunError("the program failed")

    week.forecaster.transform = fail  # type: ignore[method-assign]
    with pytest.raises(RunError, match="the program failed"):
        carry_out(week)
    rows = Lake(tmp_path / "lake").read("run_steps").to_pylist()
    assert [row["step"] for row in rows if row["status"] == "failed"] == ["predict"]
    carry_out(open_week(world))
    assert forecasts(world) == forecasts(whole)


def test_a_batch_goes_on_with_the_forecaster_that_it_was_begun_with(tmp_path: Path) -> None:
    world = begin(tmp_path, forecaster="sagemaker")
    calls = len(world.calls)
    for step in (None, "export", "train", "predict", "load"):
        with pytest.raises(UserError, match="begun with the forecaster sagemaker, not local") as e:
            carry_out(open_week(world), only=step)
        assert "Set SALESCAST_FORECASTER=sagemaker" in str(e.value)
    assert len(world.calls) == calls
    week = open_week(world)
    week.forecaster.name = "sagemaker"  # type: ignore[misc]
    carry_out(week)
    runs = Lake(tmp_path / "lake").read("runs").to_pylist()
    assert {run["forecaster"] for run in runs} == {"sagemaker", "warehouse"}


def test_a_batch_without_deepar_goes_on_with_any_forecaster(tmp_path: Path) -> None:
    world = begin(tmp_path, forecaster="sagemaker", models=[MODELS["snaive_52"]])
    carry_out(open_week(world))
    assert len(forecasts(world)) == len(ITEMS) * HORIZON


def test_a_record_of_before_the_forecaster_was_kept_goes_on(tmp_path: Path) -> None:
    world = begin(tmp_path)
    path = open_week(world).batch.folder / "batch.json"
    record = json.loads(path.read_text())
    assert record.pop("forecaster") == "local"
    path.write_text(json.dumps(record))
    carry_out(open_week(world))
    assert {run["forecaster"] for run in Lake(tmp_path / "lake").read("runs").to_pylist()} == {
        "local",
        "warehouse",
    }


def test_what_a_job_took_is_told_once(tmp_path: Path) -> None:
    world = begin(tmp_path)
    week = open_week(world)

    def fail(job: TransformJob) -> Path:
        world.used.append(JobUsage(f"{job.run_id}-predict-1", "ml.m5.large", 2, 9.0, 8.0))
        raise RunError("the job failed")

    week.forecaster.transform = fail  # type: ignore[method-assign]
    with pytest.raises(RunError, match="the job failed"):
        carry_out(week)
    run_id = next(run.run_id for run in week.batch.record.runs if run.recipe == "deepar")
    # A new process sees the failed job again, and two that it waited for.
    for n, seconds in ((2, 10.0), (3, 20.0)):
        world.used.append(JobUsage(f"{run_id}-predict-{n}", "ml.m5.xlarge", 1, 30.0, seconds))
    world.calls.clear()
    carry_out(open_week(world))
    rows = Lake(tmp_path / "lake").read("run_steps").to_pylist()
    names = ("status", "job_name", "instance_type", "instance_count", "billable_seconds")
    told = [tuple(row[name] for name in names) for row in rows if row["job_name"]]
    assert told == [
        ("failed", f"{run_id}-predict-1", "ml.m5.large", 2, 16.0),
        ("done", f"{run_id}-predict-3", "ml.m5.xlarge", 1, 30.0),
    ]
    (done,) = [row["detail"] for row in rows if row["job_name"] == f"{run_id}-predict-3"]
    assert f"{run_id}-predict-2 on 1 ml.m5.xlarge, 10 s billed" in done


def test_no_seed_is_landed_of_a_program_that_takes_none(tmp_path: Path) -> None:
    world = begin(tmp_path)
    week = open_week(world)
    week.forecaster.program = built_in_image("eu-central-1")  # type: ignore[misc]
    carry_out(week)
    runs = Lake(tmp_path / "lake").read("runs").to_pylist()
    assert {(run["recipe"], run["seed"]) for run in runs} == {("sql", None), ("deepar", None)}


def test_the_single_steps_make_the_same_forecasts(tmp_path: Path, whole: World) -> None:
    world = begin(tmp_path, backtests=1)
    with pytest.raises(RunError, match="not built for batch"):
        carry_out(open_week(world), only="export")
    kill_at(world, lambda call: call[0] == "export_baseline")
    with pytest.raises(RunError, match="has not come to this step") as caught:
        carry_out(open_week(world), only="train")
    assert "salescast export" in str(caught.value)
    for step in ("export", "train", "predict", "load"):
        carry_out(open_week(world), only=step)
    assert forecasts(world) == forecasts(whole)
    assert read_record(open_week(world).batch.folder).status == "unfinished"
    carry_out(open_week(world))
    assert done_steps(world) == done_steps(whole)


def test_a_trained_model_is_used_again_without_training(whole: World, tmp_path: Path) -> None:
    earlier = NEWEST - timedelta(weeks=HORIZON)
    lake = Lake(whole.folder / "lake")
    [trained_id] = [
        run["trained_model_id"]
        for run in lake.read("runs").to_pylist()
        if run["recipe"] == "deepar" and run["cutoff_date"] == earlier
    ]
    trained = read_trained_model(lake, trained_id)
    assert trained.features == ("promotion",)
    record = a_record(trained=trained)
    record.batch_id = "20261122t000000-cd34"
    folder = whole.folder / "batches" / record.batch_id
    Batch(record, folder, lake).save()
    week = open_week(whole)
    week = Week(
        Batch(read_record(folder), folder, lake), week.warehouse, week.forecaster, lake, MODELS, "1"
    )
    before = len(whole.calls)
    carry_out(week)
    names = [call[0] for call in whole.calls[before:]]
    assert "train" not in names
    assert "export_training" not in names
    [run] = [
        run
        for run in lake.read("runs").to_pylist()
        if run["batch_id"] == record.batch_id and run["recipe"] == "deepar"
    ]
    assert run["trained_model_id"] == trained_id


def test_a_model_that_has_seen_later_sales_is_refused(
    whole: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(whole.folder / "lake")
    trained_id = max(
        run["trained_model_id"]
        for run in lake.read("runs").to_pylist()
        if run["recipe"] == "deepar" and run["cutoff_date"] == NEWEST
    )
    trained = read_trained_model(lake, trained_id)
    with pytest.raises(UserError, match="has seen sales up to 2026-10-31"):
        a_record(trained=trained, cutoffs=[NEWEST - timedelta(weeks=8)])
    # The newest week is known after the build only.
    record = a_record(trained=trained)
    record.batch_id = "20261122t000000-ef56"
    folder = whole.folder / "batches" / record.batch_id
    Batch(record, folder, lake).save()
    week = open_week(whole)
    week = Week(
        Batch(read_record(folder), folder, lake), week.warehouse, week.forecaster, lake, MODELS, "1"
    )
    monkeypatch.setattr(whole, "newest", NEWEST - timedelta(weeks=1))
    with pytest.raises(UserError, match=r"after the cutoff 2026-10-24"):
        carry_out(week)


def test_a_trained_model_of_another_length_is_refused(whole: World) -> None:
    lake = Lake(whole.folder / "lake")
    trained_id = next(i for i in lake.read("runs")["trained_model_id"].to_pylist() if i)
    trained = read_trained_model(lake, trained_id)
    with pytest.raises(UserError, match="forecasts 2 weeks, not 5"):
        a_record(trained=trained, horizon=5)
    with pytest.raises(UserError, match="no deepar model"):
        a_record(trained=trained, models=[MODELS["snaive_52"]])
    with pytest.raises(UserError, match="no trained model nothing") as caught:
        read_trained_model(lake, "nothing")
    assert trained_id in str(caught.value)


def test_a_trained_model_of_other_categories_is_refused(whole: World, tmp_path: Path) -> None:
    lake = Lake(whole.folder / "lake")
    trained_id = next(i for i in lake.read("runs")["trained_model_id"].to_pylist() if i)
    trained = read_trained_model(lake, trained_id)
    with pytest.raises(UserError, match="has categories of store_id, region") as caught:
        a_record(trained=replace(trained, category_columns=("store_id", "region")))
    assert "the exports those of store_id, department_id" in str(caught.value)
    for positions, names in ([0], "store_id, the"), ([0, 1, 2], "position 2"), ([], "nothing"):
        folder = tmp_path / str(len(positions))
        folder.mkdir()
        map_of = pa.table({"cat_position": pa.array(positions, pa.int32())})
        pq.write_table(map_of, folder / "categories.parquet")
        with pytest.raises(UserError, match=f"has categories of .*{names}"):
            a_record(trained=replace(trained, folder=folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, "horizon of 0 weeks"),
        ({"horizon": 53}, "horizon of 53 weeks"),
        ({"cutoffs": [date(2020, 1, 4)]}, "cutoff 2020-01-04 is outside"),
        ({"cutoffs": [date(2027, 1, 2)]}, "cutoff 2027-01-02 is outside"),
        ({"backtests": 200}, "is outside the landed sales"),
        ({"backtests": -1}, "cannot be negative"),
        ({"landed": Landed("x", None, None, None, None)}, "No sales are landed"),
    ],
)
def test_what_cannot_work_is_refused_before_the_batch(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        a_record(**changes)
    assert caught.value.exit_code == 2


def test_backtest_windows_go_back_by_the_horizon() -> None:
    record = a_record(backtests=2)
    assert [(r.cutoff_date, r.weeks_back, r.kind) for r in record.requests] == [
        (None, 0, "forecast"),
        (None, HORIZON, "backtest"),
        (None, 2 * HORIZON, "backtest"),
    ]
    days = [date(2026, 5, 2), date(2026, 1, 31), date(2026, 5, 2)]
    record = a_record(command="backtest", cutoffs=days)
    assert [(r.cutoff_date, r.kind) for r in record.requests] == [
        (date(2026, 1, 31), "backtest"),
        (date(2026, 5, 2), "backtest"),
    ]


def test_a_cutoff_without_a_complete_week_fails_after_the_build(tmp_path: Path) -> None:
    world = begin(tmp_path)
    world.newest = FIRST - timedelta(weeks=1)
    with pytest.raises(UserError, match="No complete week of sales"):
        carry_out(open_week(world))


def test_a_model_whose_recipe_changed_since_is_refused(tmp_path: Path) -> None:
    world = begin(tmp_path)
    kill_at(world, lambda call: call[0] == "train")
    week = open_week(world)
    other = {**MODELS, "deepar": replace(MODELS["deepar"], recipe="sql")}
    with pytest.raises(UserError, match=r"had the recipe deepar .* has sql now"):
        carry_out(replace(week, models=other))


def test_the_last_cutoffs_lie_steps_before_the_newest_week(tmp_path: Path) -> None:
    changes = {"command": "backtest", "last": 3, "step": 2, "cutoffs": [date(2025, 1, 4)]}
    world = begin(tmp_path, models=[MODELS["snaive_52"]], **changes)
    carry_out(open_week(world, MODELS))
    runs = Lake(tmp_path / "lake").read("runs").to_pylist()
    weeks_before = [timedelta(weeks=2 * n) for n in (3, 2, 1)]
    cutoffs = [date(2025, 1, 4), *(NEWEST - each for each in weeks_before)]
    assert sorted(run["cutoff_date"] for run in runs) == cutoffs
    assert {run["kind"] for run in runs} == {"backtest"}


@pytest.mark.parametrize(
    ("changes", "where"), [({}, "backtest"), ({"last": 99, "step": 4}, "--last")]
)
def test_a_backtest_without_a_possible_cutoff_is_refused(
    tmp_path: Path, changes: dict[str, int], where: str
) -> None:
    with pytest.raises(UserError) as caught:
        begin(tmp_path, command="backtest", **changes)
    assert caught.value.where == where


def test_a_vintage_that_fails_is_left_out(tmp_path: Path) -> None:
    """What nobody asked for does not stop what was asked for; a backtest by name does."""
    earlier = NEWEST - timedelta(weeks=HORIZON)
    for learned_from in ({HORIZON: ["snaive_52", "deepar"]}, {}):
        folder = tmp_path / str(len(learned_from))
        world = World(folder)
        record = a_record(backtests=1)
        record.learned_from = learned_from
        Batch(record, folder / "batches" / record.batch_id, Lake(folder / "lake")).save()
        ordinary = world.work

        def fail(*call: str, ordinary: Any = ordinary) -> None:
            if call == ("transform", f"deepar at {earlier}"):
                raise RunError("This forecast is not plausible.")
            ordinary(*call)

        world.work = fail  # type: ignore[method-assign]
        if not learned_from:
            with pytest.raises(RunError, match="not plausible"):
                carry_out(open_week(world))
            continue
        carry_out(open_week(world))
        runs = Lake(folder / "lake").read("runs").to_pylist()
        assert sorted((run["model_id"], run["cutoff_date"]) for run in runs) == [
            ("deepar", NEWEST),
            ("snaive_52", earlier),
            ("snaive_52", NEWEST),
        ]
        done = read_record(folder / "batches" / record.batch_id)
        assert done.status == "done"
        assert "failed" in [attempt.status for attempt in done.attempts]


def begin_lending(folder: Path) -> World:
    """A batch with two vintages of a model that is trained at the first of them only."""
    world = World(folder)
    record = a_record(backtests=2)
    record.learned_from = {weeks: ["snaive_52", "deepar"] for weeks in (HORIZON, 2 * HORIZON)}
    record.trained_once = ["deepar"]
    Batch(record, folder / "batches" / record.batch_id, Lake(folder / "lake")).save()
    return world


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = begin_lending(tmp_path_factory.mktemp("lent"))
    carry_out(open_week(world))
    return world


def test_later_vintages_are_forecast_by_the_model_of_the_first(lent: World) -> None:
    oldest, middle = (NEWEST - timedelta(weeks=n * HORIZON) for n in (2, 1))
    trained = [call[1] for call in lent.calls if call[0] == "train"]
    assert trained == [f"deepar at {oldest}", f"deepar at {NEWEST}"]
    runs = {
        run["cutoff_date"]: run
        for run in Lake(lent.folder / "lake").read("runs").to_pylist()
        if run["model_id"] == "deepar"
    }
    assert runs[oldest]["trained_model_id"] == runs[oldest]["run_id"]
    assert runs[middle]["trained_model_id"] == runs[oldest]["run_id"]
    assert runs[NEWEST]["trained_model_id"] == runs[NEWEST]["run_id"]
    # The small forecaster says the day of the cutoff that it was trained at.
    said = {(row["run_id"], row["p50"]) for row in forecasts(lent)}
    assert (runs[middle]["run_id"], oldest.day) in said
    encoded = [call for call in lent.calls if call[0] == "export_encoding"]
    assert len(encoded) == 2


@pytest.mark.slow
def test_killed_anywhere_a_lent_model_is_lent_again(
    lent: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    calls = [call for call in lent.calls if call[0] in ("export_encoding", "train", "transform")]
    assert len(calls) == 7
    for number, call in enumerate(calls):
        world = begin_lending(tmp_path / str(number))
        kill_at(world, lambda made, call=call: made == call)
        carry_out(open_week(world))
        assert forecasts(world) == forecasts(lent), f"killed in {call}"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("train", RunError("The machine has no room.")),
        ("export_training", UserError("No series is long enough to train on.")),
    ],
)
def test_without_the_first_vintage_the_later_ones_are_left_out(
    tmp_path: Path, call: str, error: Exception
) -> None:
    world = begin_lending(tmp_path)
    oldest = NEWEST - timedelta(weeks=2 * HORIZON)
    ordinary = world.work

    def fail(*made: str) -> None:
        if made[0] == call and made[1].endswith(str(oldest)):
            raise error
        ordinary(*made)

    world.work = fail  # type: ignore[method-assign]
    carry_out(open_week(world))
    runs = Lake(world.folder / "lake").read("runs").to_pylist()
    assert [run["cutoff_date"] for run in runs if run["model_id"] == "deepar"] == [NEWEST]
