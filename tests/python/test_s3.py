"""Prefixes of a bucket, on a real server: conditions, whole files, nothing outside touched."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from salescast.errors import RunError, Taken
from salescast.s3 import Prefix, open_prefix
from support.s3_server import BUCKET, S3Server, Wire

STRANGE = ["with space.json", "ü+&=%41 'x'.parquet", "a/b/c.parquet", "#?.txt"]


@pytest.fixture
def prefix(s3_server: S3Server) -> Prefix:
    return s3_server.prefix()


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def file_of(folder: Path, content: bytes = b"whole") -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def test_more_names_than_a_page_are_listed_and_deleted(prefix: Prefix) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: prefix.write(f"many/{n:04d}", b"x" * (n % 3)), range(1005)))
    prefix.write("other/1", b"left")
    sizes = prefix.sizes("many")
    assert list(sizes) == [f"{n:04d}" for n in range(1005)]
    assert [sizes[f"{n:04d}"] for n in range(4)] == [0, 1, 2, 0]
    wire = Wire(prefix.s3)
    prefix.delete_all("many")
    assert wire.sent.count("POST") == 2, "S3 deletes a thousand objects at once"
    assert prefix.sizes("") == {"other/1": 4}


@pytest.mark.parametrize("folder", ["", "table"])
def test_delete_all_touches_nothing_outside(prefix: Prefix, folder: str) -> None:
    kept = {
        f"{prefix.key}2/table/x",
        f"{prefix.key}.parquet",
        f"{prefix.key.split('/')[0]}/lake",
        f"{prefix.key.split('/')[0]}/table/x",
    }
    if folder:
        kept |= {f"{prefix.key}/table2/x", f"{prefix.key}/table", f"{prefix.key}/x"}
    for key in kept:
        prefix.s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    names = {"x", "deep/er/y", *STRANGE}
    for name in names:
        prefix.write(f"table/{name}", b"1")
    assert set(prefix.sizes(folder)) == {name if folder else f"table/{name}" for name in names}
    prefix.delete_all(folder)
    answer = prefix.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix.key.split("/")[0] + "/")
    assert {each["Key"] for each in answer["Contents"]} == kept


def test_delete_all_without_objects_sends_no_delete(prefix: Prefix) -> None:
    wire = Wire(prefix.s3)
    prefix.delete_all()
    assert wire.sent == ["GET"]


def test_an_object_that_was_not_deleted_is_told(prefix: Prefix) -> None:
    prefix.write("a", b"1")

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "a", "Message": "Access Denied"}]

    prefix.s3.meta.events.register("after-call.s3.DeleteObjects", refuse)
    with pytest.raises(RunError, match="did not delete a: Access Denied") as caught:
        prefix.delete_all()
    assert caught.value.where == prefix.uri


def test_prefixes_are_opened_from_their_uri(prefix: Prefix) -> None:
    opened = open_prefix(prefix.s3, f"{prefix.uri}/", "key")
    assert (opened.bucket, opened.key, opened.uri) == (BUCKET, prefix.key, prefix.uri)
    below = opened.below("/table/")
    assert below.uri == f"{prefix.uri}/table"
    assert below.kms_key_id == "key"


def test_marks_of_empty_folders_are_no_names(prefix: Prefix) -> None:
    for name in ("", "table/", "table/deep/"):
        prefix.s3.put_object(Bucket=BUCKET, Key=f"{prefix.key}/{name}", Body=b"")
    prefix.write("table/x", b"1")
    assert prefix.sizes("table") == {"x": 1}
    assert prefix.sizes("") == {"table/x": 1}


def test_what_is_written_is_read_with_version_and_age(prefix: Prefix) -> None:
    assert prefix.read("lock") is None
    assert not prefix.has("lock")
    etag = prefix.write("lock", b"one")
    held = prefix.read("lock")
    assert prefix.has("lock")
    assert held is not None
    assert (held.body, held.etag) == (b"one", etag)
    assert -1 <= held.age_seconds < 30


def test_the_age_is_by_the_clock_of_the_server(prefix: Prefix) -> None:
    prefix.write("lock", b"one")

    def be_late(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = "Fri, 01 Jan 2100 00:10:00 GMT"
        parsed["LastModified"] = parsed["LastModified"].replace(
            year=2100, month=1, day=1, hour=0, minute=0, second=0, microsecond=0
        )

    prefix.s3.meta.events.register("after-call.s3.GetObject", be_late)
    held = prefix.read("lock")
    assert held is not None
    assert held.age_seconds == 600


def test_a_write_meets_its_condition_or_is_refused(prefix: Prefix) -> None:
    first = prefix.write("lock", b"one")
    with pytest.raises(Taken, match=f"{prefix.uri}/lock"):
        prefix.write("lock", b"two")
    second = prefix.write("lock", b"three", over=first)
    with pytest.raises(Taken):
        prefix.write("lock", b"four", over=first)
    held = prefix.read("lock")
    assert held is not None
    assert (held.body, held.etag) == (b"three", second)


def test_a_version_that_is_gone_is_refused_too(prefix: Prefix) -> None:
    etag = prefix.write("lock", b"one")
    prefix.remove("lock", version=etag)
    with pytest.raises(Taken):
        prefix.write("lock", b"two", over=etag)
    assert not prefix.has("lock")
    prefix.remove("lock", version=etag)


def test_only_the_version_that_is_named_is_removed(prefix: Prefix) -> None:
    first = prefix.write("lock", b"one")
    prefix.write("lock", b"two", over=first)
    with pytest.raises(Taken):
        prefix.remove("lock", version=first)
    assert prefix.has("lock")


@pytest.mark.parametrize("over", [False, True])
def test_of_many_writers_at_once_one_wins(prefix: Prefix, over: bool) -> None:
    version = prefix.write("lock", b"before") if over else None
    start = threading.Barrier(12)

    def write(n: int) -> int | None:
        start.wait()
        try:
            prefix.write("lock", str(n).encode(), over=version)
        except Taken:
            return None
        return n

    with ThreadPoolExecutor(12) as pool:
        won = [n for n in pool.map(write, range(12)) if n is not None]
    held = prefix.read("lock")
    assert len(won) == 1
    assert held is not None
    assert held.body == str(won[0]).encode()


@pytest.mark.parametrize("call", ["read", "has", "write", "sizes"])
def test_a_refusal_for_another_reason_is_not_a_missing_object(prefix: Prefix, call: str) -> None:
    elsewhere = replace(prefix, bucket="no-such-bucket")
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: elsewhere.read("x"),
        "write": lambda: elsewhere.write("x", b"", over='"abc"'),
        "sizes": lambda: elsewhere.sizes("x"),
    }
    if call == "has":

        def deny(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
            http_response.status_code = 403
            parsed["Error"] = {"Code": "403", "Message": "Forbidden"}

        prefix.s3.meta.events.register("after-call.s3.HeadObject", deny)
        calls["has"] = lambda: prefix.has("x")
    with pytest.raises(ClientError, match=r"NoSuchBucket|403"):
        calls[call]()


def test_an_upload_never_goes_over_another_unless_told_to(prefix: Prefix, tmp_path: Path) -> None:
    prefix.upload(file_of(tmp_path, b"one"), "table/x")
    with pytest.raises(Taken):
        prefix.upload(file_of(tmp_path, b"two"), "table/x")
    held = prefix.read("table/x")
    assert held is not None
    assert held.body == b"one"
    prefix.upload(file_of(tmp_path, b"three"), "table/x", replace=True)
    held = prefix.read("table/x")
    assert held is not None
    assert held.body == b"three"


def test_an_upload_whose_answer_was_lost_is_no_other_ones(prefix: Prefix, tmp_path: Path) -> None:
    wire = Wire(prefix.s3)
    wire.lose_answers_to = {"PUT"}
    prefix.upload(file_of(tmp_path), "x")
    assert wire.sent == ["PUT", "PUT", "HEAD"]
    wire.lose_answers_to = {"PUT"}
    with pytest.raises(Taken):
        prefix.upload(file_of(tmp_path), "x")


def test_a_file_that_is_too_large_for_a_put_is_refused(prefix: Prefix, tmp_path: Path) -> None:
    path = file_of(tmp_path)
    os.truncate(path, 5 * 1024**3 + 1)
    with pytest.raises(RunError, match="larger than the 5 GB") as caught:
        prefix.upload(path, "x")
    assert caught.value.where == str(path)
    assert caught.value.fix


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_go_there_and_back(prefix: Prefix, tmp_path: Path, name: str) -> None:
    prefix.upload(file_of(tmp_path), name)
    assert prefix.sizes("") == {name: 5}
    prefix.below("copy").copy(prefix, {name: name})
    (path,) = prefix.below("copy").download_all([name], tmp_path / "to")
    assert path == tmp_path / "to" / name
    assert path.read_bytes() == b"whole"
    assert prefix.has(f"copy/{name}")


def test_a_large_file_comes_back_as_it_was(prefix: Prefix, tmp_path: Path) -> None:
    content = os.urandom(20_000_000)
    prefix.upload(file_of(tmp_path, content), "large")
    prefix.below("copy").copy(prefix, {"large": "part-00000.json.gz"})
    path = prefix.download("copy/part-00000.json.gz", tmp_path / "to" / "large")
    assert path.read_bytes() == content
    assert files_in(tmp_path / "to") == ["large"]


def test_a_missing_object_is_told_and_leaves_no_file(prefix: Prefix, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not there") as caught:
        prefix.download("gone", tmp_path / "to" / "x")
    assert caught.value.where == f"{prefix.uri}/gone"
    assert files_in(tmp_path / "to") == []


class Breaks:
    """A body that breaks off after its first bytes."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._left = 1000

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def read(self, amount: int | None = None) -> bytes:
        if self._left <= 0:
            raise ConnectionResetError("reset by the peer")
        found: bytes = self._raw.read(min(self._left, amount or self._left))
        self._left -= len(found)
        return found


def test_a_download_that_breaks_off_leaves_the_file_that_was(
    prefix: Prefix, tmp_path: Path
) -> None:
    prefix.upload(file_of(tmp_path, os.urandom(100_000)), "x")
    before = tmp_path / "to" / "x"
    before.parent.mkdir()
    before.write_bytes(b"before")

    def break_off(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Body"]._raw_stream = Breaks(parsed["Body"]._raw_stream)

    prefix.s3.meta.events.register("after-call.s3.GetObject", break_off)
    with pytest.raises(RunError, match="broke off again and again") as caught:
        prefix.download("x", before)
    assert caught.value.where == f"{prefix.uri}/x"
    assert before.read_bytes() == b"before"
    assert files_in(before.parent) == ["x"]


def test_readers_may_copy_one_object_at_once(prefix: Prefix, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    prefix.upload(file_of(tmp_path, content), "x")
    to = tmp_path / "to" / "x"
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: prefix.download("x", to), range(24)))
    assert set(paths) == {to}
    assert to.read_bytes() == content
    assert files_in(to.parent) == ["x"]


def test_one_failed_download_fails_all_and_keeps_the_others(prefix: Prefix, tmp_path: Path) -> None:
    for n in range(3):
        prefix.write(f"{n}", b"x")
    with pytest.raises(RunError, match="not there"):
        prefix.download_all(["0", "gone", "1", "2"], tmp_path / "to")
    assert {"0", *files_in(tmp_path / "to")} <= {"0", "1", "2"}


def test_copies_are_of_the_bytes(prefix: Prefix, tmp_path: Path) -> None:
    packed = gzip.compress(b"{}\n")
    source, target = prefix.below("unload/1"), prefix.below("channel")
    for name in ("b.gz", "a.gz"):
        source.upload(file_of(tmp_path, packed), name)
    target.copy(source, {"a.gz": "part-00000.json.gz", "b.gz": "part-00001.json.gz"})
    assert target.sizes("") == {f"part-0000{n}.json.gz": len(packed) for n in range(2)}
    assert sorted(source.sizes("")) == ["a.gz", "b.gz"]
    with pytest.raises(ClientError):
        target.copy(source, {"gone": "x"})


def test_new_objects_are_encrypted_with_the_key(prefix: Prefix, tmp_path: Path) -> None:
    with_key = replace(prefix, kms_key_id="alias/chain")
    with_key.write("written", b"1")
    with_key.upload(file_of(tmp_path), "uploaded")
    with_key.upload(file_of(tmp_path), "replaced", replace=True)
    with_key.below("below").write("x", b"1")
    with_key.below("copied").copy(prefix, {"uploaded": "x"})
    prefix.write("without", b"1")
    found = {
        name: prefix.s3.head_object(Bucket=BUCKET, Key=f"{prefix.key}/{name}").get("SSEKMSKeyId")
        for name in prefix.sizes("")
    }
    assert found.pop("without") is None
    assert len(found) == 5
    assert set(found.values()) == {"alias/chain"}


def test_a_server_that_is_gone_is_an_error_of_the_network(prefix: Prefix, tmp_path: Path) -> None:
    Wire(prefix.s3).is_cut = True
    with pytest.raises(ConnectionClosedError):
        prefix.has("x")
    with pytest.raises(ConnectionClosedError):
        prefix.download("x", tmp_path / "to" / "x")
    assert files_in(tmp_path / "to") == []
