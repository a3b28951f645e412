"""Homes that several tests look at; each is built once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .home import REPOSITORY, Home
from .project import project_with_tiny_model

WALMART = Path(os.environ.get("SALESCAST_WALMART_DIR", REPOSITORY.parent / "shared/data/walmart"))
NO_WALMART = (
    f"NOT CHECKED on real data: there is no {WALMART}/train.csv*; set SALESCAST_WALMART_DIR to the "
    "folder with the files of the Walmart competition"
)


def has_walmart() -> bool:
    return any(WALMART.glob("train.csv*"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not has_walmart():
        terminalreporter.section("warning", sep="!", red=True, bold=True)
        terminalreporter.line(NO_WALMART, red=True)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project with one more model, a DeepAR that trains in seconds."""
    return project_with_tiny_model(tmp_path_factory.mktemp("project") / "tiny")


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Callable[[str], Home]:
    """Makes a home that nothing has landed in."""
    return lambda name: Home(tmp_path_factory.mktemp(name) / "home", project)
