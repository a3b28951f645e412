"""Checks of AWS for the target athena: who asks, the work group, a statement, Glue."""

from __future__ import annotations

import re
import secrets
from functools import cache, cached_property, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from salescast.aws import error_code, open_session
from salescast.doctor.aws_errors import asking
from salescast.doctor.buckets import PROBE, bucket_checks
from salescast.doctor.check import Check, Outcome, failed, failed_with, ok, warning
from salescast.errors import RunError, SalescastError, UserError
from salescast.lake import LAKE_SCHEMAS
from salescast.s3 import Prefix, open_prefix
from salescast.settings import Settings
from salescast.warehouse.athena_client import AthenaClient

LAYERS = (
    "lake",
    "seeds",
    "staging",
    "intermediate",
    "exports",
    "baselines",
    "marts",
    "reports",
)
"""What follows the prefix in the name of each database."""

_ENGINE = re.compile(r"Athena engine version (\d+)")
_LEAST_ENGINE = 3

# A command waits long for AWS; who asks what is wrong wants to know soon.
_SOON = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3}
)


class _Aws:
    """What the checks ask, opened at first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = cache(self._client)

    @cached_property
    def session(self) -> boto3.Session:
        return open_session(self.settings)

    @cached_property
    def places(self) -> dict[str, str]:
        settings = self.settings
        return {
            "lake": settings.lake_uri,
            "work": settings.work_uri,
            "staging": settings.staging_uri,
            "data": settings.data_uri,
            "temp": settings.temp_uri,
        }

    def prefixes(self) -> dict[str, Prefix]:
        return {name: self.prefix(uri) for name, uri in self.places.items()}

    def prefix(self, uri: str) -> Prefix:
        return open_prefix(self.client("s3"), uri, self.settings.kms_key_id)

    @cached_property
    def work_group(self) -> dict[str, Any]:
        name = self.settings.athena_work_group
        answer = self.client("athena").get_work_group(WorkGroup=name)
        return dict(answer["WorkGroup"])

    @property
    def configuration(self) -> dict[str, Any]:
        return dict(self.work_group.get("Configuration", {}))

    def _client(self, service: str) -> Any:
        return self.session.client(service, config=_SOON)  # type: ignore[call-overload]


def athena_checks(settings: Settings) -> list[Check]:
    """What the target athena needs of AWS; nothing that a check makes is left there."""
    aws = _Aws(settings)
    buckets = {name: uri.removeprefix("s3://").split("/")[0] for name, uri in aws.places.items()}
    return [
        Check("region", partial(_region, aws)),
        Check("credentials", partial(_credentials, aws), ("region",)),
        *bucket_checks(aws.prefixes, buckets, "credentials"),
        Check("work group", partial(_work_group, aws), ("credentials",)),
        Check("place of results", partial(_place_of_results, aws), ("work group",)),
        Check("limit of scanned bytes", partial(_scan_limit, aws), ("work group",)),
        Check("statement", partial(_statement, aws), ("place of results", "staging")),
        Check("databases", partial(_databases, aws), ("credentials",)),
        Check("lake tables", partial(_lake_tables, aws), ("credentials",)),
    ]


def _region(aws: _Aws) -> Outcome:
    """Find the region."""
    with asking("environment and ~/.aws"):
        return ok(str(aws.session.region_name))


def _credentials(aws: _Aws) -> Outcome:
    """Ask AWS who is asking."""
    role = aws.settings.assume_role_arn
    with asking(f"{role} (SALESCAST_ASSUME_ROLE_ARN)" if role else "environment and ~/.aws"):
        credentials = aws.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        who = aws.client("sts").get_caller_identity()
    return ok(f"{who['Arn']} of account {who['Account']} ({credentials.method})")


def _work_group(aws: _Aws) -> Outcome:
    """See that the work group takes statements, on an engine that knows our SQL."""
    name = aws.settings.athena_work_group
    try:
        with asking(f"the work group {name} (SALESCAST_ATHENA_WORK_GROUP)"):
            state = aws.work_group.get("State")
    except SalescastError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) == "InvalidRequestException":
            raise UserError(
                f"The work group {name} does not exist in {aws.session.region_name}.",
                where="SALESCAST_ATHENA_WORK_GROUP",
                fix="Make it, or name another.",
            ) from error
        raise
    if state == "DISABLED":
        return failed(f"{name} is disabled", "Enable it, or set SALESCAST_ATHENA_WORK_GROUP.")
    engine = str(aws.configuration.get("EngineVersion", {}).get("EffectiveEngineVersion", ""))
    number = _ENGINE.fullmatch(engine)
    if engine and (number is None or int(number[1]) < _LEAST_ENGINE):
        return failed(
            f"{name} runs {engine}",
            f"Set its engine to Athena engine version {_LEAST_ENGINE}, or set "
            "SALESCAST_ATHENA_WORK_GROUP to a work group that has it.",
        )
    return ok(f"{name}, {engine or 'engine not told'}")


def _place_of_results(aws: _Aws) -> Outcome:
    """See that statements may say where they write."""
    name = aws.settings.athena_work_group
    managed = aws.configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
    enforced = aws.configuration.get("EnforceWorkGroupConfiguration")
    if not (managed or enforced):
        return ok("that of the settings")
    own = aws.configuration.get("ResultConfiguration", {}).get("OutputLocation", "no place")
    where = "Athena's own storage" if managed else own
    switch = "managed query results" if managed else "EnforceWorkGroupConfiguration"
    return failed(
        f"the work group {name} puts results in {where} whatever a statement asks for; "
        "dbt-athena then drops the locations of tables",
        f"Switch {switch} off in {name} (override client-side settings), or set "
        "SALESCAST_ATHENA_WORK_GROUP to a work group without it.",
    )


def _scan_limit(aws: _Aws) -> Outcome:
    """Tell how much a statement may read."""
    limit = aws.configuration.get("BytesScannedCutoffPerQuery")
    if limit:
        return ok(f"{limit / 1e9:,.2f} GB a statement")
    return warning(
        f"the work group {aws.settings.athena_work_group} has none",
        "Set BytesScannedCutoffPerQuery, so that one wrong statement cannot cost much.",
    )


def _statement(aws: _Aws) -> Outcome:
    """Run a statement whose result is written to a new prefix, and read it from there."""
    settings = aws.settings
    place = aws.prefix(f"{settings.staging_uri}/{PROBE}{secrets.token_hex(8)}")
    where = f"the work group {settings.athena_work_group}"
    probing = settings.model_copy(update={"athena_staging": place.uri})
    with asking(where):
        try:
            rows = AthenaClient(aws.client("athena"), probing).query("select 1 as answer").rows
            files = [place.read(name) for name in place.sizes("") if name.endswith(".csv")]
        except RunError as error:
            raise RunError(
                error.what,
                where=where,
                fix="Athena needs s3:GetBucketLocation on the bucket, and s3:PutObject and "
                "s3:GetObject below the prefix, of SALESCAST_ATHENA_STAGING.",
            ) from error
        finally:
            place.delete_all()
    if rows != [(1,)] or not any(file and b"1" in file.body for file in files):
        return failed(
            f"`select 1` gave {rows} and {len(files)} files below {settings.staging_uri}",
            "See in the work group that SALESCAST_ATHENA_STAGING is where its results go.",
        )
    return ok(f"`select 1`, its result read from {settings.staging_uri}")


def _databases(aws: _Aws) -> Outcome:
    """See which databases are there, and make a probe of one if some are not."""
    schema = aws.settings.schema_prefix
    glue = aws.client("glue")
    where = f"the catalog and database/{schema}_*"
    with asking(where):
        pages = glue.get_paginator("get_databases").paginate()
        there = {each["Name"] for page in pages for each in page["DatabaseList"]}
    missing = [layer for layer in LAYERS if f"{schema}_{layer}" not in there]
    if not missing:
        return ok(f"all {len(LAYERS)} of {schema}_* are there")
    probe = f"{schema}_doctor_{secrets.token_hex(8)}"
    with asking(where):
        glue.create_database(DatabaseInput={"Name": probe})
    try:
        with asking(where):
            glue.delete_database(Name=probe)
    except SalescastError as error:
        return warning(f"{error.what} The probe {probe} is still there.", f"Delete {probe}.")
    have = len(LAYERS) - len(missing)
    return ok(f"{have} of {len(LAYERS)} of {schema}_* are there, the others can be made")


def _lake_tables(aws: _Aws) -> Outcome:
    """Compare the folders of the lake's tables with the lake that the settings name."""
    database = f"{aws.settings.schema_prefix}_lake"
    lake = aws.settings.lake_uri
    try:
        with asking(f"the database {database}"):
            pages = aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
            held = {
                each["Name"]: each.get("StorageDescriptor", {}).get("Location", "").rstrip("/")
                for page in pages
                for each in page["TableList"]
                if each["Name"] in LAKE_SCHEMAS
            }
    except SalescastError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) == "EntityNotFoundException":
            return ok("none yet; the first build makes them")
        raise
    errors = [
        UserError(
            f"{database}.{name} stands on another lake.",
            where=location,
            fix=f"Set SALESCAST_LAKE to that lake, or SALESCAST_SCHEMA to a prefix of its own for "
            f"{lake}. If the lake has moved there: dbt run-operation create_lake_sources --args "
            "'{move: true}'.",
        )
        for name, location in sorted(held.items())
        if location != f"{lake}/{name}"
    ]
    return failed_with(*errors) if errors else ok(f"{len(held)} tables on {lake}")
