"""The program that starts dbt: AWS's service models are read and clients made once."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.dbt

COUNT = """
import sys
import boto3
import botocore.loaders
from salescast.warehouse import dbt_program

read = []
load = botocore.loaders.JSONFileLoader.load_file

def counted(self, path):
    found = load(self, path)
    if found is not None:
        read.append(str(path))
    return found

botocore.loaders.JSONFileLoader.load_file = counted
dbt_program.cli = lambda: [
    boto3.Session(region_name=region_name).client(
        "athena", aws_access_key_id="a", aws_secret_access_key="b"
    )
    for region_name in ("us-east-1", "eu-west-1", "eu-north-1")
]
dbt_program.main()
print(sum("athena" in path and "service-2" in path for path in read))
"""


CLIENTS = """
import boto3
from botocore.config import Config
from salescast.warehouse import dbt_program

def made(region="us-east-1", key="a", retries=3, service="athena"):
    session = boto3.Session(
        region_name=region, aws_access_key_id=key, aws_secret_access_key="b"
    )
    config = Config(retries={"max_attempts": retries})
    return session.client(service, region_name=region, config=config)

def compare():
    first = made()
    print(first is made())
    others = [made(region="eu-west-1"), made(key="c"), made(retries=4), made(service="glue")]
    print(len({id(each) for each in (first, *others)}))
    print(made(key="c")._request_signer._credentials.access_key)

dbt_program.cli = compare
dbt_program.main()
"""


def run(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_models_of_services_are_read_once() -> None:
    assert run(COUNT) == ["1"]


def test_a_client_serves_all_sessions_that_ask_for_the_same() -> None:
    assert run(CLIENTS) == ["True", "5", "c"]


def test_it_is_dbt() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "salescast.warehouse.dbt_program", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Core:" in done.stdout
