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
from salescast.week.batch import BatchRecord
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
    lake: Lake, *, forecaster: str = "local", first: date = FIRST, **options: Any
) -> BatchRecord:
    settings = Settings(home=lake.root.parent, project_dir=REPOSITORY)
    if forecaster != "local":
        settings = settings.model_copy(update={"forecaster": forecaster})
    asked = Asked(**{"command": "run", "model_names": ("blend",), "horizon": 8, **options})
    landed = Landed("x", first, NEWEST, "saturday", None)
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


def test_the_first_run_asks_for_vintages_of_its_quick_members(lake: Lake) -> None:
    record = planned(lake)
    assert record.models == ["snaive_52", "snaive_calendar", "mstl_ets", "direct", "blend"]
    assert record.vintage_weeks == [4 * n for n in range(1, VINTAGES + 1)]
    assert record.vintage_models == ["snaive_calendar", "mstl_ets"]
    assert [each.weeks_back for each in record.requests] == [0, *record.vintage_weeks]
    assert record.is_run_at("blend", NEWEST, NEWEST)
    assert not record.is_run_at("blend", NEWEST - timedelta(weeks=4), NEWEST)
    assert record.is_run_at("mstl_ets", NEWEST - timedelta(weeks=4), NEWEST)


def test_a_week_that_is_asked_for_by_name_is_no_vintage(lake: Lake) -> None:
    record = planned(lake, backtests=2)
    assert [each.weeks_back for each in record.requests][:3] == [0, 8, 16]
    assert record.vintage_weeks == [4, 12, 20, 24, 28, 32]
    assert record.is_run_at("blend", NEWEST - timedelta(weeks=8), NEWEST)


@pytest.mark.parametrize("weeks_since", [0, 1, 2, 3])
def test_weeks_after_the_first_run_nothing_is_made_again(lake: Lake, weeks_since: int) -> None:
    landed = {weeks_since + 4 * n for n in range(1, VINTAGES + 1)}
    for weeks in landed | set(range(1, weeks_since + 1)):
        land(lake, "snaive_calendar", weeks)
        land(lake, "mstl_ets", weeks)
    assert planned(lake).vintage_weeks == []


def test_vintages_of_one_member_alone_are_not_enough(lake: Lake) -> None:
    for weeks in range(4, 4 * VINTAGES + 1, 4):
        land(lake, "snaive_calendar", weeks)
    land(lake, "mstl_ets", 4)
    assert planned(lake).vintage_weeks == [4 * n for n in range(2, VINTAGES + 1)]


def test_a_short_history_has_fewer(lake: Lake) -> None:
    first = NEWEST - timedelta(weeks=70)
    assert planned(lake, first=first).vintage_weeks == [4, 8]
    assert planned(lake, first=NEWEST - timedelta(weeks=30)).vintage_weeks == []


def test_jobs_that_are_billed_are_not_started_unasked(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/salescast:1"
    monkeypatch.setenv("SALESCAST_SAGEMAKER_IMAGE", image)
    assert planned(lake, forecaster="sagemaker").vintage_models == ["snaive_calendar"]


def test_a_backtest_learns_from_what_is_there(lake: Lake) -> None:
    record = planned(lake, command="backtest", cutoffs=[NEWEST - timedelta(weeks=8)])
    assert record.vintage_weeks == record.vintage_models == []
