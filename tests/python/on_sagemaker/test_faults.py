"""SageMaker fails in every way it can: no row is lost or doubled, each failure is explained."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_aws.stack import Stack
from support.cloud import CloudHome, faults, fork, jobs_of, of_stack

N_SHORT, N_LONG = 5, 100
MOST_COMMANDS = 3
SPOT = {"SALESCAST_SAGEMAKER_TRAIN_SPOT": "true"}


@dataclass(frozen=True)
class Fault:
    """One way to fail; `n_failed` commands are told so before one comes through."""

    step: str
    wanted: dict[str, Any]
    n_failed: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    says: str = ""

    def __str__(self) -> str:
        return f"{self.step}: {self.wanted}"


def _at_both(wanted: dict[str, Any], **more: Any) -> Iterator[Fault]:
    for step in ("train", "predict"):
        yield Fault(step, wanted, **more)


FAULTS = [
    *_at_both({"throttle_rate": 0.3}),
    *_at_both({"refuse_creates": 1}, n_failed=1, says="quota"),
    *_at_both({"capacity_errors": 1}),
    *_at_both({"capacity_errors": 3}, n_failed=1, says="INSTANCE_TYPE"),
    *_at_both({"die": 1}, n_failed=1, says="AlgorithmError"),
    *_at_both({"internal_errors": 2}),
    *_at_both({"describe_lag_seconds": 2.0}),
    *_at_both({"lose_answers": 1}),
    *_at_both({"lose_answers": 1, "describe_lag_seconds": 2.0, "throttle_rate": 0.1}),
    Fault("train", {"spot_interruptions": 1}, variables=SPOT),
    Fault(
        "train",
        {"stuck": 1},
        n_failed=1,
        variables={"SALESCAST_SAGEMAKER_TRAIN_MAX_SECONDS": "2"},
        says="SALESCAST_SAGEMAKER_TRAIN_MAX_SECONDS",
    ),
    Fault(
        "predict",
        {"stuck": 1},
        n_failed=1,
        variables={"SALESCAST_SAGEMAKER_TRANSFORM_MAX_SECONDS": "2"},
        says="SALESCAST_SAGEMAKER_TRANSFORM_MAX_SECONDS",
    ),
    Fault("predict", {"truncate_outputs": 1}, n_failed=1, says="no forecast: 1 series ("),
]


# A hundred of them take more than an hour.
@pytest.mark.timeout(4 * 3600)
def test_no_fault_loses_a_row(
    stack: Stack,
    exported: CloudHome,
    trained: CloudHome,
    local: CloudHome,
    tmp_path: Path,
    is_long: bool,
) -> None:
    expected = local.forecasts()
    chance = random.Random(20261125)
    drawn: list[Fault] = []
    while len(drawn) < (N_LONG if is_long else N_SHORT):
        drawn += chance.sample(FAULTS, len(FAULTS))
    for n, fault in enumerate(drawn[: N_LONG if is_long else N_SHORT]):
        before = exported if fault.step == "train" else trained
        home = fork(before, tmp_path / str(n), of_stack(stack, f"faults-{n}"))
        with faults(stack, **fault.wanted, seed=n):
            told = come_through(home, fault)
        assert len(told) == fault.n_failed, f"{fault}\n" + "\n".join(told)
        for text in told:
            assert fault.says in text, f"{fault}\n{text}"
        if fault.step == "train":
            home.command("predict")
        home.command("load")
        assert home.forecasts() == expected, str(fault)
        statuses = jobs_of(stack, home.batch.batch_id)
        assert set(statuses.values()) <= {"Completed", "Failed", "Stopped"}, str(fault)
        step_jobs = [name for name in statuses if f"-{fault.step}-" in name]
        n_needless = sum(statuses[name] == "Completed" for name in step_jobs) - 1
        assert n_needless == ("truncate_outputs" in fault.wanted), f"{fault}: {statuses}"


def come_through(home: CloudHome, fault: Fault) -> list[str]:
    """Give the step's command again as each failure says; what they said."""
    told = []
    more = fault.variables
    for _ in range(MOST_COMMANDS):
        code, output = home.give(fault.step, **more)
        if code == 0:
            return told
        assert re.search(r"fix: .*salescast run", output, re.S), output
        told.append(output)
        # Whoever reads it raises the limit that it names.
        more = {}
    raise AssertionError(f"{fault} does not end:\n" + "\n".join(told))
