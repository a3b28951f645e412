"""A home for one case; without the cases nothing of the folder runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cases import NO_CASES, case_names
from support.home import REPOSITORY, Home


@pytest.fixture(autouse=True)
def _cases_are_here() -> None:
    if not case_names():
        pytest.skip(NO_CASES)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that nothing has landed in."""
    return Home(tmp_path / "home", REPOSITORY)
