"""Settings of the infrastructure, from `SALESCAST_*` variables."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from salescast.dbt_project import DBT_PROJECT, find_project, read_project
from salescast.errors import UserError

S3 = "s3://"
# dbt-duckdb takes ? and # for parts of an address, DuckDB a backslash for a slash.
_MISREAD = "?#\\"
# A bucket and names, none of them `.` or `..`; without a quote, because SQL names the place too.
_S3_PLACE = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.{1,2}(?:/|$))[A-Za-z0-9!_.*()=+@-]+)+"
)


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


class Settings(BaseSettings):
    """Where things are and what they may use; one object for a whole command."""

    model_config = SettingsConfigDict(
        env_prefix="SALESCAST_",
        env_ignore_empty=True,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
    )

    home: Annotated[Path, AfterValidator(_absolute)] = Field(Path("var"), validate_default=True)
    target: Literal["dev", "athena"] = "dev"
    forecaster: Literal["local", "sagemaker"] = "local"
    schema_prefix: str = Field(
        "salescast", validation_alias="SALESCAST_SCHEMA", pattern=r"^[a-z][a-z0-9_]{0,39}$"
    )
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    memory_limit: str = Field("3GB", pattern=r"^[0-9]+([.][0-9]+)?\s?[KMGT]i?B$")
    project_dir: Path | None = None

    lake_place: str | None = Field(None, validation_alias="SALESCAST_LAKE")
    work_place: str | None = Field(None, validation_alias="SALESCAST_WORK")
    sagemaker_staging: str | None = Field(None, validation_alias="SALESCAST_STAGING")
    region: str | None = Field(
        None, validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    athena_work_group: str = Field("primary", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    athena_staging: str | None = None
    athena_data: str | None = None
    athena_temp: str | None = None
    athena_threads: int = Field(8, ge=1)
    athena_poll_seconds: float = Field(1.0, gt=0)
    athena_price_per_tb: float = Field(5.0, ge=0)
    kms_key_id: str | None = None
    assume_role_arn: str | None = None

    @property
    def lake_uri(self) -> str:
        """Where the lake is: a folder, or a prefix of S3; without a slash at its end."""
        return (self.lake_place or str(self.home / "lake")).rstrip("/")

    @property
    def lake(self) -> Path:
        """Folder of the lake tables and the trained models, or of the copies of those on S3."""
        if self.lake_uri.startswith(S3):
            return self.home / "lake_cache" / self.lake_uri.removeprefix(S3)
        return _absolute(Path(self.lake_uri))

    @property
    def work_uri(self) -> str:
        """S3 prefix of the files that a batch leaves for the forecaster."""
        return self._beside_lake(self.work_place, "work")

    @property
    def sagemaker_staging_uri(self) -> str:
        """S3 prefix of the inputs and outputs of SageMaker's jobs, one folder a run.

        Raises:
            UserError: It is not set, and the lake is a folder.
        """
        if self.sagemaker_staging is None and self.target == "dev":
            raise UserError(
                "SageMaker reads from S3, but the lake is a folder.",
                where="SALESCAST_STAGING",
                fix="Set it to a prefix of a bucket: s3://bucket/salescast/staging.",
            )
        return (self.sagemaker_staging or self.work_uri).rstrip("/")

    @property
    def staging_uri(self) -> str:
        """S3 prefix of Athena's query results."""
        return self._beside_lake(self.athena_staging, "athena-results")

    @property
    def data_uri(self) -> str:
        """S3 prefix of the tables that dbt builds."""
        return self._beside_lake(self.athena_data, "warehouse")

    @property
    def temp_uri(self) -> str:
        """S3 prefix of what lives as long as one statement."""
        return self._beside_lake(self.athena_temp, "temp")

    def _beside_lake(self, own: str | None, name: str) -> str:
        return (own or f"{self.lake_uri.rsplit('/', 1)[0]}/{name}").rstrip("/")

    @property
    def warehouse_file(self) -> Path:
        """DuckDB file that only dbt and the export open."""
        return self.home / "warehouse.duckdb"

    @property
    def marts_file(self) -> Path:
        """DuckDB file with the published marts and reports, open to every reader."""
        return self.home / "marts.duckdb"

    @property
    def spill(self) -> Path:
        """Folder where DuckDB puts what does not fit its memory limit."""
        return self.home / "tmp"

    @property
    def batches(self) -> Path:
        """Folder of the batch records and work folders."""
        return self.home / "batches"

    @property
    def log_file(self) -> Path:
        """Where an unexpected error leaves its traceback."""
        return self.home / "salescast.log"

    @property
    def report_file(self) -> Path:
        """Default place of the written report."""
        return self.home / "report.html"

    @property
    def project(self) -> Path:
        """Root of the dbt project.

        Raises:
            UserError: No `dbt_project.yml` where it is looked for.
        """
        return find_project(_absolute(self.project_dir) if self.project_dir else None)

    @property
    def default_horizon(self) -> int:
        """Weeks to forecast when the command names none."""
        return self._project_var("prediction_length")

    @property
    def max_horizon(self) -> int:
        """The most weeks that may be asked for; the warehouse's week spine reaches this far."""
        return self._project_var("max_horizon_weeks")

    def _project_var(self, name: str) -> int:
        project = self.project
        variables = read_project(project).get("vars")
        value = variables.get(name) if isinstance(variables, dict) else None
        if not isinstance(value, int):
            raise UserError(
                f"The dbt project has no whole number for its var {name}.",
                where=str(project / DBT_PROJECT),
                fix=f"Set `{name}` under `vars:`.",
            )
        return value

    @property
    def duckdb_config(self) -> dict[str, Any]:
        """Bounds for each DuckDB connection of this program."""
        return {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            "temp_directory": str(self.spill),
            "preserve_insertion_order": False,
        }

    def environment(self) -> dict[str, str]:
        """Variables for a child process, so that it sees the same places and limits."""
        variables = {
            "SALESCAST_HOME": str(self.home),
            "SALESCAST_LAKE": self.lake_uri if self.target == "athena" else str(self.lake),
            "SALESCAST_TARGET": self.target,
            "SALESCAST_SCHEMA": self.schema_prefix,
            "SALESCAST_THREADS": str(self.threads),
            "SALESCAST_DUCKDB_THREADS": str(self.threads),
            "SALESCAST_MEMORY_LIMIT": self.memory_limit,
        }
        if self.target == "athena":
            variables |= {
                "SALESCAST_ATHENA_WORK_GROUP": self.athena_work_group,
                "SALESCAST_ATHENA_STAGING": f"{self.staging_uri}/",
                "SALESCAST_ATHENA_DATA": f"{self.data_uri}/",
                "SALESCAST_ATHENA_TEMP": f"{self.temp_uri}/",
                "SALESCAST_ATHENA_THREADS": str(self.athena_threads),
                "SALESCAST_ATHENA_POLL_SECONDS": str(self.athena_poll_seconds),
                "SALESCAST_KMS_KEY_ID": self.kms_key_id or "",
                "SALESCAST_ASSUME_ROLE_ARN": self.assume_role_arn or "",
            }
        return variables


def load_settings(**values: Any) -> Settings:
    """Settings of the environment, with `values` before the variables.

    Raises:
        UserError: A variable has a value that is not allowed.
    """
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        variable = name if name.isupper() else f"SALESCAST_{name.upper()}"
        raise UserError(
            f"{variable} has a value that is not allowed: {first.get('input')!r}.",
            where="environment",
            fix=f"{first['msg']}.",
        ) from error
    _check_places(settings)
    _check_libraries(settings)
    return settings


def _check_places(settings: Settings) -> None:
    """Refuse a lake that the target cannot read, and places that are none or no own ones."""
    on_s3 = settings.lake_uri.startswith(S3)
    for variable, folder, signs in (
        ("SALESCAST_HOME", settings.home, _MISREAD),
        ("SALESCAST_LAKE", settings.lake, "\\"),
    ):
        if found := [sign for sign in signs if sign in str(folder)]:
            raise UserError(
                f"The path of the folder has a {found[0]} in it, which is read otherwise by DuckDB "
                "or dbt.",
                where=f"{variable}={folder}",
                fix="Name another folder, or rename this one.",
            )
    if settings.target == "dev":
        if settings.sagemaker_staging is not None:
            _check_are_places({"SALESCAST_STAGING": settings.sagemaker_staging_uri})
        if on_s3:
            raise UserError(
                "The target dev keeps its lake in a folder, not on S3.",
                where=f"SALESCAST_LAKE={settings.lake_uri}",
                fix="Set SALESCAST_TARGET to athena, or SALESCAST_LAKE to a folder.",
            )
        return
    if settings.lake_place is None:
        raise UserError(
            "The target athena needs to know where its lake is.",
            where="SALESCAST_LAKE",
            fix="Set it to a prefix of a bucket: s3://bucket/salescast/lake.",
        )
    places = {
        "SALESCAST_LAKE": settings.lake_uri,
        "SALESCAST_WORK": settings.work_uri,
        "SALESCAST_ATHENA_STAGING": settings.staging_uri,
        "SALESCAST_ATHENA_DATA": settings.data_uri,
        "SALESCAST_ATHENA_TEMP": settings.temp_uri,
    }
    if settings.sagemaker_staging is not None:
        places["SALESCAST_STAGING"] = settings.sagemaker_staging_uri
    _check_are_places(places)
    for variable, uri in places.items():
        for other, its_uri in places.items():
            # What is emptied in one, as temporary files are, must not be what another keeps.
            if other != variable and f"{uri}/".startswith(f"{its_uri}/"):
                raise UserError(
                    f"{variable} lies in the place of {other}: {uri} in {its_uri}.",
                    where="environment",
                    fix="Give each a prefix of its own, side by side.",
                )


def _check_libraries(settings: Settings) -> None:
    """Refuse what is on AWS where AWS's libraries are not installed."""
    asked = [f"SALESCAST_TARGET={settings.target}"] if settings.target == "athena" else []
    if settings.forecaster == "sagemaker":
        asked.append(f"SALESCAST_FORECASTER={settings.forecaster}")
    if asked and not importlib.util.find_spec("boto3"):
        raise UserError(
            "The libraries of AWS are not installed.",
            where=", ".join(asked),
            fix="Run `make install`, or install the package with its extra aws.",
        )


def _check_are_places(places: Mapping[str, str]) -> None:
    for variable, uri in places.items():
        if not _S3_PLACE.fullmatch(uri):
            raise UserError(
                f"{variable} is no prefix of an S3 bucket: {uri!r}.",
                where="environment",
                fix="Give it as s3://bucket/prefix; the prefix may not be empty, nor hold a quote "
                "or a name that is only dots.",
            )
