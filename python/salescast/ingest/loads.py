"""Loads that are in the lake: complete them, look them up and take them back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow.parquet as pq

from salescast.errors import UserError
from salescast.ingest.landing import LANDING_ORDER
from salescast.lake import Lake, utc_naive

LOAD_KEY = "salescast_load"


def retract(load_id: str, lake: Lake, reason: str) -> None:
    """Take back a load: its rows stay in the lake and no model counts them any more.

    Raises:
        UserError: There is no such load, or it is retracted already.
    """
    complete_loads(lake)
    retracted = set(lake.read("raw_retractions")["load_id"].to_pylist())
    loads = {row["load_id"]: row for row in lake.read("raw_loads").to_pylist()}
    if load_id not in loads or load_id in retracted:
        newest = sorted(set(loads) - retracted, reverse=True)[:5]
        lines = [
            f"{name} ({loads[name]['table_name']}, {loads[name]['source_file']},"
            f" {loads[name]['n_rows']} rows)"
            for name in newest
        ]
        problem = "is retracted already" if load_id in retracted else "does not exist"
        raise UserError(
            f"the load {load_id!r} {problem}",
            where=f"{lake.place}/raw_loads",
            fix="newest loads that can be retracted: " + ("; ".join(lines) or "none"),
        )
    row = {
        "load_id": load_id,
        "retracted_at": utc_naive(datetime.now(UTC)),
        "reason": reason,
    }
    lake.append("raw_retractions", [row], load_id)


def complete_loads(lake: Lake) -> list[str]:
    """Give the rows that a killed command left without a record their row in `raw_loads`.

    Returns:
        Ids of the loads that were completed.
    """
    known = set(lake.names("raw_loads"))
    completed = []
    for table in LANDING_ORDER:
        for name in lake.names(f"raw_{table}"):
            if name in known:
                continue
            footer = lake.file_metadata(f"raw_{table}", name)
            if LOAD_KEY not in footer:
                continue
            record = json.loads(footer[LOAD_KEY])
            record["loaded_at"] = datetime.fromisoformat(record["loaded_at"])
            record["n_rows"] = pq.read_metadata(lake.file(f"raw_{table}", name)).num_rows
            lake.append("raw_loads", [record], name)
            completed.append(name)
    return completed


def landed_hashes(lake: Lake) -> dict[tuple[str, str], str]:
    """Load id of each content that is landed and not retracted, by table and hash."""
    retracted = set(lake.read("raw_retractions")["load_id"].to_pylist())
    return {
        (row["table_name"], row["content_hash"]): row["load_id"]
        for row in lake.read("raw_loads").to_pylist()
        if row["load_id"] not in retracted
    }
