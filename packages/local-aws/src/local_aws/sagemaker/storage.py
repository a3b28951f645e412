"""S3 as the jobs use it: prefixes as plain strings, folders in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws.sagemaker.errors import JobFailed


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def keys_below(s3: Any, uri: str) -> list[str]:
    """Keys of a prefix, which is any text that they begin with; none if there is no such bucket."""
    bucket, prefix = split_uri(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        found = [each["Key"] for page in pages for each in page.get("Contents", [])]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
        return []
    # Consoles make an object of a folder.
    return [key for key in found if not key.endswith("/")]


def relative(uri: str, key: str) -> str:
    """A key as seen from the last folder of the prefix that found it."""
    _, prefix = split_uri(uri)
    return key[prefix.rfind("/") + 1 :]


def exists(s3: Any, uri: str) -> bool:
    """Whether there is an object."""
    bucket, key = split_uri(uri)
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # The answer to HEAD has no body that would name the error.
        if error.response["Error"]["Code"] != "404":
            raise
        return False
    return True


def download(s3: Any, uri: str, folder: Path) -> None:
    """Copy what a prefix finds into a folder, which is made; its folders are kept.

    Raises:
        JobFailed: A key would be a file outside the folder.
    """
    bucket, _ = split_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    for key in keys_below(s3, uri):
        path = (root / relative(uri, key)).resolve()
        if root not in path.parents:
            raise JobFailed(f"ClientError: The key {key} below {uri} is no file name in a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))


def upload(s3: Any, path: Path, uri: str, kms_key: str | None = None) -> None:
    """Copy a file to S3, under a KMS key if the job names one."""
    bucket, key = split_uri(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    s3.upload_file(str(path), bucket, key, ExtraArgs=extra)


def upload_folder(s3: Any, folder: Path, uri: str) -> None:
    """Copy all files of a folder below a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            upload(s3, path, f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}")
