"""Artifacts, inference configuration and failures."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from salescast.container.errors import ContractError
from salescast.container.inference import InferenceConfig, parse_inference_config
from salescast.container.packing import pack_model, unpack_model
from salescast.container.paths import ContainerPaths, write_failure


def test_a_model_survives_packing(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    (model / "a.json").write_text("{}")
    (model / "deep" / "b.npz").write_bytes(b"\x00\x01")
    pack_model(model, tmp_path / "out" / "model.tar.gz")
    unpack_model(tmp_path / "out" / "model.tar.gz", tmp_path / "again")
    assert (tmp_path / "again" / "a.json").read_text() == "{}"
    assert (tmp_path / "again" / "deep" / "b.npz").read_bytes() == b"\x00\x01"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.tar.gz"]


def test_the_same_model_packs_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text("{}")
        pack_model(tmp_path / name, tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


@pytest.mark.parametrize("name", ["../outside.json", "/tmp/outside.json"])
def test_a_member_never_lands_outside_the_folder(tmp_path: Path, name: str) -> None:
    tar_path = tmp_path / "model.tar.gz"
    with tarfile.open(tar_path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    target = tmp_path / "deep" / "model"
    if name.startswith("/"):
        unpack_model(tar_path, target)
        assert (target / name.lstrip("/")).exists()
    else:
        with pytest.raises(ContractError, match=r"model\.tar\.gz"):
            unpack_model(tar_path, target)
    assert not (tmp_path / "deep" / "outside.json").exists()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    tar_path = tmp_path / "model.tar.gz"
    with tarfile.open(tar_path, "w:gz") as archive:
        member = tarfile.TarInfo("a.json")
        member.type = tarfile.SYMTYPE
        member.linkname = "../../secret"
        archive.addfile(member)
    with pytest.raises(ContractError, match=r"model\.tar\.gz"):
        unpack_model(tar_path, tmp_path / "model")


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ContractError, match=r"model\.tar\.gz"):
        unpack_model(tmp_path / "model.tar.gz", tmp_path / "model")


def test_the_documented_defaults_apply_to_what_is_absent() -> None:
    default = InferenceConfig(
        100, ("mean", "quantiles"), tuple(f"0.{digit}" for digit in range(1, 10))
    )
    assert parse_inference_config(None) == default
    assert parse_inference_config('{"num_samples": 7}').num_samples == 7
    assert parse_inference_config('{"num_samples": 7}').quantiles == default.quantiles


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Error when parsing json"),
        ("[]", "must be a JSON object"),
        ('{"num_samples": 0}', "num_samples"),
        ('{"num_samples": "5"}', "num_samples"),
        ('{"output_types": ["median"]}', "output_types"),
        ('{"output_types": []}', "output_types"),
        ('{"quantiles": [0.5]}', "quantiles"),
        ('{"quantiles": ["1"]}', "quantiles"),
        ('{"quantiles": ["nan"]}', "quantiles"),
        ('{"seed": 1}', "seed is not a key"),
    ],
)
def test_a_bad_inference_configuration_is_refused(text: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        parse_inference_config(text)


def test_a_failure_with_half_a_character_is_written(tmp_path: Path) -> None:
    write_failure(tmp_path / "failure", "ClientError", "field \ud800")
    text = (tmp_path / "failure").read_text(encoding="utf-8")
    assert text == r"ClientError: field \ud800"


def test_a_failure_is_one_paragraph_of_bounded_length(tmp_path: Path) -> None:
    path = tmp_path / "output" / "failure"
    write_failure(path, "ClientError", "one\n two " + "x" * 5000)
    text = path.read_text()
    assert text.startswith("ClientError: one two xxx")
    assert len(text) == 1024


def test_a_channel_that_deepar_does_not_take_is_named(tmp_path: Path) -> None:
    paths = ContainerPaths(tmp_path)
    paths.input_data_config.parent.mkdir(parents=True)
    paths.input_data_config.write_text(
        json.dumps({"train": {"ContentType": "json"}, "validation": {}})
    )
    with pytest.raises(ContractError, match="channel validation"):
        paths.content_type("train")
    paths.input_data_config.write_text(json.dumps({"train": {"ContentType": "json"}}))
    assert paths.content_type("train") == "json"
    assert paths.content_type("test") is None
