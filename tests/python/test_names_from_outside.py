"""Names from outside that become paths: none leads out of its folder, none follows a link."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from salescast.errors import RunError, UserError
from salescast.files import final_path, whole_file
from salescast.forecaster import TrainingJob, UnusableOutput
from salescast.forecaster.local import LocalForecaster
from salescast.forecaster.sagemaker.staging import join_output
from salescast.s3 import Prefix
from salescast.week.batch import find_folder, read_record
from support.s3_server import S3Server
from support.small_week import a_record

LEAVING = ["../outside", "a/../../outside", "/outside", "//outside", "a//b", "./a", "a/.", ".."]


@pytest.fixture
def prefix(s3_server: S3Server) -> Prefix:
    return s3_server.prefix()


def put(prefix: Prefix, name: str) -> None:
    prefix.s3.put_object(Bucket=prefix.bucket, Key=f"{prefix.key}/{name}", Body=b"x")


# Keys of S3


@pytest.mark.parametrize("name", LEAVING)
def test_a_key_that_leaves_the_folder_is_refused_and_nothing_copied(
    prefix: Prefix, tmp_path: Path, name: str
) -> None:
    put(prefix, "a.json")
    put(prefix, name)
    to = tmp_path / "work" / "channel"
    with pytest.raises(RunError, match="no name of a file") as caught:
        prefix.download_all(["a.json", name], to)
    assert name in str(caught.value.where)
    assert caught.value.fix
    assert not (tmp_path / "work").exists()
    assert not Path("/outside").exists()


def test_the_local_forecaster_refuses_a_channel_with_such_a_key(
    prefix: Prefix, tmp_path: Path
) -> None:
    put(prefix, "part-00000.json.gz")
    put(prefix, "/../../../../outside.json")
    forecaster = LocalForecaster(threads=1, open_s3=lambda _: prefix)
    job = TrainingJob("deepar", prefix.uri, {}, tmp_path / "a" / "b" / "work", "run-1")
    with pytest.raises(RunError, match="no name of a file"):
        forecaster.train(job)
    assert not list(tmp_path.rglob("*outside*"))


def test_a_part_of_an_output_that_leaves_the_folder_is_refused(
    prefix: Prefix, tmp_path: Path
) -> None:
    put(prefix, "../../part-0000.json.out")
    put(prefix, "/part-0001.json.out")
    to = tmp_path / "a" / "b" / "output" / "inference.json.out"
    inputs = [f"part-000{n}.json" for n in range(len(prefix.sizes("")))]
    with pytest.raises(RunError):
        join_output(prefix, inputs, to)
    assert not list(tmp_path.rglob("*.out"))


def test_two_outputs_of_one_name_are_not_taken(prefix: Prefix, tmp_path: Path) -> None:
    for name in ("part-0000.json.out", "other/part-0000.json.out"):
        put(prefix, name)
    with pytest.raises(UnusableOutput, match="2 outputs for 1 inputs: other/part"):
        join_output(prefix, ["part-0000.json"], tmp_path / "output" / "inference.json.out")


# Ids of batches and runs, which name folders


@pytest.mark.parametrize("name", ["..", ".", "../batches/x", "/etc", "x/../x"])
def test_a_batch_is_found_by_its_id_only(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path, tmp_path / "batches", tmp_path / "batches" / "x"):
        folder.mkdir(exist_ok=True)
        (folder / "batch.json").write_text("{}")
    with pytest.raises(UserError, match="There is no batch"):
        find_folder(tmp_path / "batches", name)


@pytest.mark.parametrize("run_id", ["../../x", "/tmp/x", "a/b", ".."])
def test_a_record_with_a_run_that_leaves_its_folder_is_refused(tmp_path: Path, run_id: str) -> None:
    run = {
        "run_id": run_id,
        "model_id": "deepar",
        "recipe": "deepar",
        "kind": "forecast",
        "cutoff_date": "2026-10-31",
        "prediction_length": 4,
    }
    text = a_record().model_dump_json().replace('"runs":[]', f'"runs":[{run!r}]'.replace("'", '"'))
    (tmp_path / "batch.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read"):
        read_record(tmp_path)


# Files that appear whole


def test_the_temporary_file_follows_no_link_and_has_no_name_to_guess(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    out = tmp_path / "out" / "report.html"
    out.parent.mkdir()
    for name in (".report.html.part", ".report.html.0123456789abcdef.part"):
        (out.parent / name).symlink_to(victim)
    seen = set()
    for _ in range(3):
        with whole_file(out, shared=True) as part:
            seen.add(part)
            assert part.parent.stat().st_mode & 0o777 == 0o700
            assert final_path(part) == out
            part.write_text("page")
    assert len(seen) == 3
    assert victim.read_text() == "untouched"
    assert out.read_text() == "page"


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_written_through(
    tmp_path: Path,
) -> None:
    victim, out = tmp_path / "victim", tmp_path / "report.html"
    victim.write_text("untouched")
    out.symlink_to(victim)
    with whole_file(out) as part:
        part.write_text("page")
    assert victim.read_text() == "untouched"
    assert not out.is_symlink()


def test_a_folder_of_that_name_that_is_there_already_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0123456789abcdef")
    (tmp_path / ".a.0123456789abcdef.part").symlink_to(tmp_path)
    with pytest.raises(FileExistsError), whole_file(tmp_path / "a", shared=True) as part:
        part.write_text("x")


def test_what_killed_commands_left_goes_and_what_is_written_now_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for name in (".a.0123456789abcdef.part", ".a.fedcba9876543210.part", ".ab.0123.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("half")
    old = time.time() - 90_000
    os.utime(tmp_path / ".a.fedcba9876543210.part", (old, old))
    for shared, left in (
        (True, {".a.0123456789abcdef.part", ".ab.0123.part"}),
        (False, {".ab.0123.part"}),
    ):
        with whole_file(path, shared=shared) as part:
            part.write_text("whole")
        assert {each.name for each in tmp_path.iterdir()} == {"a", *left}
