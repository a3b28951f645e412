from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from .gateway_server import Gateway, serve_gateway


@pytest.fixture(scope="session")
def _served() -> Iterator[Gateway]:
    with serve_gateway() as served:
        yield served


@pytest.fixture
def gateway(_served: Gateway) -> Iterator[Gateway]:
    """A gateway without faults; what a test leaves behind has names of its own."""
    yield _served
    requests.delete(f"{_served.url}/faults")


@pytest.fixture
def database(gateway: Gateway) -> str:
    """An empty database."""
    name = f"db_{uuid4().hex[:8]}"
    gateway.glue.create_database(DatabaseInput={"Name": name})
    return name
