"""The doctor: each thing that may be wrong is told with what to do, and hides nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from click.testing import CliRunner
from moto import mock_aws
from moto.athena.models import QueryResults, athena_backends

from salescast.cli import cli
from salescast.doctor import buckets
from salescast.doctor.athena import LAYERS
from salescast.doctor.check import Check, Outcome, State, carry_out, ok
from salescast.lake.lock import hold_lock
from salescast.lake.s3_lock import NAME as LOCK

LOADER = Loader()
REGION = "eu-central-1"
BUCKET = "chain"
SECRET = "not-to-be-printed"
PREFIXES = ("lake", "work", "staging", "data", "temp")
VARIABLES = (
    *("TARGET", "FORECASTER", "SCHEMA", "THREADS", "MEMORY_LIMIT", "PROJECT_DIR", "LAKE", "WORK"),
    *("ATHENA_WORK_GROUP", "ATHENA_STAGING", "ATHENA_DATA", "ATHENA_TEMP", "KMS_KEY_ID"),
    *("ASSUME_ROLE_ARN", "STAGING", "SAGEMAKER_ROLE_ARN", "SAGEMAKER_IMAGE"),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(f"SALESCAST_{name}", raising=False)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@dataclass
class Examined:
    """What the command told, as JSON and as text."""

    exit_code: int
    checks: dict[str, dict[str, Any]]
    text: str

    def state(self, name: str) -> str:
        return str(self.checks[name]["state"])

    def told(self, name: str) -> str:
        return f"{self.checks[name]['found']} FIX {self.checks[name]['fix']}"

    def names(self, *states: str) -> list[str]:
        return [name for name in self.checks if self.state(name) in states]


def examine(target: str = "dev") -> Examined:
    result = CliRunner().invoke(cli, ["doctor", "--target", target, "--json"])
    assert result.exit_code in (0, 1), result.output
    told = json.loads(result.stdout)
    assert told["target"] == target
    checks = {each.pop("name"): each for each in told["checks"]}
    n_failed = sum(each["state"] == "failed" for each in checks.values())
    assert told["n_failed"] == n_failed
    assert result.exit_code == (1 if n_failed else 0)
    assert all(each["fix"] for each in checks.values() if each["state"] in ("failed", "warning"))
    return Examined(result.exit_code, checks, result.output)


# The list of checks.


def broken() -> Outcome:
    raise ZeroDivisionError("by a fault")


def test_a_fault_of_a_check_is_told_and_the_next_is_looked_at() -> None:
    checks = [
        Check("first", broken),
        Check("second", lambda: ok("fine")),
        Check("third", lambda: ok("fine"), needs=("first",)),
        Check("fourth", lambda: ok("fine"), needs=("third",)),
    ]
    found = dict(carry_out(checks))
    assert [each.state for each in found.values()] == [
        State.FAILED,
        State.OK,
        State.NOT_CHECKED,
        State.NOT_CHECKED,
    ]
    assert "ZeroDivisionError: by a fault" in found["first"].found
    assert found["third"].found == "needs first"


# The target dev.


def test_an_empty_home_is_fine_and_stays_empty(home: Path) -> None:
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0
    assert "ok           versions: Python 3." in result.stdout
    assert result.stdout.splitlines()[-1].startswith("8 checks of the target dev: 8 ok")
    assert not home.exists()


def test_wrong_settings_exit_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_THREADS", "0")
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 2
    assert "SALESCAST_THREADS" in result.stderr
    assert CliRunner().invoke(cli, ["doctor", "--target", "athena"]).exit_code == 2


def test_a_version_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "duckdb":
            return "1.5.6"
        if name == "dbt-core":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = examine()
    assert found.names("failed") == ["versions"]
    assert "duckdb is 1.5.6, needed is duckdb<3,>=2.0" in found.told("versions")
    assert "dbt-core is missing, needed is dbt-core<2,>=1.11" in found.told("versions")
    assert "make install" in found.told("versions")


def test_a_missing_project_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_PROJECT_DIR", str(tmp_path))
    found = examine()
    assert found.names("failed") == ["dbt project"]
    assert "SALESCAST_PROJECT_DIR" in found.told("dbt project")
    assert len(found.checks) == 8


def test_a_project_of_another_version_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").write_text(
        'version: "0.0.1"\nvars:\n  prediction_length: 7\n', encoding="utf-8"
    )
    monkeypatch.setenv("SALESCAST_PROJECT_DIR", str(tmp_path))
    found = examine()
    assert "dbt project" in found.names("warning")
    assert "is of version 0.0.1" in found.told("dbt project")
    assert "salescast init" in found.told("dbt project")


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_home_that_cannot_be_written_is_told(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "file" / below))
    found = examine()
    assert "home" in found.names("failed")
    assert "SALESCAST_HOME" in found.told("home")


def test_little_room_on_the_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**10, 9 * 10**9, 10**9))
    found = examine()
    assert found.names("warning") == ["home"]
    assert "1.0 GB free" in found.told("home")


def test_more_memory_than_there_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_MEMORY_LIMIT", "900 TiB")
    found = examine()
    assert found.names("warning") == ["memory"]
    assert "SALESCAST_MEMORY_LIMIT" in found.told("memory")


def test_a_forecaster_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found = examine()
    # SQL models forecast without it.
    assert found.names("warning") == ["forecaster"]
    assert "torch" in found.told("forecaster")


def test_who_holds_the_home_is_told_and_not_disturbed(home: Path) -> None:
    home.mkdir()
    duckdb.connect(str(home / "warehouse.duckdb")).close()
    with hold_lock(home, "salescast run"):
        found = examine()
    assert found.names("warning") == ["lock of the home"]
    assert "salescast run is at work" in found.told("lock of the home")
    assert found.names("not checked") == ["warehouse file"]
    found = examine()
    assert found.state("lock of the home") == found.state("warehouse file") == "ok"
    assert "v2" in found.told("warehouse file")


def test_a_file_that_duckdb_cannot_open_is_told(home: Path) -> None:
    home.mkdir()
    (home / "marts.duckdb").write_bytes(b"no database" * 1000)
    found = examine()
    assert found.names("failed") == ["marts file"]
    assert str(home / "marts.duckdb") in found.told("marts file")
    assert "salescast build" in found.told("marts file")


def test_a_file_that_is_open_elsewhere_is_told(home: Path) -> None:
    home.mkdir()
    path = home / "warehouse.duckdb"
    program = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        found = examine()
    finally:
        other.communicate(b"\n")
    assert found.names("warning") == ["warehouse file"]
    assert "Close it" in found.told("warehouse file")


# The target athena, on an AWS in memory.


@dataclass
class Aws:
    """An AWS in memory; `instead` answers an operation in its place, or lets it pass with None."""

    session: boto3.Session
    instead: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def s3(self) -> Any:
        return self.session.client("s3")

    @property
    def glue(self) -> Any:
        return self.session.client("glue")

    def refuse(
        self,
        operation: str,
        code: str = "AccessDenied",
        message: str = "Access Denied",
        only: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> None:
        """Answer an operation with an error."""

        def answer(parameters: dict[str, Any]) -> None:
            if only(parameters):
                raise ClientError(
                    {
                        "Error": {"Code": code, "Message": message},
                        "ResponseMetadata": {"HTTPHeaders": {}},  # type: ignore[typeddict-item]
                    },
                    operation,
                )

        self.instead[operation] = answer

    def configure_work_group(self, **configuration: Any) -> None:
        """Give the work group settings on top of those it has."""
        engine = {"EffectiveEngineVersion": "Athena engine version 3"}
        group = {"Name": "primary", "State": configuration.pop("State", "ENABLED")}
        group["Configuration"] = {"EngineVersion": engine, **configuration}
        self.instead["GetWorkGroup"] = lambda _: {"WorkGroup": group}

    def left(self) -> list[str]:
        """Keys of the bucket and names of the databases."""
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        databases = self.glue.get_databases()["DatabaseList"]
        return [each["Key"] for each in found] + [each["Name"] for each in databases]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    # Reading the services' descriptions anew for each session is most of the time of a test.
    monkeypatch.setattr("botocore.session.create_loader", lambda _: LOADER)
    with mock_aws():
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("SALESCAST_LAKE", f"s3://{BUCKET}/salescast/lake")
        monkeypatch.setenv("SALESCAST_ATHENA_POLL_SECONDS", "0.01")
        made = Aws(boto3.Session(region_name=REGION))
        made.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        info = {"Name": "answer", "Label": "answer", "Type": "integer"}
        rows = [{"Data": [{"VarCharValue": text}]} for text in ("answer", "1")]
        answers = [QueryResults(rows=rows, column_info=[info]) for _ in range(5)]
        athena_backends["123456789012"][REGION].query_results_queue.extend(answers)
        real = BaseClient._make_api_call  # type: ignore[attr-defined]

        def call(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            made.calls.append((operation, parameters))
            answer = made.instead.get(operation, lambda _: None)(parameters)
            if answer is None:
                answer = real(self, operation, parameters)
            if operation == "GetObject":
                headers = answer["ResponseMetadata"]["HTTPHeaders"]
                headers.setdefault("date", formatdate(usegmt=True))
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", call)
        yield made


def test_everything_is_fine_and_nothing_is_left(aws: Aws) -> None:
    found = examine("athena")
    assert found.names("failed", "not checked") == []
    assert found.names("warning") == ["limit of scanned bytes"]
    assert "of account 123456789012" in found.told("credentials")
    assert "conditional put" in found.told("lake")
    assert aws.left() == []
    assert not any(name.startswith(("Update", "Stop")) for name, _ in aws.calls)
    aws.configure_work_group(BytesScannedCutoffPerQuery=10**11)
    assert examine("athena").told("limit of scanned bytes").startswith("100.00 GB a statement")


def below_lake(parameters: dict[str, Any]) -> bool:
    return str(parameters.get("Key", parameters.get("Prefix"))).startswith("salescast/lake/")


@pytest.mark.parametrize(
    ("operation", "action", "done"),
    [
        ("ListObjectsV2", "s3:ListBucket", True),
        ("PutObject", "s3:PutObject", True),
        ("GetObject", "s3:GetObject", True),
        ("DeleteObject", "s3:DeleteObject", False),
    ],
)
def test_a_right_that_is_missing_is_named(
    aws: Aws, operation: str, action: str, done: bool
) -> None:
    aws.refuse(operation, only=below_lake)
    found = examine("athena")
    assert "lake" in found.names("failed")
    assert f"Add {action} on s3://chain/salescast/lake/* (SALESCAST_LAKE)" in found.told("lake")
    assert [found.state(name) for name in PREFIXES[1:]] == ["ok"] * 4
    assert found.state("statement") == "ok"
    if done:
        assert aws.left() == []
    else:
        (probe,) = aws.left()
        assert f"Delete s3://chain/{probe} by hand" in found.told("lake")


def test_all_missing_rights_are_told_at_once(aws: Aws) -> None:
    for operation in ("ListObjectsV2", "PutObject", "DeleteObject"):
        aws.refuse(operation, only=lambda p: "/temp/" in str(p))
    told = examine("athena").told("temp")
    assert all(action in told for action in ("s3:ListBucket", "s3:PutObject", "s3:DeleteObject"))
    assert "SALESCAST_ATHENA_TEMP" in told


def test_a_policy_that_denies_outright_is_told_from_a_missing_right(aws: Aws) -> None:
    message = "not authorized to perform: s3:PutObject with an explicit deny in a policy"
    aws.refuse("PutObject", message=message, only=lambda p: p["Key"].startswith("salescast/work"))
    assert "A policy denies s3:PutObject on s3://chain/salescast/work/*" in examine("athena").told(
        "work"
    )


def test_the_key_is_used_and_its_missing_right_is_named(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCAST_KMS_KEY_ID", "alias/chain")
    found = examine("athena")
    assert "with the key of SALESCAST_KMS_KEY_ID" in found.told("data")
    puts = [p for name, p in aws.calls if name == "PutObject" and "Body" in p]
    assert len(puts) >= 5
    assert {each.get("SSEKMSKeyId") for each in puts} == {"alias/chain"}
    key = f"arn:aws:kms:{REGION}:123456789012:key/k"
    message = (
        f"User: u is not authorized to perform: kms:GenerateDataKey on resource: {key} because"
    )
    aws.refuse("PutObject", message=message)
    assert f"Add kms:GenerateDataKey on {key}" in examine("athena").told("data")
    aws.refuse("PutObject", code="KMS.DisabledException", message="the key is disabled")
    assert "SALESCAST_KMS_KEY_ID" in examine("athena").told("data")


@pytest.mark.parametrize("condition", ["IfNoneMatch", "IfMatch"])
def test_a_store_that_ignores_conditions_is_refused(aws: Aws, condition: str) -> None:
    aws.instead["PutObject"] = lambda parameters: parameters.pop(condition, None) and None
    found = examine("athena")
    assert found.names("failed") == ["lake"]
    assert "two commands can hold the lock" in found.told("lake")
    assert aws.left() == []


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_are_not_valid_are_told_without_secrets(aws: Aws, code: str) -> None:
    aws.refuse("GetCallerIdentity", code, f"x-amz-security-token: {SECRET}")
    found = examine("athena")
    assert found.names("failed") == ["credentials"]
    assert code in found.told("credentials")
    assert "aws sso login" in found.told("credentials")
    assert SECRET not in found.text
    # What does not need them is looked at, what does is said to be open.
    assert found.state("dbt project") == "ok"
    assert set(PREFIXES) | {"work group", "databases"} <= set(found.names("not checked"))
    assert {name for name, _ in aws.calls} == {"GetCallerIdentity"}


def test_missing_credentials_and_a_missing_profile_are_told(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(boto3.Session, "get_credentials", lambda _: None)
        found = examine("athena")
    assert found.names("failed") == ["credentials"]
    assert "AWS_PROFILE" in found.told("credentials")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    found = examine("athena")
    assert found.names("failed") == ["region"]
    assert "nobody" in found.told("region")
    assert "AWS_PROFILE" in found.told("region")
    assert found.state("credentials") == "not checked"


def test_a_missing_region_is_told(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    found = examine("athena")
    assert found.names("failed") == ["region"]
    assert "AWS_REGION" in found.told("region")


def test_a_role_that_may_not_be_assumed_is_told(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::123456789012:role/salescast"
    monkeypatch.setenv("SALESCAST_ASSUME_ROLE_ARN", role)
    assert "assumed-role/salescast/salescast" in examine("athena").told("credentials")
    aws.refuse("AssumeRole")
    found = examine("athena")
    assert found.names("failed") == ["credentials"]
    assert f"Add sts:AssumeRole on {role}" in found.told("credentials")
    assert "trust policy" in found.told("credentials")


def test_a_missing_bucket_is_told_and_the_rest_is_looked_at(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCAST_WORK", "s3://not-there/work")
    found = examine("athena")
    assert found.names("failed") == ["bucket not-there"]
    assert found.names("not checked") == ["work"]
    told = found.told("bucket not-there")
    assert "does not exist" in told
    assert "SALESCAST_WORK" in told


def test_a_right_to_list_below_the_prefixes_only_is_enough(aws: Aws) -> None:
    aws.refuse("HeadBucket", "403", "Forbidden")
    found = examine("athena")
    assert found.names("failed") == []
    assert found.names("not checked") == [f"bucket {BUCKET}"]


def test_a_bucket_in_another_region_is_told(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.session.client("s3", region_name="us-west-2").create_bucket(
        Bucket="far", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    monkeypatch.setenv("SALESCAST_ATHENA_TEMP", "s3://far/temp")
    found = examine("athena")
    assert found.state("bucket far") == "warning"
    assert "Set AWS_REGION to us-west-2, or SALESCAST_ATHENA_TEMP" in found.told("bucket far")
    assert found.state("temp") == "ok"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}, ("lake", "warehouse")),
        ({"Prefix": "salescast/", "Expiration": {"Days": 9}}, ("lake", "warehouse")),
        ({"Filter": {"Prefix": "salescast/lake/raw_"}, "Expiration": {"Days": 9}}, ("lake",)),
        (
            {
                "Filter": {"Prefix": "salescast/warehouse"},
                "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}],
            },
            ("warehouse",),
        ),
        ({"Filter": {"Prefix": "salescast/temp/"}, "Expiration": {"Days": 9}}, ()),
        (
            {
                "Filter": {"And": {"Prefix": "", "Tags": [{"Key": "k", "Value": "v"}]}},
                "Expiration": {"Days": 9},
            },
            (),
        ),
        ({"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 9}}, ()),
        (
            {"Filter": {"Prefix": ""}, "Expiration": {"Days": 9}, "Status": "Disabled"},
            (),
        ),
    ],
)
def test_a_rule_that_expires_what_is_kept_is_a_failure(
    aws: Aws, rule: dict[str, Any], told: tuple[str, ...]
) -> None:
    aws.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={"Rules": [{"ID": "tidy", "Status": "Enabled", **rule}]},
    )
    found = examine("athena")
    name = f"lifecycle of {BUCKET}"
    assert found.names("failed") == ([name] if told else [])
    for folder in ("lake", "warehouse"):
        assert (f"(s3://chain/salescast/{folder})" in found.told(name)) == (folder in told)
    assert ("tidy" in found.told(name)) == bool(told)


def test_rules_that_may_not_be_read_are_no_failure(aws: Aws) -> None:
    aws.refuse("GetBucketLifecycleConfiguration")
    found = examine("athena")
    assert found.exit_code == 0
    assert found.names("not checked") == [f"lifecycle of {BUCKET}"]
    assert "s3:GetLifecycleConfiguration" in found.told(f"lifecycle of {BUCKET}")


def test_a_missing_work_group_is_told(aws: Aws) -> None:
    aws.refuse("GetWorkGroup", "InvalidRequestException", "WorkGroup primary is not found.")
    found = examine("athena")
    assert found.names("failed") == ["work group"]
    assert "primary does not exist in eu-central-1" in found.told("work group")
    assert "SALESCAST_ATHENA_WORK_GROUP" in found.told("work group")
    assert "statement" in found.names("not checked")
    assert found.state("databases") == "ok"
    aws.refuse("GetWorkGroup", "AccessDeniedException", "no")
    assert "Add athena:GetWorkGroup on the work group primary" in examine("athena").told(
        "work group"
    )


@pytest.mark.parametrize(
    ("configuration", "name", "fix"),
    [
        ({"State": "DISABLED"}, "work group", "Enable it"),
        (
            {"EngineVersion": {"EffectiveEngineVersion": "Athena engine version 2"}},
            "work group",
            "engine version 3",
        ),
        (
            {"EngineVersion": {"EffectiveEngineVersion": "PySpark engine version 3"}},
            "work group",
            "engine version 3",
        ),
        (
            {"EnforceWorkGroupConfiguration": True},
            "place of results",
            "EnforceWorkGroupConfiguration",
        ),
        (
            {"ManagedQueryResultsConfiguration": {"Enabled": True}},
            "place of results",
            "managed query results",
        ),
    ],
)
def test_a_work_group_that_does_not_fit_is_told(
    aws: Aws, configuration: dict[str, Any], name: str, fix: str
) -> None:
    aws.configure_work_group(**configuration)
    found = examine("athena")
    assert found.names("failed") == [name]
    assert fix in found.told(name)
    assert found.state("statement") == "not checked"


def test_a_statement_that_fails_is_told_and_leaves_nothing(aws: Aws) -> None:
    status = {"State": "FAILED", "StateChangeReason": "Access denied when writing"}
    aws.instead["GetQueryExecution"] = lambda parameters: {
        "QueryExecution": {**parameters, "Status": status}
    }
    found = examine("athena")
    assert found.names("failed") == ["statement"]
    assert "Access denied when writing" in found.told("statement")
    assert "s3:GetBucketLocation" in found.told("statement")
    assert aws.left() == []


def test_a_result_that_is_elsewhere_is_told(aws: Aws) -> None:
    def elsewhere(parameters: dict[str, Any]) -> None:
        parameters["ResultConfiguration"] = {"OutputLocation": f"s3://{BUCKET}/elsewhere/"}

    aws.instead["StartQueryExecution"] = elsewhere
    found = examine("athena")
    assert found.names("failed") == ["statement"]
    assert "SALESCAST_ATHENA_STAGING" in found.told("statement")


def test_databases_that_cannot_be_made_are_told(aws: Aws) -> None:
    aws.refuse("CreateDatabase", "AccessDeniedException", "no")
    found = examine("athena")
    assert found.names("failed") == ["databases"]
    assert "Add glue:CreateDatabase on the catalog and database/salescast_*" in found.told(
        "databases"
    )


def test_where_all_databases_are_no_right_to_make_one_is_needed(aws: Aws) -> None:
    for layer in LAYERS:
        aws.glue.create_database(DatabaseInput={"Name": f"salescast_{layer}"})
    aws.refuse("CreateDatabase", "AccessDeniedException", "no")
    assert examine("athena").state("databases") == "ok"


def test_a_probe_that_cannot_be_removed_is_named(aws: Aws) -> None:
    aws.refuse("DeleteDatabase", "AccessDeniedException", "no")
    found = examine("athena")
    assert found.state("databases") == "warning"
    (probe,) = aws.left()
    assert f"Delete {probe}" in found.told("databases")


def test_tables_on_another_lake_are_told(aws: Aws) -> None:
    aws.glue.create_database(DatabaseInput={"Name": "salescast_lake"})
    for name, lake in (("raw_sales", "old/lake"), ("runs", "salescast/lake"), ("other", "x")):
        place = {"Location": f"s3://{BUCKET}/{lake}/{name}/"}
        table = {"Name": name, "StorageDescriptor": place}
        aws.glue.create_table(DatabaseName="salescast_lake", TableInput=table)
    found = examine("athena")
    assert found.names("failed") == ["lake tables"]
    told = found.told("lake tables")
    assert "salescast_lake.raw_sales" in told
    assert "s3://chain/old/lake/raw_sales" in told
    assert "SALESCAST_LAKE" in told
    assert "salescast_lake.runs" not in told
    assert "salescast_lake.other" not in told


def test_who_holds_the_lake_is_told(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = {"command": "salescast run", "pid": "7", "host": "far", "since": "2026-11-25 10:00"}
    key = f"salescast/lake/{LOCK}"
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(holder).encode())
    found = examine("athena")
    assert found.state("lock of the lake") == "warning"
    assert "salescast run (process 7 on far" in found.told("lock of the lake")
    assert "--take-lock" in found.told("lock of the lake")
    with monkeypatch.context() as patched:
        patched.setattr(buckets, "STALE_SECONDS", 0.0)
        told = examine("athena").told("lock of the lake")
    assert told.startswith("stale: left by salescast run")
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"[]")
    found = examine("athena")
    assert found.names("failed") == ["lock of the lake"]
    assert "is not a lock of salescast" in found.told("lock of the lake")
    assert aws.left() == [key]


# The forecaster sagemaker.


def test_what_sagemaker_needs_is_looked_at(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALESCAST_LAKE")
    monkeypatch.setenv("SALESCAST_FORECASTER", "sagemaker")
    found = examine()
    assert found.names("failed") == ["forecaster", "SageMaker staging"]
    assert "SALESCAST_SAGEMAKER_ROLE_ARN" in found.told("forecaster")
    assert "SALESCAST_STAGING" in found.told("SageMaker staging")
    assert found.names("not checked") == ["SageMaker quotas"]
    monkeypatch.setenv("SALESCAST_STAGING", f"s3://{BUCKET}/staging")
    monkeypatch.setenv("SALESCAST_SAGEMAKER_ROLE_ARN", "arn:aws:iam::123456789012:role/salescast")
    found = examine()
    assert found.names("failed", "warning") == []
    assert aws.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    aws.refuse("ListTrainingJobs", "AccessDeniedException", "no")
    assert "sagemaker:ListTrainingJobs" in examine().told("SageMaker")
    monkeypatch.setenv("SALESCAST_STAGING", "s3://no-such-bucket/staging")
    assert "SALESCAST_STAGING" in examine().told("SageMaker staging")
