"""Lines as a batch transform reads and writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from salescast.quantiles import QUANTILES


def answer(item_id: str | None, value: float = 10.0, **changes: Any) -> dict[str, Any]:
    """One output line: the mean and the quantiles around it, two weeks ahead."""
    spread = {level: [value + n - 5, value + n - 4] for n, level in enumerate(QUANTILES)}
    forecast: dict[str, Any] = {"mean": [value, value + 1], "quantiles": spread}
    forecast |= {key: entry for key, entry in changes.items() if key != "quantiles"}
    forecast["quantiles"] = {**spread, **changes.get("quantiles", {})}
    return {"item_id": item_id, "SageMakerOutput": forecast}


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
