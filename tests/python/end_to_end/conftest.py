"""Homes that several tests look at; each is built once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.home import Home
from support.project import project_with_tiny_model


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project with one more model, a DeepAR that trains in seconds."""
    return project_with_tiny_model(tmp_path_factory.mktemp("project") / "tiny")


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Callable[[str], Home]:
    """Makes a home that nothing has landed in."""
    return lambda name: Home(tmp_path_factory.mktemp(name) / "home", project)
