"""A training that diverges is told, whichever network of the model it is."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from salescast.container.algorithms.deepar.fit import _collect, _Log, _member_process, make_job
from salescast.container.algorithms.deepar.hyperparameters import parse_hyperparameters
from salescast.container.checks import check_training_records
from salescast.container.errors import ContractError
from salescast.container.records import read_records

from ...conftest import SETTINGS, Container
from ...lines import Lines, make_lines, write_lines

pytestmark = pytest.mark.torch


def _diverging() -> Lines:
    """After a context of zeros the scale is tiny and the scaled value no longer finite."""
    lines = make_lines()
    for line in lines:
        line["target"] = [0] * 20 + [1e29] * 20
    return lines


def test_training_that_diverges_is_a_client_error(container: Container) -> None:
    assert container.train(_diverging()) == 1
    assert container.failure.startswith("ClientError: training diverged in epoch ")


def test_the_error_of_one_network_is_that_of_the_ensemble(tmp_path: Path) -> None:
    settings = parse_hyperparameters(SETTINGS)
    records = read_records([write_lines(tmp_path / "part.json", _diverging())])
    summary = check_training_records(records, prediction_length=3)
    job = make_job(records, settings, summary)
    ours, theirs = multiprocessing.Pipe()
    ours.send(job)
    _member_process(theirs, member=0, n_threads=1)
    with pytest.raises(ContractError, match="training diverged"):
        _collect([ours], _Log(settings, n_batches=1))
    theirs.close()
    with pytest.raises(RuntimeError, match="network 0 ended early"):
        _collect([ours], _Log(settings, n_batches=1))
