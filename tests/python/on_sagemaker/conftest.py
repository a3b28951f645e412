"""A local SageMaker, and a home whose batch waits for its training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_aws.stack import Stack, running_stack
from support.cloud import HORIZON, CloudHome, fork, land
from support.project import project_with_tiny_model


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """S3, logs and SageMaker."""
    with running_stack(tmp_path_factory.mktemp("aws"), services=("sagemaker",)) as running:
        yield running


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> CloudHome:
    """A home with a batch that was stopped as soon as its training files were written."""
    folder = tmp_path_factory.mktemp("exported")
    home = CloudHome(folder / "home", project_with_tiny_model(folder / "project"))
    land(home, folder / "source")
    process = home.start("run", "--model", "tiny", "--horizon", str(HORIZON))
    home.kill_when(process, lambda: "tiny/export" in home.finished())
    return home


@pytest.fixture(scope="session")
def trained(exported: CloudHome, tmp_path_factory: pytest.TempPathFactory) -> CloudHome:
    """The same batch with its model, trained on this machine."""
    home = fork(exported, tmp_path_factory.mktemp("trained") / "home", {})
    home.command("train")
    return home


@pytest.fixture(scope="session")
def local(trained: CloudHome, tmp_path_factory: pytest.TempPathFactory) -> CloudHome:
    """The same batch forecast on this machine: what any other way must come to."""
    home = fork(trained, tmp_path_factory.mktemp("local") / "home", {})
    home.command("predict")
    home.command("load")
    return home
