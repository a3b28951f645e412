"""Homes that several tests look at; each is built once a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
import yaml

from support.home import Home
from support.project import project_with_tiny_model
from support.sources import write_csv


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project with one more model, a DeepAR that trains in seconds."""
    return project_with_tiny_model(tmp_path_factory.mktemp("project") / "tiny")


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Callable[[str], Home]:
    """Makes a home that nothing has landed in."""
    return lambda name: Home(tmp_path_factory.mktemp(name) / "home", project)


@pytest.fixture(scope="session")
def weekly_home(
    new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Iterable[Sequence[object]]], Home]:
    """Makes a home in which rows of store, department, date and sales have landed, by the week."""

    def made(name: str, rows: Iterable[Sequence[object]]) -> Home:
        source = tmp_path_factory.mktemp(f"{name}_source")
        columns = ("store", "department", "date", "sales")
        table = {"file": "*.csv", "columns": {column: column for column in columns}}
        mapping = {
            "grain": "weekly",
            "week_ends_on": "saturday",
            "calendar_region": "US",
            "lower_bound": 0,
            "tables": {"sales": table},
        }
        (source / "chain.yml").write_text(yaml.safe_dump(mapping))
        write_csv(source / "sales.csv", columns, rows)
        home = new_home(name)
        home.command("ingest", source, "--mapping", source / "chain.yml")
        return home

    return made
