"""Settings: variables of the environment, and the vars of the dbt project."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.forecaster import open_forecaster
from salescast.settings import load_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TARGET", "FORECASTER", "SCHEMA", "THREADS", "MEMORY_LIMIT"):
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)


def test_defaults_stand_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.home == tmp_path / "var"
    assert settings.schema_prefix == "salescast"
    assert settings.marts_file == tmp_path / "var" / "marts.duckdb"
    assert settings.threads >= 1
    assert not settings.home.exists()


def test_variables_come_before_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SALESCAST_SCHEMA", "mine")
    monkeypatch.setenv("SALESCAST_THREADS", "3")
    settings = load_settings()
    assert settings.lake == tmp_path / "elsewhere" / "lake"
    child = settings.environment()
    assert child["SALESCAST_SCHEMA"] == "mine"
    assert child["SALESCAST_THREADS"] == "3"
    assert child["SALESCAST_HOME"] == str(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SALESCAST_SCHEMA", 'x"; drop'),
        ("SALESCAST_THREADS", "none"),
        ("SALESCAST_MEMORY_LIMIT", "lots"),
        ("SALESCAST_TARGET", "oracle"),
    ],
)
def test_a_wrong_value_names_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=variable) as caught:
        load_settings()
    assert value in caught.value.what


def test_words_for_later_are_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match="sagemaker is not available yet"):
        open_forecaster(load_settings(forecaster="sagemaker"))


def test_vars_come_from_the_dbt_project(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text(
        "name: x\nvars:\n  prediction_length: 7\n  max_horizon_weeks: 60\n"
    )
    settings = load_settings(project_dir=tmp_path)
    assert (settings.default_horizon, settings.max_horizon) == (7, 60)


def test_a_missing_var_or_project_is_told(tmp_path: Path) -> None:
    settings = load_settings(project_dir=tmp_path)
    with pytest.raises(UserError, match="dbt project was not found"):
        _ = settings.project
    (tmp_path / "dbt_project.yml").write_text("name: x\n")
    with pytest.raises(UserError, match="prediction_length"):
        _ = settings.default_horizon


def test_the_repository_is_found_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (load_settings().project / "models.toml").is_file()
