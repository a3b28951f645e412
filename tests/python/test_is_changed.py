"""Whether a change touches some paths, on a branch, on main, and where git knows too little."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "is_changed.sh"


class Repository:
    """A repository with the script and two files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPT, folder / "scripts")

    def git(self, *arguments: str) -> None:
        name = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *name, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "one")

    def is_changed(self, *paths: str) -> bool:
        command = [str(self.folder / "scripts" / "is_changed.sh"), *paths]
        return subprocess.run(command, cwd="/").returncode == 0


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "a repository")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit(a="1", b="1")
    return made


def test_nobody_knows_without_a_commit_before(repository: Repository) -> None:
    assert repository.is_changed("a")
    shutil.rmtree(repository.folder / ".git")
    assert repository.is_changed("a")


def test_on_main_the_commit_before_counts(repository: Repository) -> None:
    repository.commit(a="2")
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert repository.is_changed("a")
    assert not repository.is_changed("b")


def test_on_a_branch_all_its_commits_and_files_count(repository: Repository) -> None:
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repository.commit(a="2")
    repository.commit()
    assert repository.is_changed("a", "b")
    assert not repository.is_changed("b")
    (repository.folder / "b").write_text("not committed", encoding="utf-8")
    assert repository.is_changed("b")
    assert not repository.is_changed("c")
    (repository.folder / "c").touch()
    assert repository.is_changed("c")
