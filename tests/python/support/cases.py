"""Files that people really have, which may not be passed on: a folder a trouble."""

from __future__ import annotations

import os
from pathlib import Path

from support.home import REPOSITORY

CASES = Path(os.environ.get("SALESCAST_CASES_DIR", REPOSITORY.parent / "shared/cases"))
NO_CASES = (
    f"NOT RUN: on files that people have; there is no {CASES}; set SALESCAST_CASES_DIR to the "
    "folder that holds them"
)


def case_folders() -> list[Path]:
    """Folders with CSV or Parquet files, none where the cases are not on this machine."""
    found = {path.parent for end in ("*.csv", "*.parquet") for path in CASES.rglob(end)}
    return sorted(found)


def case_names() -> list[str]:
    """Names of the cases, each a folder; none where they are not on this machine."""
    return sorted(path.name for path in CASES.glob("[!.]*") if path.is_dir())
