"""AWS: one session for all clients, and its errors told in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from salescast.errors import RunError, SalescastError, UserError

if TYPE_CHECKING:
    from salescast.settings import Settings

_CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 8}, max_pool_connections=50)
_IMPATIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden"}
_NOT_VALID = {
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed"),
    *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "AuthFailure"),
    *("IncompleteSignature", "InvalidSignatureException", "SignatureDoesNotMatch"),
    "UnrecognizedClientException",
}


class _AssumedRole(CredentialProvider):
    """Credentials of a role, fetched anew when they run out."""

    METHOD = "assume-role"

    def __init__(self, base: boto3.Session, role_arn: str) -> None:
        super().__init__()
        self._base = base
        self._role_arn = role_arn

    def load(self) -> DeferredRefreshableCredentials:
        source = self._base.get_credentials()
        if source is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._base.client,
            source_credentials=source,
            role_arn=self._role_arn,
            extra_args={"RoleSessionName": "salescast"},
        )
        return DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method=self.METHOD
        )


def open_session(settings: Settings) -> boto3.Session:
    """A session of the usual credentials, or of the role that the settings name.

    Raises:
        UserError: No region is set.
    """
    session = boto3.Session()
    if not (settings.region or session.region_name):
        raise UserError(
            "No AWS region is set.", where="environment", fix="Set AWS_REGION, as in eu-central-1."
        )
    region = settings.region or session.region_name
    if settings.assume_role_arn is None:
        return boto3.Session(region_name=region)
    # boto3 itself does not read AWS_REGION, and asks STS in the region of its session.
    base = boto3.Session(region_name=region)
    core = botocore.session.Session()
    core.register_component(
        "credential_provider", CredentialResolver([_AssumedRole(base, settings.assume_role_arn)])
    )
    return boto3.Session(botocore_session=core, region_name=region)


def client(session: boto3.Session, service: str) -> Any:
    """A client that waits and tries again when AWS asks for it."""
    return session.client(service, config=_CONFIG)  # type: ignore[call-overload]


def impatient_client(session: boto3.Session, service: str) -> Any:
    """A client for what a command can do without: it asks once, and gives up after seconds."""
    return session.client(service, config=_IMPATIENT)  # type: ignore[call-overload]


def error_code(error: ClientError) -> str:
    """The code that a service answered with, as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: ClientError) -> bool:
    """Whether AWS refused for want of a right."""
    return error_code(error) in _DENIED


def is_unauthenticated(error: ClientError) -> bool:
    """Whether AWS does not take the credentials."""
    return error_code(error) in _NOT_VALID


def told(error: BotoCoreError | ClientError) -> SalescastError:
    """An error of boto3 in words that say what to do."""
    if isinstance(error, ClientError):
        code = error_code(error)
        message = error.response.get("Error", {}).get("Message", "")
        where = f"AWS {error.operation_name}"
        if is_denied(error):
            return UserError(
                f"AWS denies this command a right that it needs: {message}",
                where=where,
                fix="See what is missing with `salescast doctor`, and have it added to the role.",
            )
        if is_unauthenticated(error):
            # Without AWS's message, which may repeat the request with its signed headers.
            return UserError(
                f"The AWS credentials are not valid, or not any more ({code}).",
                where=where,
                fix="Sign in again (aws sso login), then go on with `salescast run --resume`.",
            )
        if code == "NoSuchBucket":
            bucket = error.response["Error"].get("BucketName")
            return UserError(
                "The S3 bucket does not exist.",
                where=f"{where}: {bucket}" if bucket else where,
                fix="Make it, or let the setting that names it (SALESCAST_LAKE, SALESCAST_STAGING "
                "or another prefix) name one that exists; `salescast doctor` says which it is.",
            )
        return RunError(
            f"AWS answered {code}: {message}",
            where=where,
            fix="Check the set-up with `salescast doctor`; then go on with `salescast run "
            "--resume`.",
        )
    name = type(error).__name__
    if isinstance(error, ProfileNotFound) or any(w in name for w in ("Credential", "Token", "SSO")):
        return UserError(
            f"No usable AWS credentials: {error}",
            where="environment and ~/.aws",
            fix="Set AWS_PROFILE, or sign in (aws sso login).",
        )
    if isinstance(error, HTTPClientError | NoConnectionError):
        return RunError(
            f"AWS cannot be reached: {error}",
            where=name,
            fix="Check the network, AWS_REGION and AWS_ENDPOINT_URL; then go on with `salescast "
            "run --resume`.",
        )
    return RunError(
        f"A call to AWS could not be made, or its answer not be read: {error}",
        where=name,
        fix="Check AWS_REGION, AWS_PROFILE and ~/.aws; then go on with `salescast run --resume`.",
    )
