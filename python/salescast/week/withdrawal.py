"""Withdrawing a run: its forecasts stay in the facts and leave charts and accuracy."""

from __future__ import annotations

from datetime import UTC, datetime

from salescast.errors import UserError
from salescast.lake import Lake, utc_naive

_TABLE = "withdrawals"
_N_NAMED = 8


def withdraw(given: str, lake: Lake, reason: str) -> list[str]:
    """Withdraw a landed run, or all runs of a batch that are not withdrawn yet.

    Args:
        given: The run or the batch.
        lake: The lake; the caller holds its lock.
        reason: Why; not empty.

    Returns:
        The runs that were withdrawn.

    Raises:
        UserError: The reason is empty, there is no such landed run or batch, or it is withdrawn.
    """
    if not reason.strip():
        raise UserError(
            "A withdrawal needs its reason.",
            where="--reason",
            fix='Say why: --reason "made from the wrong file".',
        )
    runs = sorted(lake.read("runs").to_pylist(), key=lambda run: run["landed_at"], reverse=True)
    withdrawn = set(lake.read(_TABLE)["run_id"].to_pylist())
    asked = [run["run_id"] for run in runs if given in (run["run_id"], run["batch_id"])]
    chosen = sorted(set(asked) - withdrawn)
    if not chosen:
        problem = "is withdrawn already" if asked else "has not landed"
        standing = [
            f"{run['run_id']} ({run['model_id']}, cutoff {run['cutoff_date']})"
            for run in runs
            if run["run_id"] not in withdrawn
        ]
        raise UserError(
            f"The run {given!r} {problem}.",
            where=f"{lake.place}/runs",
            fix=f"Newest runs: {'; '.join(standing[:_N_NAMED]) or 'none'}.",
        )
    moment = utc_naive(datetime.now(UTC))
    lake.append(
        _TABLE, [{"run_id": run, "reason": reason, "withdrawn_at": moment} for run in chosen]
    )
    return chosen
