"""The locks: one resolution, nothing that fetches a program at install, no PyTorch in the base."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-base.lock", "requirements-dbt-1.11.lock")


def pins(name: str) -> dict[str, set[str]]:
    """Versions by package: more than one where they differ by Python."""
    found: dict[str, set[str]] = {}
    text = (ROOT / name).read_text(encoding="utf-8")
    for package, version in re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", text, re.MULTILINE):
        found.setdefault(package, set()).add(version)
    assert found
    return found


def test_the_base_is_a_part_of_the_whole() -> None:
    assert pins("requirements-base.lock").items() <= pins("requirements.lock").items()


def test_the_base_is_light() -> None:
    heavy = {"torch", "gluonts", "pandas", "scipy", "boto3", "botocore", "moto", "sqlfluff", "mypy"}
    assert heavy <= pins("requirements.lock").keys()
    assert not heavy & pins("requirements-base.lock").keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_package_asks_for_is_locked(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    if lock == "requirements.lock":
        asked += [each for extra in project["optional-dependencies"].values() for each in extra]
    locked = pins(lock)
    for requirement in map(Requirement, asked):
        versions = locked[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_is_fetched_from_elsewhere(lock: str) -> None:
    assert "dbt-core-experimental-parser" not in pins(lock)


@pytest.mark.parametrize(("lock", "series"), [(LOCKS[0], "~=1.12.0"), (LOCKS[2], "~=1.11.0")])
def test_both_series_of_dbt_are_run(lock: str, series: str) -> None:
    (version,) = pins(lock)["dbt-core"]
    assert SpecifierSet(series).contains(version)


def test_only_dbt_differs_on_the_older_one() -> None:
    base, old = pins("requirements-base.lock"), pins("requirements-dbt-1.11.lock")
    assert {name for name in base.keys() & old.keys() if base[name] != old[name]} == {"dbt-core"}
