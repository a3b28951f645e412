"""A small chain whose home forecasts on the local SageMaker."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import requests
from click.testing import CliRunner

from local_aws.stack import Stack
from salescast.cli import cli
from salescast.week.batch import read_record
from support.home import Home, Rows
from support.sources import amount, weeks, write_csv, write_mapping

HORIZON = 4
WEEKS = weeks(date(2024, 1, 6), 70)
SERIES = [(store, department) for store in ("1", "2") for department in ("a", "b", "c")]
ROLE = "arn:aws:iam::123456789012:role/salescast"


@dataclass(frozen=True)
class CloudHome(Home):
    """A home with more variables than its own."""

    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | dict(self.variables)

    def give(self, *arguments: str, **more: str) -> tuple[int, str]:
        """Give a command that may fail; returns its exit code and what it printed."""
        own = {name: None for name in os.environ if name.startswith("SALESCAST_")}
        environment = {**own, **self.environment, **more}
        result = CliRunner(env=environment).invoke(cli, list(arguments))
        assert "Traceback" not in result.output
        assert "unexpected" not in result.output
        return result.exit_code, result.output

    def forecasts(self) -> Rows:
        """Landed rows of every run, without what is a batch's own."""
        columns = "model_id, item_id, cutoff_date, week_end_date, horizon_weeks, mean, columns('p')"
        return sorted(self.landed("forecasts", columns))


def of_stack(stack: Stack, name: str, n_parts: int = 1) -> dict[str, str]:
    """Variables that send a home's jobs to a stack; `name` is its folder in the bucket."""
    region = stack.environment["AWS_REGION"]
    return {
        **stack.environment,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SALESCAST_FORECASTER": "sagemaker",
        "SALESCAST_STAGING": f"s3://{stack.bucket}/{name}/staging",
        "SALESCAST_SAGEMAKER_ROLE_ARN": ROLE,
        "SALESCAST_SAGEMAKER_IMAGE": f"123456789012.dkr.ecr.{region}.amazonaws.com/salescast:1",
        "SALESCAST_SAGEMAKER_POLL_SECONDS": "0.2",
        "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_COUNT": str(n_parts),
    }


def land(home: Home, folder: Path) -> None:
    """Weekly sales of two stores."""
    write_mapping(folder / "shop.yml", grain="weekly", week_ends_on="saturday")
    write_csv(folder / "stores.csv", ["store"], [["1"], ["2"]])
    write_csv(
        folder / "sales.csv",
        ("store", "department", "date", "sales"),
        [
            (*series, label, amount(100 * (level + 1), week))
            for level, series in enumerate(SERIES)
            for week, label in enumerate(WEEKS)
        ],
    )
    home.command("ingest", folder, "--mapping", folder / "shop.yml")


def fork(home: CloudHome, to: Path, variables: Mapping[str, str]) -> CloudHome:
    """A copy of a home with a batch of its own, whose jobs have names of their own.

    The batch goes on with the forecaster of the variables.
    """
    shutil.copytree(home.path, to)
    old = home.batch.batch_id
    new = f"{old[:-4]}{secrets.token_hex(2)}"
    made = CloudHome(to, home.project, variables)
    folder = (to / "batches" / old).rename(to / "batches" / new)
    models = to / "lake" / "trained_models"
    for path in (*folder.glob(f"{old}-*"), *models.glob(f"{old}-*")):
        path.rename(path.with_name(path.name.replace(old, new)))
    for path in (folder / "batch.json", *folder.glob("*/manifest.json"), *models.glob("*/*.json")):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new).replace(str(home.path), str(to)), encoding="utf-8")
    record = read_record(folder)
    record.forecaster = variables.get("SALESCAST_FORECASTER", "local")
    (folder / "batch.json").write_text(record.model_dump_json(), encoding="utf-8")
    return made


@contextmanager
def faults(stack: Stack, **wanted: Any) -> Iterator[None]:
    """SageMaker fails in some way while the block runs."""
    url = f"{stack.sagemaker_url}/faults"
    answer = requests.post(url, json=wanted, timeout=10)
    assert answer.ok, answer.text
    try:
        yield
    finally:
        requests.delete(url, timeout=10)


def client(stack: Stack, service: str) -> Any:
    """A client of boto3 on the stack."""
    environment = stack.environment
    special = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    return boto3.client(
        service,
        endpoint_url=special or environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def jobs_of(stack: Stack, batch_id: str) -> dict[str, str]:
    """Status of each job of a batch by its name."""
    sagemaker = client(stack, "sagemaker")
    found = {}
    for noun in ("Training", "Transform"):
        answer = getattr(sagemaker, f"list_{noun.lower()}_jobs")(
            NameContains=batch_id, MaxResults=100
        )
        for each in answer[f"{noun}JobSummaries"]:
            found[each[f"{noun}JobName"]] = each[f"{noun}JobStatus"]
    return found
