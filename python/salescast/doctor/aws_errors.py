"""What AWS answered to a check, as what is wrong and which right or setting mends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from salescast.aws import error_code, is_denied, is_unauthenticated, told
from salescast.errors import RunError, SalescastError, UserError

_ACTIONS = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "PutObject": "s3:PutObject",
    "GetObject": "s3:GetObject",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetWorkGroup": "athena:GetWorkGroup",
    "StartQueryExecution": "athena:StartQueryExecution",
    "GetQueryExecution": "athena:GetQueryExecution",
    "GetQueryResults": "athena:GetQueryResults",
    "GetDatabases": "glue:GetDatabases",
    "CreateDatabase": "glue:CreateDatabase",
    "DeleteDatabase": "glue:DeleteDatabase",
    "GetTables": "glue:GetTables",
    "ListTrainingJobs": "sagemaker:ListTrainingJobs",
    "AssumeRole": "sts:AssumeRole",
}
_NAMED_ACTION = re.compile(r"perform: ([a-z0-9-]+:\w+)(?: on resource: \"?([^\s\"]+))?")


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Tell what AWS refuses in the block.

    Args:
        where: The thing that is asked for, as a right would name it.

    Raises:
        SalescastError: AWS refused or could not be reached; holds the action or setting to change.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, where) from error
    except BotoCoreError as error:
        raise _not_asked(error) from error


def _answered(error: ClientError, where: str) -> SalescastError:
    code = error_code(error)
    message = error.response.get("Error", {}).get("Message", "")
    if is_unauthenticated(error):
        # Without AWS's message, which may repeat the request with its signed headers.
        return UserError(
            f"The AWS credentials are not valid, or not any more ({code}).",
            where=where,
            fix="Sign in again (aws sso login), or set AWS_PROFILE or new keys; the clock of this "
            "machine must be right.",
        )
    if is_denied(error):
        return _denied(error.operation_name, message, where)
    if code.startswith("KMS."):
        return UserError(
            f"S3 cannot use the key: {message}",
            where=where,
            fix="Set SALESCAST_KMS_KEY_ID to an enabled key of the bucket's region, or unset it.",
        )
    if code == "NoSuchBucket":
        return UserError("The bucket does not exist.", where=where, fix="Make it.")
    return RunError(
        f"AWS answered {code} to {error.operation_name}: {message}",
        where=where,
        fix=f"Try again; if it stays, AWS documents {code} under {error.operation_name}.",
    )


def _denied(operation: str, message: str, where: str) -> SalescastError:
    named = _NAMED_ACTION.search(message)
    action = named[1] if named else _ACTIONS.get(operation, operation)
    if action.startswith("kms:"):
        where = (named and named[2]) or "the key of SALESCAST_KMS_KEY_ID"
    fix = f"Add {action} on {where} to the role's rights."
    if "explicit deny" in message:
        fix = f"A policy denies {action} on {where} outright: have it changed."
    elif "Lake Formation" in message:
        fix = f"Grant it in Lake Formation, and {action} on {where} in the role's rights."
    elif action == "sts:AssumeRole":
        fix = f"{fix} The role's trust policy must name this user or role too."
    return UserError(f"AWS denies {action}: {message}", where=where, fix=fix)


def _not_asked(error: BotoCoreError) -> SalescastError:
    in_words = told(error)
    if isinstance(in_words, UserError):
        return in_words
    return RunError(
        in_words.what,
        where=in_words.where,
        fix="Check the network, AWS_REGION, AWS_ENDPOINT_URL and ~/.aws.",
    )
