"""A prefix of an S3 bucket, with names below it as in a folder."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from s3transfer.exceptions import RetriesExceededError

from salescast.aws import client, error_code, open_session
from salescast.errors import RunError, Taken
from salescast.files import whole_file

if TYPE_CHECKING:
    from salescast.settings import Settings

_LARGEST_PUT = 5 * 1024**3
_PARALLEL_REQUESTS = 16
_DELETED_AT_ONCE = 1000
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
_MISSING = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True)
class StoredObject:
    """A small object with what tells its version; `age_seconds` by the clock of S3."""

    body: bytes
    etag: str
    age_seconds: float


@dataclass(frozen=True)
class Prefix:
    """Objects of a bucket below a prefix.

    Args:
        s3: A client of boto3; may be used from several threads.
        bucket: Name of the bucket.
        key: The prefix, without a slash at either end.
        kms_key_id: Key that new objects are encrypted with; None leaves it to the bucket.
    """

    s3: Any = field(repr=False)
    bucket: str
    key: str
    kms_key_id: str | None = None

    @property
    def uri(self) -> str:
        """The prefix as `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.key}"

    def below(self, name: str) -> Prefix:
        """A prefix below this one."""
        return Prefix(self.s3, self.bucket, f"{self.key}/{name.strip('/')}", self.kms_key_id)

    def sizes(self, folder: str) -> dict[str, int]:
        """Names below a folder of this prefix, with their bytes; without empty folders' marks."""
        start = f"{self.key}/{folder.strip('/')}/" if folder else f"{self.key}/"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
        return {
            found["Key"][len(start) :]: int(found["Size"])
            for page in pages
            for found in page.get("Contents", [])
            if not found["Key"].endswith("/")
        }

    def has(self, name: str) -> bool:
        """Whether there is an object of this name."""
        return self._head(name) is not None

    def read(self, name: str) -> StoredObject | None:
        """A small object in memory; None if there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self._key(name))
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        modified: datetime = answer["LastModified"]
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return StoredObject(answer["Body"].read(), answer["ETag"], (now - modified).total_seconds())

    def write(self, name: str, body: bytes, *, over: str | None = None) -> str:
        """Write a small object where none is, or over the version `over`; returns its ETag.

        Raises:
            Taken: There is one already, or not the version `over`.
        """
        condition = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        return str(self._put(name, body, condition)["ETag"])

    def remove(self, name: str, *, version: str) -> None:
        """Delete an object; one that is gone already is no error.

        Raises:
            Taken: It is another version.
        """
        try:
            self.s3.delete_object(Bucket=self.bucket, Key=self._key(name), IfMatch=version)
        except ClientError as error:
            if error_code(error) in _TAKEN:
                raise Taken(f"{self.uri}/{name}") from error
            if error_code(error) not in _MISSING:
                raise

    def upload(self, path: Path, name: str, *, replace: bool = False) -> None:
        """Put a file where no object is, or with `replace` in its place.

        Raises:
            Taken: There is one already.
            RunError: The file is larger than one request may be.
        """
        if path.stat().st_size > _LARGEST_PUT:
            raise RunError(
                f"the file {path.name} is larger than the 5 GB that S3 takes at once",
                where=str(path),
                fix="land the data in more than one file",
            )
        condition = {} if replace else {"IfNoneMatch": "*"}
        writer = secrets.token_hex(8)
        with path.open("rb") as body:
            try:
                self._put(name, body, condition, Metadata={"writer": writer})
            except Taken:
                # A put that was sent again because its answer was lost meets its own object.
                found = self._head(name)
                if found is None or found["Metadata"].get("writer") != writer:
                    raise

    def download(self, name: str, to: Path) -> Path:
        """Copy an object into a file, whole or not at all; returns the file.

        Raises:
            RunError: There is no such object, or the connection broke again and again.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A reader, who holds no lock, may copy the same object at this moment.
            with whole_file(to, shared=True) as part, part.open("wb") as file:
                self.s3.download_fileobj(self.bucket, self._key(name), file)
            return to
        except ClientError as error:
            if error_code(error) not in _MISSING:
                raise
            raise RunError(
                "an object that is needed is not there",
                where=f"{self.uri}/{name}",
                fix="Put it back if something else has removed it: from a version of the bucket, "
                "or from a backup.",
            ) from error
        except RetriesExceededError as error:
            raise RunError(
                f"the download broke off again and again: {error.last_exception}",
                where=f"{self.uri}/{name}",
                fix="Check the network and give the command again.",
            ) from error

    def download_all(self, names: Iterable[str], to: Path) -> list[Path]:
        """Copy objects into a folder under their names, several at a time.

        Raises:
            RunError: A name would be a file outside of the folder, or no file at all; nothing is
                copied then. Otherwise as `download`.
        """
        names = list(names)
        for name in names:
            if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
                raise RunError(
                    f"An object has a key that is no name of a file below a folder: {name!r}.",
                    where=f"{self.uri}/{name}",
                    fix="Nothing was copied. Find out who wrote it, and remove the object.",
                )
        with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
            return list(pool.map(lambda name: self.download(name, to / name), names))

    def copy(self, source: Prefix, names: dict[str, str]) -> None:
        """Copy objects of another prefix on the server: `names` gives the new name of each."""

        def copy_one(pair: tuple[str, str]) -> None:
            old, new = pair
            self.s3.copy(
                {"Bucket": source.bucket, "Key": source._key(old)},
                self.bucket,
                self._key(new),
                ExtraArgs=self._encryption,
            )

        with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
            list(pool.map(copy_one, names.items()))

    def delete_all(self, folder: str = "") -> None:
        """Delete every object below a folder of this prefix."""
        start = f"{folder.strip('/')}/" if folder else ""
        keys = [{"Key": self._key(start + name)} for name in self.sizes(folder)]
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            answer = self.s3.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": keys[first : first + _DELETED_AT_ONCE], "Quiet": True},
            )
            if errors := answer.get("Errors"):
                raise RunError(
                    f"S3 did not delete {errors[0]['Key']}: {errors[0].get('Message', '')}",
                    where=self.uri,
                    fix="See `salescast doctor` for missing rights.",
                )

    @property
    def _encryption(self) -> dict[str, str]:
        if self.kms_key_id is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}

    def _key(self, name: str) -> str:
        return f"{self.key}/{name}"

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.s3.head_object(Bucket=self.bucket, Key=self._key(name))
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        return found

    def _put(self, name: str, body: Any, condition: dict[str, str], **more: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self.s3.put_object(
                Bucket=self.bucket,
                Key=self._key(name),
                Body=body,
                **condition,
                **self._encryption,
                **more,
            )
        except ClientError as error:
            # S3 answers If-Match on an object that is gone with NoSuchKey.
            gone = "IfMatch" in condition and error_code(error) in _MISSING
            if gone or error_code(error) in _TAKEN:
                raise Taken(f"{self.uri}/{name}") from error
            raise
        return answer


def open_prefix(s3: Any, uri: str, kms_key_id: str | None = None) -> Prefix:
    """The prefix of `s3://bucket/prefix`."""
    bucket, _, key = uri.removeprefix("s3://").strip("/").partition("/")
    return Prefix(s3, bucket, key, kms_key_id)


def opener(settings: Settings) -> Callable[[str], Prefix]:
    """Opens prefixes with the credentials and the key of the settings; connects at first use."""
    s3 = cache(lambda: client(open_session(settings), "s3"))
    return lambda uri: open_prefix(s3(), uri, settings.kms_key_id)
