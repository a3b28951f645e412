"""The files of the Walmart competition, which may not be passed on."""

from __future__ import annotations

import os
from pathlib import Path

from support.home import REPOSITORY

WALMART = Path(os.environ.get("SALESCAST_WALMART_DIR", REPOSITORY.parent / "shared/data/walmart"))
NO_WALMART = (
    f"NOT RUN: on real data; there is no {WALMART}/train.csv*; set SALESCAST_WALMART_DIR to the "
    "folder with the files of the Walmart competition"
)


def has_walmart() -> bool:
    """Whether they are on this machine."""
    return any(WALMART.glob("train.csv*"))
