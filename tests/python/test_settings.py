"""Settings: variables of the environment, and the vars of the dbt project."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.settings import load_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *("HOME", "TARGET", "FORECASTER", "SCHEMA", "THREADS", "MEMORY_LIMIT", "LAKE", "WORK"),
        *("ATHENA_STAGING", "ATHENA_DATA", "ATHENA_TEMP", "KMS_KEY_ID", "ASSUME_ROLE_ARN"),
        "STAGING",
    ):
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


def test_places_on_s3_are_beside_the_lake() -> None:
    settings = load_settings(target="athena", lake_place="s3://chain/salescast/lake/", home="var")
    assert settings.lake_uri == "s3://chain/salescast/lake"
    assert settings.work_uri == "s3://chain/salescast/work"
    assert settings.staging_uri == "s3://chain/salescast/athena-results"
    assert settings.data_uri == "s3://chain/salescast/warehouse"
    assert settings.temp_uri == "s3://chain/salescast/temp"
    assert settings.lake == settings.home / "lake_cache/chain/salescast/lake"
    child = settings.environment()
    assert child["SALESCAST_LAKE"] == "s3://chain/salescast/lake"
    assert child["SALESCAST_ATHENA_DATA"] == "s3://chain/salescast/warehouse/"


@pytest.mark.parametrize(
    "place",
    [
        *("s3://", "s3://chain", "s3://chain/", "s3://ch_ain/lake", "s3://chain//lake"),
        *("s3://chain/../../lake", "s3://chain/./lake", "s3://chain/lake/..", "lake"),
        *("s3://chain/it's/lake", "s3://chain/a b/lake", 's3://chain/a"/lake', "s3a://chain/lake"),
    ],
)
def test_a_place_that_is_no_prefix_is_refused(place: str) -> None:
    with pytest.raises(UserError, match="SALESCAST_LAKE is no prefix of an S3 bucket") as caught:
        load_settings(target="athena", lake_place=place)
    assert "s3://bucket/prefix" in str(caught.value.fix)


@pytest.mark.parametrize("place", ["s3://chain/lake", "s3://chain/.x/..y/la.ke"])
def test_dots_may_be_in_a_name(place: str) -> None:
    assert load_settings(target="athena", lake_place=place).lake_uri == place


@pytest.mark.parametrize(
    ("variable", "place", "inside"),
    [
        ("SALESCAST_ATHENA_TEMP", "s3://chain/salescast/lake", "LAKE lies in .*_TEMP"),
        ("SALESCAST_ATHENA_TEMP", "s3://chain/salescast", "LAKE lies in .*_TEMP"),
        ("SALESCAST_WORK", "s3://chain/salescast/lake/work", "WORK lies in .* SALESCAST_LAKE"),
        ("SALESCAST_ATHENA_DATA", "s3://chain/salescast/temp/x/", "DATA lies in .*_TEMP"),
    ],
)
def test_a_place_in_another_is_refused(
    variable: str, place: str, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, place)
    monkeypatch.setenv("SALESCAST_LAKE", "s3://chain/salescast/lake")
    with pytest.raises(UserError, match=inside):
        load_settings(target="athena")
    monkeypatch.setenv(variable, "s3://chain/salescast/lake2")
    load_settings(target="athena")


def test_a_lake_that_the_target_cannot_read_is_refused() -> None:
    with pytest.raises(UserError, match="in a folder, not on S3"):
        load_settings(target="dev", lake_place="s3://chain/lake")
    with pytest.raises(UserError, match="needs to know where its lake is"):
        load_settings(target="athena")


def test_sagemaker_is_refused_where_it_has_no_place_on_s3() -> None:
    settings = load_settings(forecaster="sagemaker")
    with pytest.raises(UserError, match="reads from S3") as caught:
        assert settings.sagemaker_staging_uri
    assert caught.value.where == "SALESCAST_STAGING"
    with pytest.raises(UserError, match="SALESCAST_STAGING is no prefix"):
        load_settings(sagemaker_staging="s3://bucket")
    kept = {"target": "athena", "lake_place": "s3://bucket/salescast/lake"}
    assert load_settings(**kept).sagemaker_staging_uri == "s3://bucket/salescast/work"
    with pytest.raises(UserError, match="lies in the place of SALESCAST_LAKE"):
        load_settings(**kept, sagemaker_staging="s3://bucket/salescast/lake/staging")


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


@pytest.mark.parametrize(
    "variables",
    [
        {"SALESCAST_TARGET": "athena", "SALESCAST_LAKE": "s3://bucket/lake"},
        {"SALESCAST_FORECASTER": "sagemaker"},
    ],
)
def test_without_the_extra_aws_nothing_of_aws_is_begun(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="AWS") as caught:
        load_settings()
    assert "extra aws" in str(caught.value.fix)
