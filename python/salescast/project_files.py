"""Which files make up the dbt project; setup.py reads it too, so it imports nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FILES = ("dbt_project.yml", "models.toml", "profiles.yml", "selectors.yml")
FOLDERS = ("macros", "mappings", "models", "seeds", "tests")
# Tests of the program, beside those of the warehouse.
_LEFT_OUT = Path("tests", "python")


def project_files(root: Path) -> Iterator[Path]:
    """Paths of all files of the dbt project in `root`, relative to it; hidden ones are left out."""
    yield from (Path(name) for name in FILES)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            relative = path.relative_to(root)
            is_hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_file() and not is_hidden and not relative.is_relative_to(_LEFT_OUT):
                yield relative
