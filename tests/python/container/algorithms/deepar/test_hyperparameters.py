"""Settings of a job are checked as SageMaker's DeepAR checks them."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescast.container.algorithms.deepar.hyperparameters import (
    EXTENSIONS,
    SAGEMAKER_HYPERPARAMETERS,
    parse_hyperparameters,
    validate_hyperparameters,
)
from salescast.container.errors import ContractError

REQUIRED = {
    "time_freq": "W",
    "prediction_length": "13",
    "context_length": "52",
    "epochs": "40",
}


def test_defaults_are_those_of_the_built_in_algorithm() -> None:
    settings = parse_hyperparameters(REQUIRED)
    assert (settings.mini_batch_size, settings.learning_rate) == (128, 1e-3)
    assert (settings.num_cells, settings.num_layers, settings.dropout_rate) == (40, 2, 0.1)
    assert (settings.embedding_dimension, settings.likelihood) == (10, "student-T")
    assert (settings.cardinality, settings.num_dynamic_feat) == ("auto", "auto")
    assert settings.early_stopping_patience is None
    assert settings.num_eval_samples == 100
    assert settings.test_quantiles == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_extensions_default_to_stock_behaviour() -> None:
    settings = parse_hyperparameters(REQUIRED)
    assert settings.training_window == 13
    assert settings.lags == ()
    assert (settings.sampling, settings.time_features, settings.age_feature) == (
        "uniform",
        "stock",
        True,
    )
    assert settings.lr_schedule == "plateau"


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_required_setting_is_named(name: str) -> None:
    given_settings = {key: value for key, value in REQUIRED.items() if key != name}
    with pytest.raises(ContractError, match=f"{name} is required"):
        parse_hyperparameters(given_settings)


def test_every_problem_is_named_at_once() -> None:
    wrong = {**REQUIRED, "epochs": "0", "num_cell": "40", "learning_rate": "1"}
    with pytest.raises(ContractError) as caught:
        parse_hyperparameters(wrong)
    for part in ("epochs must be an integer >= 1", "num_cell is not", "learning_rate must be"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("time_freq", "W-MON"),
        ("time_freq", "0W"),
        ("prediction_length", "13.0"),
        ("prediction_length", "-1"),
        ("context_length", ""),
        ("learning_rate", "nan"),
        ("dropout_rate", "1"),
        ("likelihood", "poisson"),
        ("cardinality", "[45, 0]"),
        ("cardinality", "[]"),
        ("num_dynamic_feat", "0"),
        ("early_stopping_patience", "0"),
        ("test_quantiles", "[0.5, 1]"),
        ("lags", "[1, 1]"),
        ("lags", "[0]"),
        ("training_window", "0"),
        ("sampling", "scale"),
        ("age_feature", "yes"),
        ("lr_schedule", "cosine"),
        ("seed", "-1"),
        ("gradient_clip", "0"),
        ("num_batches_per_epoch", "0"),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str) -> None:
    with pytest.raises(ContractError, match=name):
        parse_hyperparameters({**REQUIRED, name: text})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("time_freq", " 1W ", "W"),
        ("time_freq", "2W", "2W"),
        ("likelihood", "student-t", "student-T"),
        ("cardinality", "", "ignore"),
        ("cardinality", "ignore", "ignore"),
        ("cardinality", "[45, 81]", (45, 81)),
        ("num_dynamic_feat", "", "ignore"),
        ("num_dynamic_feat", "20", 20),
        ("early_stopping_patience", "5", 5),
        ("lags", "[52, 1]", (1, 52)),
        ("learning_rate", "3e-3", 0.003),
    ],
)
def test_a_valid_value_is_read(name: str, text: str, value: object) -> None:
    assert getattr(parse_hyperparameters({**REQUIRED, name: text}), name) == value


@pytest.mark.parametrize(("text", "steps"), [("auto", 13), ("4", 4), ("26", 13)])
def test_a_training_window_is_never_longer_than_the_horizon(text: str, steps: int) -> None:
    settings = parse_hyperparameters({**REQUIRED, "training_window": text})
    assert settings.training_window == steps


def test_a_value_that_is_no_string_is_refused() -> None:
    with pytest.raises(ContractError, match="epochs must be given as a string"):
        parse_hyperparameters({**REQUIRED, "epochs": 40})


def test_validation_writes_plain_values_as_strings() -> None:
    texts = validate_hyperparameters(
        {**REQUIRED, "epochs": 40, "learning_rate": 0.003},
        {"lags": [1, 52], "age_feature": False},
    )
    assert texts["epochs"] == "40"
    assert texts["learning_rate"] == "0.003"
    assert texts["lags"] == "[1, 52]"
    assert texts["age_feature"] == "false"
    assert parse_hyperparameters(texts).lags == (1, 52)


def test_validation_keeps_the_two_groups_apart() -> None:
    with pytest.raises(ContractError, match="hyperparameters: lags is an extension"):
        validate_hyperparameters({**REQUIRED, "lags": [1]})
    with pytest.raises(ContractError, match="extensions: epochs is a hyperparameter"):
        validate_hyperparameters(
            {key: value for key, value in REQUIRED.items() if key != "epochs"}, {"epochs": 4}
        )


def test_no_name_is_in_both_tables() -> None:
    assert not SAGEMAKER_HYPERPARAMETERS.keys() & EXTENSIONS.keys()


@given(
    st.sampled_from(sorted(SAGEMAKER_HYPERPARAMETERS | EXTENSIONS)),
    st.text(alphabet=string.printable, max_size=30),
)
def test_any_text_is_read_or_refused_by_name(name: str, text: str) -> None:
    try:
        parse_hyperparameters({**REQUIRED, name: text})
    except ContractError as error:
        assert name in str(error)


def test_the_settings_do_not_import_torch() -> None:
    module = "salescast.container.algorithms.deepar.hyperparameters"
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
