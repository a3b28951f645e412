"""Made-up sources: rows, files and mappings."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

WEEK = timedelta(weeks=1)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_mapping(
    path: Path, *, series: dict[str, Any] | None = None, by_department: bool = False, **keys: Any
) -> Path:
    """A mapping of the canonical names; `series` are the related ones, with their register."""
    tables: dict[str, Any] = {
        "sales": {
            "file": "sales*.csv",
            "columns": {name: name for name in ("store", "department", "date", "sales")},
        },
        "stores": {"file": "stores.csv", "columns": {"store": "store"}},
    }
    if series:
        names = ["store", "department", "date"] if by_department else ["store", "date"]
        tables["related"] = {
            "file": "related*.csv",
            "columns": {name: name for name in names},
            "series": series,
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"name": path.stem, **keys, "tables": tables}))
    return path


def weeks(first: date, n: int) -> list[date]:
    return [first + WEEK * week for week in range(n)]


def amount(level: float, week: int) -> str:
    """Sales of a week: a level, a yearly wave and a shorter, unrelated one, as text."""
    wave = math.sin(2 * math.pi * week / 52)
    return f"{level * (1 + 0.3 * wave) + week * 7919 % 11:.2f}"
