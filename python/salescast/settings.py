"""Settings of the infrastructure, from `SALESCAST_*` variables."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from salescast.errors import UserError


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


class Settings(BaseSettings):
    """Where things are and what they may use; one object for a whole command."""

    model_config = SettingsConfigDict(
        env_prefix="SALESCAST_", populate_by_name=True, extra="forbid", frozen=True
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

    @property
    def lake(self) -> Path:
        """Folder of the lake tables and the trained models."""
        return self.home / "lake"

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
        candidates = (
            [_absolute(self.project_dir)]
            if self.project_dir
            else [Path(__file__).resolve().parents[2], Path.cwd()]
        )
        for folder in candidates:
            if (folder / "dbt_project.yml").is_file():
                return folder
        raise UserError(
            "The dbt project was not found.",
            where=", ".join(str(folder) for folder in candidates),
            fix="Run the command in the repository, or set SALESCAST_PROJECT_DIR to its folder.",
        )

    @property
    def default_horizon(self) -> int:
        """Weeks to forecast when the command names none."""
        return self._project_var("prediction_length")

    @property
    def max_horizon(self) -> int:
        """The most weeks that may be asked for; the warehouse's week spine reaches this far."""
        return self._project_var("max_horizon_weeks")

    def _project_var(self, name: str) -> int:
        path = self.project / "dbt_project.yml"
        project = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        value = (project.get("vars") or {}).get(name)
        if not isinstance(value, int):
            raise UserError(
                f"The dbt project has no whole number for its var {name}.",
                where=str(path),
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
        return {
            "SALESCAST_HOME": str(self.home),
            "SALESCAST_LAKE": str(self.lake),
            "SALESCAST_TARGET": self.target,
            "SALESCAST_SCHEMA": self.schema_prefix,
            "SALESCAST_THREADS": str(self.threads),
            "SALESCAST_DUCKDB_THREADS": str(self.threads),
            "SALESCAST_MEMORY_LIMIT": self.memory_limit,
        }


def load_settings(**values: Any) -> Settings:
    """Settings of the environment, with `values` before the variables.

    Raises:
        UserError: A variable has a value that is not allowed.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        variable = name if name.startswith("SALESCAST_") else f"SALESCAST_{name.upper()}"
        raise UserError(
            f"{variable} has a value that is not allowed: {first.get('input')!r}.",
            where="environment",
            fix=f"{first['msg']}.",
        ) from error


def program_version() -> str:
    """Version of the installed package; `source` if it is run without being installed."""
    try:
        return metadata.version("salescast")
    except metadata.PackageNotFoundError:
        return "source"
