"""The command is killed while SageMaker works: a resume finds its jobs and gives the same rows."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from local_aws.stack import Stack
from support.cloud import CloudHome, fork, jobs_of, of_stack
from support.home import wait_until

N_SHORT, N_LONG = 2, 20
# Start of Python, then the jobs: about as long as a command takes that nobody kills.
MOST_SECONDS = 30.0


@pytest.mark.timeout(2 * 3600)
def test_killed_at_any_moment_a_resume_ends_with_the_same_rows(
    stack: Stack, exported: CloudHome, local: CloudHome, tmp_path: Path, is_long: bool
) -> None:
    chance = random.Random(20261126)
    for n in range(N_LONG if is_long else N_SHORT):
        home = fork(exported, tmp_path / str(n), of_stack(stack, f"kills-{n}"))
        seconds = chance.uniform(1, MOST_SECONDS)
        where = f"killed after {seconds:.1f} s"
        kill_after(home, seconds)
        where += f" with {jobs_of(stack, home.batch.batch_id)}"
        home.command("run", "--resume")

        assert home.forecasts() == local.forecasts(), where
        run_id = home.run_of("tiny").run_id
        assert jobs_of(stack, home.batch.batch_id) == {
            f"{run_id}-train-1": "Completed",
            f"{run_id}-predict-1": "Completed",
        }, where
        steps = home.landed("run_steps", "run_id, step, status, job_name")
        jobs = [name for *_, name in steps if name is not None]
        assert sorted(jobs) == [f"{run_id}-predict-1", f"{run_id}-train-1"], where


def kill_after(home: CloudHome, seconds: float) -> None:
    """SIGKILL a resume after some seconds, with all of its children."""
    process = home.start("run", "--resume")
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(("flag", "n_jobs"), [("--leave-jobs", 1), ("--stop-jobs", 2)])
def test_an_interrupt_leaves_the_job_or_stops_it(
    stack: Stack, exported: CloudHome, tmp_path: Path, flag: str, n_jobs: int
) -> None:
    home = fork(exported, tmp_path / "home", of_stack(stack, f"interrupt{flag}"))
    run_id = home.run_of("tiny").run_id
    process = home.start("train", flag)
    wait_until(process, lambda: bool(jobs_of(stack, home.batch.batch_id)))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    said = (tmp_path / "home.log").read_text(encoding="utf-8")
    assert f"{run_id}-train-1" in said
    assert "--resume" in said
    home.command("train")
    jobs = jobs_of(stack, home.batch.batch_id)
    assert jobs[f"{run_id}-train-{n_jobs}"] == "Completed"
    assert len(jobs) == n_jobs
    assert n_jobs == 1 or jobs[f"{run_id}-train-1"] == "Stopped"
