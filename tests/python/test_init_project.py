"""The project that `init` writes, and which project a command works with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import salescast
from salescast.cli import cli
from salescast.dbt_project import find_project, own_project, read_project, version_problem
from salescast.errors import UserError
from salescast.init_project import init_project
from salescast.settings import load_settings

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_project_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALESCAST_PROJECT_DIR", raising=False)


def init(folder: str) -> Result:
    return CliRunner().invoke(cli, ["init", folder, "--json"], prog_name="salescast")


def test_the_versions_are_one() -> None:
    assert own_project() == REPOSITORY
    assert read_project(REPOSITORY)["version"] == salescast.__version__
    result = CliRunner().invoke(cli, ["--version"], prog_name="salescast")
    assert salescast.__version__ in result.stdout


def test_a_project_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = init("shop")
    assert result.exit_code == 0, result.output
    shop = tmp_path / "shop"
    files = [path for path in shop.rglob("*") if path.is_file()]
    assert json.loads(result.stdout) == {"folder": str(shop), "n_files": len(files)}
    own = {shop / "README.md", shop / ".gitignore"}
    for path in set(files) - own:
        assert path.read_bytes() == (REPOSITORY / path.relative_to(shop)).read_bytes()
    assert (shop / "tests" / "generic" / "key_is_unique.sql").is_file()
    assert not (shop / "tests" / "python").exists()
    assert "/var/" in (shop / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_an_empty_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(".").exit_code == 0
    assert (tmp_path / "dbt_project.yml").is_file()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    result = init(str(tmp_path))
    assert result.exit_code == 2
    assert "mine.txt" in result.stderr
    assert str(tmp_path) in result.stderr
    assert "Name a new folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_no_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    result = init(str(tmp_path / name))
    assert result.exit_code == 2
    assert str(tmp_path / "file") in result.stderr
    assert "fix" in result.stderr


def test_the_project_asked_for_comes_before_the_one_stood_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, other = tmp_path / "shop", tmp_path / "other"
    init_project(shop)
    init_project(other)
    monkeypatch.chdir(shop)
    assert load_settings().project == shop
    monkeypatch.chdir(shop / "models" / "marts")
    assert load_settings().project == shop
    monkeypatch.setenv("SALESCAST_PROJECT_DIR", str(other))
    assert load_settings().project == other


def test_another_dbt_project_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: theirs\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find_project(None) == REPOSITORY


@pytest.mark.parametrize("text", ["name: [theirs\n", "salescast\n", ""])
def test_a_broken_project_of_somebody_else_stands_in_no_way(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find_project(None) == REPOSITORY


def test_an_own_project_that_is_broken_is_told_and_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'name: "salescast"  # ours\nvars: [\n'
    (tmp_path / "dbt_project.yml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find_project(None) == tmp_path
    with pytest.raises(UserError, match="The dbt project cannot be read") as caught:
        read_project(tmp_path)
    assert caught.value.where == str(tmp_path / "dbt_project.yml")


def test_a_project_of_another_version_is_told(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    init_project(shop)
    assert version_problem(shop) is None
    path = shop / "dbt_project.yml"
    text = path.read_text(encoding="utf-8").replace(salescast.__version__, "0.0.1")
    path.write_text(text, encoding="utf-8")
    problem = version_problem(shop)
    assert problem is not None
    assert "0.0.1" in problem[0]
    assert "salescast init" in problem[1]
