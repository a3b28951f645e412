"""Loads that are in the lake: which of them count, and taking one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from salescast.errors import UserError
from salescast.lake import Lake, utc_naive


@dataclass(frozen=True)
class Load:
    """One landed file that counts.

    `first_date` and `last_date` are null for a load of an earlier version and where no date of the
    file could be read.
    """

    load_id: str
    delivery_id: str
    table_name: str
    source_file: str
    content_hash: str
    reading_hash: str | None
    adds: bool
    n_rows: int
    first_date: date | None
    last_date: date | None

    def may_hold(self, first: date | None, last: date | None) -> bool:
        """Whether rows of the load may have a date in a range; unknown ends count as open."""
        starts_late = last is not None and self.first_date is not None and self.first_date > last
        ends_early = first is not None and self.last_date is not None and self.last_date < first
        return not starts_late and not ends_early


def counted_loads(lake: Lake) -> list[Load]:
    """Loads that were not taken back or replaced, in the order in which they landed."""
    rows = lake.read("raw_loads").to_pylist()
    gone = _taken_back(lake, rows)
    return [_load(row) for row in rows if row["load_id"] not in gone]


def retract(given: str, lake: Lake, reason: str) -> list[str]:
    """Take back a load, or all loads of a delivery; their rows stay in the lake uncounted.

    Returns:
        Ids of the loads that were taken back.

    Raises:
        UserError: There is no such load or delivery, or it is retracted already.
    """
    rows = lake.read("raw_loads").to_pylist()
    gone = _taken_back(lake, rows)
    loads = {row["load_id"]: row for row in rows}
    chosen = [
        load_id
        for load_id, row in loads.items()
        if given in (load_id, row["delivery_id"]) and load_id not in gone
    ]
    if not chosen:
        newest = sorted(set(loads) - set(gone), reverse=True)[:5]
        lines = [
            f"{name} ({loads[name]['table_name']}, {loads[name]['source_file']},"
            f" {loads[name]['n_rows']} rows)"
            for name in newest
        ]
        problem = "is retracted already" if given in gone else "does not exist"
        if by := gone.get(given):
            problem = f"is replaced already by {by}, the same file under a mended mapping"
        raise UserError(
            f"the load {given!r} {problem}",
            where=f"{lake.place}/raw_loads",
            fix="newest loads that can be retracted: " + ("; ".join(lines) or "none"),
        )
    moment = utc_naive(datetime.now(UTC))
    retractions = [
        {"load_id": load_id, "retracted_at": moment, "reason": reason} for load_id in chosen
    ]
    lake.append("raw_retractions", retractions, given)
    return chosen


def runs_made_with(load_ids: Sequence[str], lake: Lake) -> list[str]:
    """Runs that landed while loads had landed that reach back to their cutoff, newest first.

    Args:
        load_ids: The loads.
        lake: The lake.

    Returns:
        Ids of runs that are not withdrawn; backtests, which make no live record, are left out.
    """
    loads = [row for row in lake.read("raw_loads").to_pylist() if row["load_id"] in load_ids]
    withdrawn = set(lake.read("withdrawals")["run_id"].to_pylist())
    runs = sorted(lake.read("runs").to_pylist(), key=lambda run: run["landed_at"], reverse=True)
    return [
        run["run_id"]
        for run in runs
        if run["run_id"] not in withdrawn
        and run["kind"] != "backtest"
        and any(
            load["loaded_at"] <= run["landed_at"]
            and (load["first_date"] is None or load["first_date"] <= run["cutoff_date"])
            for load in loads
        )
    ]


def _taken_back(lake: Lake, rows: list[Mapping[str, Any]]) -> dict[str, str | None]:
    """Loads that no longer count, each with the load that replaces it if one does."""
    retracted = lake.read("raw_retractions")["load_id"].to_pylist()
    replaced = {r["replaces_load_id"]: r["load_id"] for r in rows if r["replaces_load_id"]}
    return {**dict.fromkeys(retracted), **replaced}


def _load(row: Mapping[str, Any]) -> Load:
    return Load(
        load_id=row["load_id"],
        delivery_id=row["delivery_id"] or row["load_id"],
        table_name=row["table_name"],
        source_file=row["source_file"],
        content_hash=row["content_hash"],
        reading_hash=row["reading_hash"],
        adds=row["between_deliveries"] == "adds",
        n_rows=row["n_rows"],
        first_date=row["first_date"],
        last_date=row["last_date"],
    )
