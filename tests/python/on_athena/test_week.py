"""A whole week of production: the warehouse on Athena, the forecast on SageMaker."""

from __future__ import annotations

import re

import pytest

from support.cloud import jobs_of
from support.shop import Shop


@pytest.mark.timeout(1200)
def test_a_week_tells_its_jobs_and_its_cost(shop: Shop) -> None:
    first = min((shop.athena.folder / "batches").glob("*/batch.json")).parent.name
    # Two cutoffs, each with a job that trains and one that predicts.
    assert list(jobs_of(shop.athena.stack, first).values()) == ["Completed"] * 4
    steps = [line for line in shop.first_run_printed.splitlines() if " MB scanned by " in line]
    assert {line.split(":")[0].split()[0] for line in steps} >= {
        *("request", "build", "resolve", "export", "publish", "in")
    }
    total = re.search(
        r"in all: ([0-9.,]+) MB scanned by [0-9]+ statements, about [$]", shop.first_run_printed
    )
    assert total is not None
    assert float(total[1].replace(",", "")) > 1
    assert "Report written" in shop.command("report")
