"""What a blend asks for, and what is refused; what it learns is in end_to_end/test_blend.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from salescast.errors import UserError
from salescast.lake import Lake
from salescast.recipes.catalogue import read_models
from salescast.settings import Settings
from salescast.warehouse import Landed
from salescast.week.batch import BatchRecord, RunRecord
from salescast.week.plan import VINTAGES, Asked, plan_batch
from support.project import REPOSITORY

FIRST, NEWEST = date(2023, 1, 7), date(2026, 10, 31)
TABLES = """
[snaive_52]
recipe = "sql"
relation = "baseline_snaive_52"

[deepar]
recipe = "deepar"

[deepar.hyperparameters]
time_freq = "W"
context_length = 52
epochs = 1
"""


@pytest.mark.parametrize(
    "members",
    [
        "[]",
        '["snaive_52"]',
        '["snaive_52", "snaive_52"]',
        '"snaive_52"',
        "[1, 2]",
        '["a", "b", "c", "d", "e", "f"]',
    ],
)
def test_members_are_two_to_five_models(tmp_path: Path, members: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f'{TABLES}\n[mine]\nrecipe = "blend"\nmembers = {members}\n')
    with pytest.raises(UserError, match="two to 5 members, each once"):
        read_models(path)


def test_a_member_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f'{TABLES}\n[mine]\nrecipe = "blend"\nmembers = ["snaive_52", "gone"]\n')
    with pytest.raises(UserError, match="mine needs gone, which is no model"):
        read_models(path)


def planned(
    lake: Lake,
    *,
    forecaster: str = "local",
    first: date = FIRST,
    newest: date = NEWEST,
    project: Path = REPOSITORY,
    **options: Any,
) -> BatchRecord:
    settings = Settings(home=lake.root.parent, project_dir=project)
    if forecaster != "local":
        settings = settings.model_copy(update={"forecaster": forecaster})
    asked = Asked(**{"command": "run", "model_names": ("blend",), "horizon": 8, **options})
    landed = Landed("x", first, newest, "saturday", None)
    return plan_batch(settings, lake, landed, asked).record


def land(lake: Lake, model_id: str, weeks_back: int) -> None:
    cutoff = NEWEST - timedelta(weeks=weeks_back)
    run_id = f"{model_id.replace('_', '-')}-{weeks_back}"
    row = {
        "run_id": run_id,
        "batch_id": "b",
        "model_id": model_id,
        "recipe": "sql",
        "kind": "backtest",
        "cutoff_date": cutoff,
        "prediction_length": 8,
        "landed_at": datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None),
    }
    lake.append("runs", [row], name=run_id)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake")


ALL = ["snaive_52", "snaive_calendar", "mstl_ets", "direct"]


def test_the_first_run_asks_for_vintages_of_its_members(lake: Lake) -> None:
    record = planned(lake)
    assert record.models == [*ALL, "blend"]
    assert record.trained_once == ["direct"]
    assert record.learned_from == {4 * n: ALL for n in range(1, VINTAGES + 1)}
    assert [each.weeks_back for each in record.requests] == [0, *record.learned_from]
    assert record.models_at(NEWEST, NEWEST) == record.models
    assert record.models_at(NEWEST - timedelta(weeks=4), NEWEST) == ALL


def test_a_week_that_is_asked_for_by_name_is_no_vintage(lake: Lake) -> None:
    record = planned(lake, backtests=2)
    assert [each.weeks_back for each in record.requests][:3] == [0, 8, 16]
    assert list(record.learned_from) == [4, 12, 20, 24, 28, 32]
    assert record.models_at(NEWEST - timedelta(weeks=8), NEWEST) == record.models


@pytest.mark.parametrize("weeks_since", [0, 1, 2, 3])
@pytest.mark.parametrize("days_since", [0, 3])
def test_weeks_after_the_first_run_nothing_is_made_again(
    lake: Lake, weeks_since: int, days_since: int
) -> None:
    landed = {weeks_since + 4 * n for n in range(1, VINTAGES + 1)}
    for weeks in landed | set(range(1, weeks_since + 1)):
        for model_id in ALL[1:]:
            land(lake, model_id, weeks)
    assert planned(lake, newest=NEWEST + timedelta(days=days_since)).learned_from == {}


def test_a_new_member_is_made_where_the_others_are(lake: Lake) -> None:
    for weeks in range(4, 4 * VINTAGES + 1, 4):
        land(lake, "snaive_calendar", weeks)
        land(lake, "direct", weeks)
    land(lake, "mstl_ets", 4)
    expected = {4 * n: ["snaive_52", "mstl_ets"] for n in range(2, VINTAGES + 1)}
    assert planned(lake, newest=NEWEST + timedelta(days=2)).learned_from == expected


def test_members_at_different_weeks_of_a_block_share_no_vintage(lake: Lake) -> None:
    land(lake, "snaive_calendar", 3)
    land(lake, "mstl_ets", 2)
    assert planned(lake).learned_from[4] == ALL


def test_short_and_withdrawn_runs_are_no_vintages(lake: Lake) -> None:
    for weeks in range(4, 4 * VINTAGES + 1, 4):
        for model_id in ALL[1:]:
            land(lake, model_id, weeks)
    # Of the vintage four weeks ago no more than four weeks are known.
    assert list(planned(lake, horizon=13).learned_from) == [12, 16, 20, 24, 28, 32]
    assert planned(lake).learned_from == {}
    row = {"run_id": "mstl-ets-8", "withdrawn_at": datetime(2026, 11, 1), "reason": "wrong"}
    lake.append("withdrawals", [row])
    assert planned(lake).learned_from == {8: ["snaive_52", "mstl_ets"]}


def test_a_short_history_has_fewer(lake: Lake) -> None:
    first = NEWEST - timedelta(weeks=70)
    assert list(planned(lake, first=first).learned_from) == [4, 8]
    assert planned(lake, first=NEWEST - timedelta(weeks=30)).learned_from == {}


@pytest.mark.parametrize(
    ("weeks", "with_network"), [(122, 8), (121, 7), (106, 4), (105, 0), (93, 0), (92, 0)]
)
def test_a_network_needs_more_past_than_the_others(
    lake: Lake, weeks: int, with_network: int
) -> None:
    record = planned(lake, first=NEWEST - timedelta(weeks=weeks))
    n_weeks = [weeks for weeks, names in record.learned_from.items() if "direct" in names]
    assert n_weeks == [4 * n for n in range(1, with_network + 1)]
    assert [names[:3] for names in record.learned_from.values()] == [ALL[:3]] * (
        8 if weeks >= 92 else 7
    )


def test_a_vintage_is_made_again_once_there_is_enough_past_for_a_network(lake: Lake) -> None:
    for n in range(1, 9):
        land(lake, "snaive_calendar", 4 * n)
        land(lake, "mstl_ets", 4 * n)
    assert planned(lake, first=NEWEST - timedelta(weeks=100)).learned_from == {}
    made = planned(lake, first=NEWEST - timedelta(weeks=110)).learned_from
    assert made == {4 * n: ["snaive_52", "direct"] for n in range(1, 6)}


def test_a_network_is_trained_at_its_first_vintage_and_where_it_is_asked_for(lake: Lake) -> None:
    record = planned(lake, backtests=1, first=NEWEST - timedelta(weeks=115))
    record.runs = [
        RunRecord(
            run_id=f"b-{weeks}-{name}",
            model_id=name,
            recipe="any",
            kind="backtest",
            cutoff_date=NEWEST - timedelta(weeks=weeks),
            prediction_length=8,
        )
        for weeks in (0, 8, *record.learned_from)
        for name in record.models_at(NEWEST - timedelta(weeks=weeks), NEWEST)
    ]
    lent = {run.run_id: record.lender(run) for run in record.runs}
    found = {run_id: lender.run_id for run_id, lender in lent.items() if lender is not None}
    assert found == {f"b-{weeks}-direct": "b-24-direct" for weeks in (4, 12, 16, 20)}


def test_jobs_that_are_billed_are_not_started_unasked(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/salescast:1"
    monkeypatch.setenv("SALESCAST_SAGEMAKER_IMAGE", image)
    assert planned(lake, forecaster="sagemaker").learned_from[4] == ALL[:2]
    assert planned(lake, forecaster="sagemaker").trained_once == []


def test_a_blend_of_a_blend_takes_what_that_one_needs(lake: Lake, tmp_path: Path) -> None:
    models = (REPOSITORY / "models.toml").read_text(encoding="utf-8")
    inner = '[inner]\nrecipe = "blend"\nmembers = ["snaive_52", {}]\n'
    outer = '[outer]\nrecipe = "blend"\nmembers = ["inner", "snaive_calendar"]\n'
    for member, at_vintages in (
        ('"mstl_ets"', ["snaive_52", "mstl_ets", "inner", "snaive_calendar"]),
        ('"direct"', ["snaive_52", "direct", "snaive_calendar"]),
    ):
        project = tmp_path / member.strip('"')
        project.mkdir()
        (project / "dbt_project.yml").symlink_to(REPOSITORY / "dbt_project.yml")
        (project / "models.toml").write_text(models + inner.format(member) + outer)
        record = planned(lake, project=project, model_names=("outer",))
        assert record.learned_from[4] == at_vintages


def test_a_backtest_learns_from_what_is_there(lake: Lake) -> None:
    record = planned(lake, command="backtest", cutoffs=[NEWEST - timedelta(weeks=8)])
    assert record.learned_from == {}
