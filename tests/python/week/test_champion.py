"""The champion: chosen with a reason, rolled back, and named by `--model champion`."""

from __future__ import annotations

import json
from datetime import date, datetime, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from salescast.cli import cli
from salescast.errors import UserError
from salescast.lake import Lake
from salescast.lake.lock import hold_lock
from salescast.lake.trained_models import Encoding, keep_trained_model
from salescast.recipes import Model
from salescast.recipes.catalogue import read_models
from salescast.settings import Settings
from salescast.warehouse import Landed
from salescast.week.champion import (
    Champion,
    read_champion,
    read_history,
    resolve,
    roll_back,
    set_champion,
)

MODELS = {name: Model(name, "deepar") for name in ("deepar", "wide", "deep")} | {
    "snaive_52": Model("snaive_52", "sql", {"relation": "baseline_snaive_52"})
}
BLEND = Model("blend", "blend", {"members": ["snaive_52", "deepar"]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake")


def keep(lake: Lake, trained_model_id: str, model_id: str = "deepar", weeks: int = 13) -> None:
    """Put a trained model into the lake, as a run does."""
    work = lake.root.parent / "work"
    work.mkdir(parents=True, exist_ok=True)
    (work / "model.tar.gz").write_bytes(b"model")
    pq.write_table(
        pa.table({"cat_position": [0, 1], "code": [0, 0], "category_value": ["1", "a"]}),
        work / "categories.parquet",
    )
    keep_trained_model(
        lake,
        trained_model_id,
        artifact=work / "model.tar.gz",
        encoding=Encoding((), work / "categories.parquet"),
        model_id=model_id,
        cutoff_date=date(2026, 10, 31),
        prediction_length=weeks,
        hyperparameters={},
        program="salescast.deepar 1",
    )


def choose(lake: Lake, model_id: str, trained_model_id: str | None = None) -> None:
    set_champion(
        lake, MODELS, model_id, reason=f"{model_id} is best", trained_model_id=trained_model_id
    )


def forecast(lake: Lake, model_id: str, kind: str = "forecast", year: int = 2025) -> None:
    """A landed run."""
    run = {"run_id": f"{kind}-{model_id}", "model_id": model_id, "kind": kind}
    lake.append("runs", [run | {"landed_at": datetime(year, 11, 1)}], name=run["run_id"])


def test_the_blend_is_champion_until_one_is_chosen(lake: Lake) -> None:
    with_blend = MODELS | {"blend": BLEND}
    assert read_champion(lake, with_blend) == Champion("blend", None, "set", None, None)
    assert resolve(["champion"], None, lake, with_blend) == (["blend"], None)
    for model_id, kind, expected in (
        ("blend", "backtest", "blend"),
        ("deepar", "forecast", "deepar"),
        ("blend", "forecast", "blend"),
    ):
        forecast(lake, model_id, kind)
        assert read_champion(lake, with_blend).model_id == expected
        assert resolve(["champion"], None, lake, with_blend) == ([expected], None)


def test_a_blend_that_is_withdrawn_was_never_champion(lake: Lake) -> None:
    forecast(lake, "deepar")
    forecast(lake, "blend")
    row = {"run_id": "forecast-blend", "withdrawn_at": datetime(2026, 11, 2), "reason": "wrong"}
    lake.append("withdrawals", [row])
    assert read_champion(lake, MODELS | {"blend": BLEND}).model_id == "deepar"


def test_what_was_never_champion_is_never_gone_back_to(lake: Lake) -> None:
    forecast(lake, "deepar")
    choose(lake, "wide")
    forecast(lake, "blend", year=2126)
    assert roll_back(lake, MODELS | {"blend": BLEND}).model_id == "deepar"


def test_a_project_without_a_blend_has_deepar(lake: Lake) -> None:
    assert read_history(lake) == []
    assert read_champion(lake, MODELS).model_id == "deepar"
    assert resolve(["champion"], None, lake, MODELS) == (["deepar"], None)


def test_a_choice_is_kept_with_its_reason_and_moment(lake: Lake) -> None:
    keep(lake, "t1")
    chosen = set_champion(lake, MODELS, "deepar", reason="better wQL", trained_model_id="t1")
    assert read_champion(lake, MODELS) == chosen
    assert (chosen.model_id, chosen.trained_model_id, chosen.action, chosen.reason) == (
        "deepar",
        "t1",
        "set",
        "better wQL",
    )
    assert chosen.set_at is not None


def test_rollbacks_go_further_and_further_back(lake: Lake) -> None:
    keep(lake, "t1")
    for model_id, trained_model_id in (("deepar", "t1"), ("wide", None), ("deep", None)):
        choose(lake, model_id, trained_model_id)
    found = []
    for _ in range(3):
        choice = roll_back(lake, MODELS)
        found.append((choice.model_id, choice.trained_model_id))
    assert found == [("wide", None), ("deepar", "t1"), ("deepar", None)]
    with pytest.raises(UserError, match="nothing to go back to"):
        roll_back(lake, MODELS)
    # Nothing is edited: each step of the way stands in the table.
    assert [choice.action for choice in read_history(lake)] == ["set"] * 3 + ["rollback"] * 3


def test_choices_keep_their_order_whatever_the_clocks_say(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        hours = iter((12, 9, 9, 9))

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2026, 11, 22, next(cls.hours), tzinfo=tz)

    monkeypatch.setattr("salescast.week.champion.datetime", Clock)
    choose(lake, "wide")
    choose(lake, "deep")
    assert read_champion(lake, MODELS).model_id == "deep"
    assert [roll_back(lake, MODELS).model_id for _ in range(2)] == ["wide", "deepar"]
    times = [choice.set_at for choice in read_history(lake)]
    assert all(before < after for before, after in pairwise(times))


def test_rows_in_the_order_of_a_wrong_clock_still_roll_back(lake: Lake) -> None:
    rows = [
        Champion("deepar", None, "rollback", None, datetime(2026, 11, 22, 9)),
        Champion("wide", None, "set", "better", datetime(2026, 11, 22, 12)),
    ]
    lake.append("champions", [vars(row) for row in rows[:1]])
    with pytest.raises(UserError, match="nothing to go back to"):
        roll_back(lake, MODELS)
    lake.append("champions", [vars(row) for row in rows[1:]])
    assert roll_back(lake, MODELS).model_id == "deepar"


def test_a_choice_after_a_rollback_goes_back_to_what_was_rolled_back_to(lake: Lake) -> None:
    choose(lake, "wide")
    choose(lake, "deep")
    assert roll_back(lake, MODELS, reason="late").model_id == "wide"
    choose(lake, "snaive_52")
    assert roll_back(lake, MODELS).model_id == "wide"
    assert roll_back(lake, MODELS).model_id == "deepar"
    assert read_history(lake)[2].reason == "late"


def test_a_lake_of_before_there_were_rollbacks_is_read(lake: Lake) -> None:
    choose(lake, "wide")
    (path,) = lake.files("champions")
    old = pq.read_table(path).drop_columns(["trained_model_id", "action"])
    pq.write_table(old, path)
    assert read_champion(lake, MODELS).action == "set"
    assert roll_back(lake, MODELS).model_id == "deepar"


@pytest.mark.parametrize(
    ("model_id", "trained_model_id", "reason", "message"),
    [
        ("prophet", None, "new", "no model prophet"),
        ("deepar", "t9", "new", "no trained model t9"),
        ("wide", "t1", "new", "is one of deepar, not of wide"),
        ("snaive_52", "t1", "new", "is one of deepar, not of snaive_52"),
        ("deepar", None, "  ", "needs its reason"),
        ("deepar", "", "new", "no trained model"),
        ("deepar", "../trained_models/t1", "new", "no trained model"),
        ("deepar", "t1/", "new", "no trained model"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(
    lake: Lake, model_id: str, trained_model_id: str | None, reason: str, message: str
) -> None:
    keep(lake, "t1")
    with pytest.raises(UserError, match=message) as caught:
        set_champion(lake, MODELS, model_id, reason=reason, trained_model_id=trained_model_id)
    assert caught.value.fix
    assert read_history(lake) == []


def test_the_known_ones_are_told(lake: Lake) -> None:
    keep(lake, "t1")
    with pytest.raises(UserError) as caught:
        choose(lake, "prophet")
    assert "deep, deepar, snaive_52, wide" in str(caught.value)
    with pytest.raises(UserError, match="Name one of: t1"):
        choose(lake, "deepar", "t9")


def test_a_champion_that_left_models_toml_says_what_to_do(lake: Lake) -> None:
    choose(lake, "wide")
    choose(lake, "deep")
    fewer = {name: model for name, model in MODELS.items() if name not in ("wide", "deep")}
    for act in (
        lambda: resolve(["champion"], None, lake, fewer),
        lambda: roll_back(lake, fewer),
    ):
        with pytest.raises(UserError, match=r"is not in models\.toml any more") as caught:
            act()
        assert "salescast champion set" in str(caught.value)
    assert resolve(["deepar"], None, lake, fewer) == (["deepar"], None)


def test_the_name_champion_stands_for_the_choice(lake: Lake) -> None:
    keep(lake, "t1")
    choose(lake, "deepar", "t1")
    assert resolve(["champion", "snaive_52"], None, lake, MODELS) == (["deepar", "snaive_52"], "t1")
    assert resolve(["champion"], "t2", lake, MODELS) == (["deepar"], "t2")
    assert resolve(["champion"], "", lake, MODELS) == (["deepar"], "")
    assert resolve(["deepar"], None, lake, MODELS) == (["deepar"], None)


def test_no_model_may_be_called_champion(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '[snaive_52]\nrecipe = "sql"\nrelation = "baseline_snaive_52"\n'
        '[champion]\nrecipe = "deepar"\n'
    )
    with pytest.raises(UserError, match="champion stands for the model"):
        read_models(path)


def test_a_champion_whose_trained_model_does_not_fit_is_refused_by_name(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from salescast.week.plan import Asked, plan_batch

    monkeypatch.chdir(Path(__file__).parents[3])
    keep(lake, "t1", weeks=5)
    choose(lake, "deepar", "t1")
    landed = Landed("x", date(2024, 1, 6), date(2026, 10, 31), "saturday", None)
    settings = Settings(home=lake.root.parent)

    def plan(command: str = "run", **options: object) -> object:
        asked = Asked(command, model_names=["champion"], **options)  # type: ignore[arg-type]
        return plan_batch(settings, lake, landed, asked)

    for options, message in (
        ({"horizon": 13}, "forecasts 5 weeks, not 13"),
        ({"horizon": 5, "cutoffs": [date(2026, 1, 31)]}, "has seen sales up to 2026-10-31"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            plan(**options)  # type: ignore[arg-type]
        assert caught.value.where == "the champion's trained model"
        assert "--model deepar without --trained-model" in str(caught.value)
    # An empty name is no name of the champion's own model, nor none at all.
    for names in (["champion"], ["deepar"]):
        with pytest.raises(UserError, match="no trained model"):
            plan_batch(settings, lake, landed, Asked("run", model_names=names, trained_model=""))
    batch = plan(horizon=5)
    assert batch.record.trained_model_id == "t1"  # type: ignore[attr-defined]
    assert batch.record.models == ["snaive_52", "deepar"]  # type: ignore[attr-defined]


def test_the_commands(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(lake.root.parent))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["champion", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    assert "The champion is blend." in call("show")
    assert "No champion was chosen yet: it is blend." in call("history")
    assert "Missing option '--reason'" in call("set", "snaive_52", code=2)
    assert "There is no model prophet" in call("set", "prophet", "--reason", "x", code=2)
    chosen = json.loads(call("set", "snaive_52", "--reason", "simple", "--json"))
    assert (chosen["model_id"], chosen["action"]) == ("snaive_52", "set")
    assert "Reason: simple" in call("show")
    assert "after the next" not in call("show")
    told = call("rollback", "--reason", "worse")
    assert "The champion is blend" in told
    assert "after the next `salescast run` or `salescast build`" in told
    rows = json.loads(call("history", "--json"))
    assert [(row["action"], row["reason"]) for row in rows] == [
        ("rollback", "worse"),
        ("set", "simple"),
    ]
    with hold_lock(lake.root.parent, "salescast run"):
        for arguments in (("set", "deepar", "--reason", "x"), ("rollback",)):
            assert "Another command is at work" in call(*arguments, code=1)
        call("show")
    assert len(read_history(lake)) == 2
