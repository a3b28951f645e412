"""The program that starts dbt: AWS's service models are read once for all sessions."""

from __future__ import annotations

import subprocess
import sys

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
    boto3.Session(region_name="us-east-1").client(
        "athena", aws_access_key_id="a", aws_secret_access_key="b"
    )
    for _ in range(3)
]
dbt_program.main()
print(sum("athena" in path and "service-2" in path for path in read))
"""


def test_models_of_services_are_read_once() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_it_is_dbt() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "salescast.warehouse.dbt_program", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Core:" in done.stdout
