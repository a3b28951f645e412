"""Homes that several tests look at; each is built once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .home import REPOSITORY, Home

TINY = """
[tiny]
recipe = "deepar"

[tiny.hyperparameters]
time_freq = "W"
context_length = 8
epochs = 1
mini_batch_size = 16
num_cells = 6
num_layers = 1

[tiny.extensions]
num_batches_per_epoch = 2
seed = 3
"""

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
    folder = tmp_path_factory.mktemp("project")
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name in ("macros", "mappings", "models", "seeds", "tests"):
        (folder / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    (folder / "models.toml").write_text((REPOSITORY / "models.toml").read_text() + TINY)
    return folder


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Callable[[str], Home]:
    """Makes a home that nothing has landed in."""
    return lambda name: Home(tmp_path_factory.mktemp(name) / "home", project)
