"""`models.toml`: what is accepted, and what each refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.recipes.catalogue import choose_models, read_models
from salescast.recipes.deepar import ALGORITHM
from salescast.recipes.trained import job_hyperparameters

RESERVED = """
[snaive_52]
recipe = "sql"
relation = "baseline_snaive_52"
[deepar]
recipe = "deepar"
[deepar.hyperparameters]
time_freq = "W"
context_length = 52
epochs = 3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_models_of_the_repository_are_valid() -> None:
    models = read_models(Path(__file__).parents[3] / "models.toml")
    assert models["deepar"].recipe == "deepar"
    job = job_hyperparameters(ALGORITHM, models["deepar"], 13)
    assert job["prediction_length"] == "13"
    assert job["time_freq"] == "W"
    assert all(isinstance(value, str) for value in job.values())


def test_the_naive_model_is_always_made_and_comes_first(tmp_path: Path) -> None:
    known = read_models(
        write(tmp_path, RESERVED + '[mine]\nrecipe = "sql"\nrelation = "baseline_mine"\n')
    )
    assert [model.model_id for model in choose_models(known, [])] == ["snaive_52", "deepar"]
    assert [model.model_id for model in choose_models(known, ["mine"])] == ["snaive_52", "mine"]
    twice = choose_models(known, ["deepar", "snaive_52", "deepar"])
    assert [model.model_id for model in twice] == ["snaive_52", "deepar"]


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    known = read_models(write(tmp_path, RESERVED))
    with pytest.raises(UserError, match="no model prophet") as caught:
        choose_models(known, ["prophet"])
    assert "deepar, snaive_52" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RESERVED.replace("epochs = 3", "epochs = 0"), "epochs"),
        (RESERVED.replace("epochs = 3", "epoch = 3"), "epoch "),
        (RESERVED.replace("epochs = 3", "epochs = 3\nseed = 1"), "seed"),
        (RESERVED.replace("epochs = 3", "epochs = 3\nprediction_length = 4"), "comes from the run"),
        (RESERVED.replace("baseline_snaive_52", "other"), "reserved"),
        (RESERVED + '[a]\nrecipe = "magic"\n', "'magic' is not known"),
        (RESERVED + '[a]\nrecipe = "sql"\n', "needs a relation"),
        (RESERVED + '[a]\nrecipe = "sql"\nrelation = "x"\ncolour = 1\n', "colour"),
        (RESERVED + '[a]\nrecipe = "sql"\nrelation = "x"\nselector = "--target"\n', "'--target'"),
        (RESERVED + '[a]\nrecipe = "sql"\nrelation = "x"\nselector = 1\n', "selector 1"),
        (RESERVED + '["A b"]\nrecipe = "sql"\nrelation = "x"\n', "not usable"),
        ("[snaive_52", "not valid TOML"),
    ],
)
def test_a_wrong_model_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=message) as caught:
        read_models(path)
    assert "models.toml" in str(caught.value)
    assert caught.value.fix


def test_extensions_reach_the_job_and_hold_the_seed(tmp_path: Path) -> None:
    path = write(tmp_path, RESERVED + "[deepar.extensions]\nseed = 11\nlags = [1, 52]\n")
    model = read_models(path)["deepar"]
    job = job_hyperparameters(ALGORITHM, model, 5)
    assert (job["seed"], job["lags"]) == ("11", "[1, 52]")
