"""Files on S3: exact prefixes, parts of whole lines, outputs joined only if they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.forecaster import UnusableOutput
from salescast.forecaster.sagemaker.staging import (
    LARGEST_PART,
    join_output,
    n_parts,
    put_exactly,
    split_lines,
)
from support.s3_server import S3Server, Wire


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("lines", [["a"], ["a" * 50, "b", "c"], [str(k) * k for k in range(1, 30)]])
def test_parts_are_whole_lines_in_order(tmp_path: Path, n: int, lines: list[str]) -> None:
    path = tmp_path / "inference.json"
    path.write_text("".join(f"{line}\n" for line in lines))
    parts = split_lines(path, n, tmp_path / "parts")
    assert 1 <= len(parts) <= min(n, len(lines))
    assert list(parts) == [f"part-{k:04d}.json" for k in range(len(parts))]
    texts = [part.read_text() for part in parts.values()]
    assert all(text.endswith("\n") for text in texts)
    assert "".join(texts) == path.read_text()


def test_parts_are_of_about_the_same_size_and_of_this_split_only(tmp_path: Path) -> None:
    path = tmp_path / "inference.json"
    path.write_text("".join(f"{k:09d}\n" for k in range(1000)))
    split_lines(path, 5, tmp_path / "parts")
    parts = split_lines(path, 3, tmp_path / "parts")
    assert sorted(each.name for each in (tmp_path / "parts").iterdir()) == sorted(parts)
    sizes = [part.stat().st_size for part in parts.values()]
    assert max(sizes) - min(sizes) <= 10


def test_no_part_is_larger_than_s3_takes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "inference.json"
    path.write_text("line\n")
    assert [n_parts(path, machines) for machines in (1, 3)] == [1, 3]
    # Without a byte of it on the disk.
    with path.open("r+b") as file:
        file.truncate(7 * LARGEST_PART + 1)
    assert [n_parts(path, machines) for machines in (1, 3, 20)] == [8, 8, 20]


def test_a_prefix_holds_the_input_and_nothing_else(s3_server: S3Server, tmp_path: Path) -> None:
    prefix = s3_server.prefix()
    files = {name: tmp_path / name for name in ("part-0000.json", "part-0001.json")}
    for path in files.values():
        path.write_text(path.name)
    prefix.write("part-0002.json", b"left over")
    put_exactly(prefix, files)
    assert prefix.sizes("") == dict.fromkeys(files, len("part-0000.json"))
    prefix.s3.delete_object(Bucket=prefix.bucket, Key=f"{prefix.key}/part-0001.json")
    put_exactly(prefix, files)
    assert sorted(prefix.sizes("")) == sorted(files)
    files["part-0000.json"].write_text("of another length")
    put_exactly(prefix, files)
    assert prefix.sizes("")["part-0000.json"] == len("of another length")


def test_what_is_in_place_is_replaced_and_never_gone(s3_server: S3Server, tmp_path: Path) -> None:
    prefix = s3_server.prefix()
    path = tmp_path / "part-0000.json"
    path.write_text("lines")
    put_exactly(prefix, {path.name: path})
    path.write_text("other")
    # A job that a killed command started may be reading it.
    wire = Wire(prefix.s3)
    put_exactly(prefix, {path.name: path})
    assert wire.sent == ["GET", "PUT"]
    stored = prefix.read(path.name)
    assert stored is not None
    assert stored.body == b"other"


def test_outputs_are_joined_in_the_order_of_the_inputs(s3_server: S3Server, tmp_path: Path) -> None:
    prefix = s3_server.prefix()
    # AWS does not say whether folders of the input are kept in the output.
    prefix.write("input/part-0001.json.out", b"c")
    prefix.write("part-0000.json.out", b"a\nb\n")
    to = tmp_path / "output" / "inference.json.out"
    join_output(prefix, ["part-0001.json", "part-0000.json"], to)
    assert to.read_text() == "a\nb\nc\n"
    assert [path.name for path in to.parent.iterdir()] == [to.name]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (["part-0000.json", "part-0001.json"], "1 outputs for 2 inputs"),
        ([], "1 outputs for 0 inputs"),
    ],
)
def test_an_output_without_its_input_or_the_reverse_is_not_taken(
    s3_server: S3Server, tmp_path: Path, inputs: list[str], told: str
) -> None:
    prefix = s3_server.prefix()
    prefix.write("part-0000.json.out", b"a\nb\n")
    to = tmp_path / "output" / "inference.json.out"
    with pytest.raises(UnusableOutput, match=told) as caught:
        join_output(prefix, inputs, to)
    assert "--resume" in str(caught.value)
    assert not to.exists()
