"""What lies in S3 under a location."""

from __future__ import annotations

from urllib.parse import urlsplit

from local_aws.gateway.engine import Context
from local_aws.gateway.sql.errors import refusal


def objects_under(context: Context, location: str) -> list[str]:
    """The s3:// addresses of all objects under a location, in order."""
    bucket, prefix = _folder(location)
    pages = context.engine.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix
    )
    return [f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", ())]


def require_empty(context: Context, location: str, what: str) -> None:
    """Refuse to write where something lies, as Athena does: nothing is ever overwritten.

    Args:
        context: The statement's.
        location: Where it is to write.
        what: The table, for the message.
    """
    bucket, prefix = _folder(location)
    found = context.engine.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    if found.get("Contents"):
        raise refusal(
            "HIVE_PATH_ALREADY_EXISTS",
            f"Target directory for table '{what}' already exists: {location}. You may need to "
            f"manually clean the data at location '{location}' before retrying. Athena will not "
            "delete data in your account.",
        )


def split(address: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.netloc:
        raise refusal("INVALID_TABLE_PROPERTY", f"The location '{address}' is not an s3:// folder")
    return parts.netloc, parts.path.lstrip("/")


def _folder(location: str) -> tuple[str, str]:
    """Bucket and prefix of a folder; it ends with a slash, so that no neighbour is in it."""
    bucket, key = split(location)
    prefix = key.rstrip("/")
    return bucket, f"{prefix}/" if prefix else ""
