"""Small DeepAR data sets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Lines = list[dict[str, Any]]


def make_lines(n_series: int = 12, n_weeks: int = 40, future: int = 0) -> Lines:
    """Series of two stores and a few departments with one feature, gaps and a negative value."""
    lines: Lines = []
    for number in range(n_series):
        target: list[float | None] = [
            round(100 * (number + 1) * (1.5 + math.sin(week / 4 + number)), 2)
            for week in range(n_weeks)
        ]
        target[number % n_weeks] = None
        target[(number + 5) % n_weeks] = -3.5
        lines.append(
            {
                "start": "2024-01-05 00:00:00",
                "target": target,
                "cat": [number % 2, number // 2],
                "dynamic_feat": [[math.cos(week / 8) for week in range(n_weeks + future)]],
            }
        )
    return lines


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
