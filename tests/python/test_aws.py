"""AWS: sessions on a real STS, and errors in words that say what is wrong and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions as errors
import pytest
from botocore.stub import Stubber
from s3transfer.exceptions import RetriesExceededError

from salescast.aws import client, error_code, impatient_client, open_session, told
from salescast.errors import RunError, UserError
from salescast.s3 import opener
from salescast.settings import Settings, load_settings
from support.s3_server import BUCKET, REGION, S3Server

ROLE = "arn:aws:iam::000000000000:role/forecaster"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "SALESCAST_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def on_server(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A region by AWS_REGION only, which boto3 itself does not read."""
    for name, value in s3_server.environment.items():
        if name != "AWS_DEFAULT_REGION":
            monkeypatch.setenv(name, value)
    yield s3_server


def settings(**values: Any) -> Settings:
    return load_settings(target="athena", lake_place=f"s3://{BUCKET}/aws/lake", **values)


def refused(code: str, message: str = "as a test wants", **more: str) -> errors.ClientError:
    """What a client raises when S3 answers with a code."""
    s3 = boto3.client(
        "s3", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    with Stubber(s3) as stubber:
        stubber.add_client_error("list_objects_v2", code, message, service_error_meta=more)
        with pytest.raises(errors.ClientError) as caught:
            s3.list_objects_v2(Bucket=BUCKET)
    return caught.value


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "403"])
def test_a_missing_right_is_told_with_the_call(code: str) -> None:
    error = told(refused(code, "User x is not authorized to perform: s3:ListBucket"))
    assert isinstance(error, UserError)
    assert "not authorized to perform: s3:ListBucket" in error.what
    assert error.where == "AWS ListObjectsV2"
    assert "salescast doctor" in str(error.fix)


@pytest.mark.parametrize(
    "code",
    [
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidAccessKeyId"),
        *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"),
    ],
)
def test_credentials_that_are_not_valid_are_told_with_the_way_on(code: str) -> None:
    error = told(refused(code, "The provided token has expired."))
    assert isinstance(error, UserError)
    assert "credentials are not valid" in error.what
    assert code in error.what
    assert "--resume" in str(error.fix)


def test_a_missing_bucket_is_named() -> None:
    error = told(refused("NoSuchBucket", BucketName="chain"))
    assert isinstance(error, UserError)
    assert "bucket does not exist" in error.what
    assert str(error.where).endswith(": chain")
    assert "SALESCAST_LAKE" in str(told(refused("NoSuchBucket")))


def test_any_other_answer_is_told_as_it_came() -> None:
    error = told(refused("SlowDown", "Please reduce your request rate."))
    assert isinstance(error, RunError)
    assert "SlowDown: Please reduce" in error.what
    assert error.where == "AWS ListObjectsV2"
    assert "--resume" in str(error.fix)


@pytest.mark.parametrize(
    "error",
    [
        errors.NoCredentialsError(),
        errors.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"),
        errors.CredentialRetrievalError(provider="sso", error_msg="x"),
        errors.UnauthorizedSSOTokenError(),
        errors.TokenRetrievalError(provider="sso", error_msg="Token has expired"),
        errors.ProfileNotFound(profile="prod"),
    ],
)
def test_missing_credentials_are_told(error: errors.BotoCoreError) -> None:
    found = told(error)
    assert isinstance(found, UserError)
    assert "No usable AWS credentials" in found.what
    assert "AWS_PROFILE" in str(found.fix)


@pytest.mark.parametrize(
    "error",
    [
        errors.EndpointConnectionError(endpoint_url="https://s3", error="x"),
        errors.ConnectTimeoutError(endpoint_url="https://s3", error="x"),
        errors.ReadTimeoutError(endpoint_url="https://s3", error="x"),
        errors.ConnectionClosedError(endpoint_url="https://s3"),
        errors.SSLError(endpoint_url="https://s3", error="x"),
        errors.ProxyConnectionError(proxy_url="https://proxy", error="x"),
    ],
)
def test_no_network_is_told(error: errors.BotoCoreError) -> None:
    found = told(error)
    assert isinstance(found, RunError)
    assert "cannot be reached" in found.what
    assert "network" in str(found.fix)
    assert "--resume" in str(found.fix)


def test_a_call_that_was_never_sent_is_not_a_lack_of_network() -> None:
    found = told(errors.InvalidRegionError(region_name="eu central"))
    assert "eu central" in found.what
    assert "reached" not in found.what
    assert "AWS_REGION" in str(found.fix)


def test_a_missing_bucket_of_a_real_server(on_server: S3Server) -> None:
    prefix = opener(settings())("s3://not-there/lake")
    with pytest.raises(errors.ClientError) as caught:
        prefix.sizes("")
    assert error_code(caught.value) == "NoSuchBucket"
    assert "bucket does not exist" in told(caught.value).what


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("time.sleep", lambda _: None)
    prefix = opener(settings(region=REGION))(f"s3://{BUCKET}/lake")
    with pytest.raises(errors.BotoCoreError) as caught:
        prefix.sizes("")
    assert "cannot be reached" in told(caught.value).what


@pytest.mark.parametrize("role", [None, ROLE])
def test_no_credentials_are_told_with_a_role_too(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, role: str | None
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    with pytest.raises(errors.NoCredentialsError) as caught:
        opener(settings(region=REGION, assume_role_arn=role))(f"s3://{BUCKET}/lake").sizes("")
    assert "No usable AWS credentials" in told(caught.value).what


def test_no_region_is_told() -> None:
    with pytest.raises(UserError, match="No AWS region") as caught:
        open_session(settings())
    assert "AWS_REGION" in str(caught.value.fix)


def test_the_region_may_come_from_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile prod]\nregion = eu-west-3\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "prod")
    assert open_session(settings()).region_name == "eu-west-3"
    assert open_session(settings(region="us-east-1")).region_name == "us-east-1"


def test_a_role_is_assumed_and_its_credentials_are_used(on_server: S3Server) -> None:
    session = open_session(settings(assume_role_arn=ROLE))
    identity = client(session, "sts").get_caller_identity()
    assert "assumed-role/forecaster/salescast" in identity["Arn"]
    plain = client(open_session(settings()), "sts").get_caller_identity()
    assert "assumed-role" not in plain["Arn"]
    prefix = opener(settings(assume_role_arn=ROLE))(f"s3://{BUCKET}/role")
    prefix.write("x", b"1")
    assert prefix.sizes("") == {"x": 1}


def test_the_role_is_not_asked_for_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    opened = open_session(settings(region=REGION, assume_role_arn=ROLE))
    assert opened.region_name == REGION


def test_a_command_tells_it_in_these_words(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path))
    monkeypatch.setenv("SALESCAST_LAKE", "s3://not-there/lake")
    done = subprocess.run(
        [sys.executable, "-m", "salescast", "build", "--target", "athena"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "The S3 bucket does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_of_transfers_do_not_reach_the_commands() -> None:
    assert not issubclass(RetriesExceededError, errors.BotoCoreError), (
        "Prefix.download tells it, because told() is for boto3's own"
    )


def test_what_a_command_can_do_without_does_not_keep_it_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    config = impatient_client(open_session(settings(region=REGION)), "logs").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert max(config.connect_timeout, config.read_timeout) <= 10
