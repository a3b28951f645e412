"""The dbt project on the local Athena: a lake copied to S3, builds, and relations read back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.stack import Stack

REPOSITORY = Path(__file__).parents[3]
# For dbt, however it is started. Data tests write nothing and take a third of a build, so one build
# of all runs them.
NO_TESTS = {"DBT_RESOURCE_TYPES": "model seed"}
WITH_DATA_TESTS = {"DBT_RESOURCE_TYPES": "model seed test"}


@dataclass(frozen=True)
class Athena:
    """A lake and the databases built on it, under a name of their own.

    name: prefix of the databases and of everything in the bucket.
    folder: a local folder for dbt's own files and for what is read back.
    variables: more of what a process gets.
    """

    stack: Stack
    name: str
    folder: Path
    project: Path = REPOSITORY
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find this warehouse."""
        return {
            **os.environ,
            **self.stack.environment,
            "SALESCAST_TARGET": "athena",
            "SALESCAST_HOME": str(self.folder),
            "SALESCAST_LAKE": f"s3://{self.stack.bucket}/{self.name}/lake",
            "SALESCAST_SCHEMA": self.name,
            "SALESCAST_ATHENA_POLL_SECONDS": "0.1",
            "SALESCAST_PROJECT_DIR": str(self.project),
            **self.variables,
        }

    def client(self, service: str) -> Any:
        """A client of boto3 on the stack."""
        environment = self.stack.environment
        special = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        return boto3.client(
            service,
            endpoint_url=special or environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            # Some tests have one call in seven throttled, this client's too.
            config=Config(retries={"mode": "standard", "total_max_attempts": 10}),
        )

    def copy_lake(self, lake: Path) -> None:
        """Put the landed files of a folder lake where this warehouse looks for them."""
        s3 = self.client("s3")
        for path in lake.glob("*/[!.]*.parquet"):
            key = f"{self.name}/lake/{path.relative_to(lake)}"
            s3.upload_file(str(path), self.stack.bucket, key)

    def fetch_lake(self, to: Path) -> None:
        """Copy the landed files into a folder lake."""
        prefix = f"s3://{self.stack.bucket}/{self.name}/lake"
        for key in self.keys(prefix):
            (to / key).parent.mkdir(parents=True, exist_ok=True)
            self.client("s3").download_file(
                self.stack.bucket, f"{self.name}/lake/{key}", str(to / key)
            )

    def keys(self, uri: str) -> list[str]:
        """Names of the objects below a prefix."""
        prefix = uri.removeprefix(f"s3://{self.stack.bucket}/").rstrip("/") + "/"
        pages = (
            self.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.stack.bucket, Prefix=prefix)
        )
        return [
            each["Key"].removeprefix(prefix) for page in pages for each in page.get("Contents", [])
        ]

    def fetch(self, uri: str) -> list[Path]:
        """Copy the objects below a prefix into a new folder; returns the files."""
        prefix = uri.removeprefix(f"s3://{self.stack.bucket}/").rstrip("/") + "/"
        target = self.folder / "fetched" / str(time.time_ns())
        target.mkdir(parents=True)
        for key in self.keys(uri):
            self.client("s3").download_file(self.stack.bucket, prefix + key, str(target / key))
        return sorted(target.iterdir())

    def command(self, *arguments: str) -> list[str]:
        """The command line of dbt in this warehouse, as the commands start it."""
        return [
            *(sys.executable, "-m", "salescast.warehouse.dbt_program", *arguments),
            *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
            *(
                "--target-path",
                str(self.folder / "target"),
                "--log-path",
                str(self.folder / "logs"),
            ),
        ]

    def dbt(self, *arguments: str, code: int = 0) -> str:
        """Run dbt to its end; returns what it printed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.project,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def build(self, *arguments: str) -> str:
        """`dbt build`, of what the variables leave."""
        return self.dbt("build", *arguments)

    def run(self, query: str) -> str:
        """Run a statement to its end; returns the execution's id."""
        athena = self.client("athena")
        execution_id = athena.start_query_execution(
            QueryString=query,
            ResultConfiguration={
                "OutputLocation": f"s3://{self.stack.bucket}/{self.name}/athena-results/"
            },
        )["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"][
                "Status"
            ]
            if status["State"] == "SUCCEEDED":
                return str(execution_id)
            assert status["State"] in ("QUEUED", "RUNNING"), status.get("StateChangeReason")
            time.sleep(0.05)

    def rows(self, query: str) -> list[list[str | None]]:
        """All rows of a query as text."""
        pages = (
            self.client("athena")
            .get_paginator("get_query_results")
            .paginate(QueryExecutionId=self.run(query))
        )
        rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        return [[cell.get("VarCharValue") for cell in row] for row in rows[1:]]

    def unload(self, query: str, form: str = "PARQUET") -> list[Path]:
        """The result of a query as local files, written by UNLOAD."""
        prefix = f"{self.name}/unload/{time.time_ns()}/"
        self.run(
            f"unload ({query}) to 's3://{self.stack.bucket}/{prefix}' with (format = '{form}')"
        )
        return self.fetch(f"s3://{self.stack.bucket}/{prefix}")


def wait_for_quiet(athena: Athena, executions: Sequence[str] | None = None) -> None:
    """Wait until no statement is under way, also none that a killed client left behind."""
    client = athena.client("athena")
    while True:
        newest = executions or client.list_query_executions(MaxResults=50)["QueryExecutionIds"]
        found = client.batch_get_query_execution(QueryExecutionIds=list(newest))
        states = {each["Status"]["State"] for each in found["QueryExecutions"]}
        if not states & {"QUEUED", "RUNNING"}:
            return
        time.sleep(0.2)
