"""Records are read strictly and refused by file, line and field."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescast.container.checks import (
    check_inference_file,
    check_training_file,
    check_training_records,
)
from salescast.container.errors import ContractError
from salescast.container.records import data_files, parse_json_object, parse_record, read_records

from .lines import Lines, make_lines, write_lines

GOOD: dict[str, Any] = {"start": "2024-01-05 00:00:00", "target": [1, None, "NaN", 2.5]}


def test_missing_values_are_null_or_the_text_nan() -> None:
    record = parse_record(GOOD, "f line 1")
    np.testing.assert_array_equal(record.target, [1.0, math.nan, math.nan, 2.5])
    assert record.n_observed == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "2024-01-05"}, "start"),
        ({"start": "2024-01-05T00:00:00"}, "start"),
        ({"start": "2024-13-05 00:00:00"}, "start .* is not a date"),
        ({"start": 5}, "start"),
        ({"target": 5}, "target"),
        ({"target": [1, "2"]}, r"target\[1\]"),
        ({"target": [1, True]}, r"target\[1\]"),
        ({"target": [1e308 * 10]}, r"target\[0\] is not a finite"),
        ({"target": [10**400]}, "target holds a number that is too large"),
        ({"cat": []}, "cat"),
        ({"cat": 3}, "cat"),
        ({"cat": [1, 2.0]}, r"cat\[1\]"),
        ({"cat": [-1]}, r"cat\[0\]"),
        ({"cat": [True]}, r"cat\[0\]"),
        ({"dynamic_feat": [1, 2]}, "dynamic_feat"),
        ({"dynamic_feat": [[1, 2], [1]]}, r"dynamic_feat\[1\] has 1"),
        ({"dynamic_feat": [[1, None, 3, 4]]}, r"dynamic_feat\[0\]\[1\]"),
        ({"dynamic_feat": [[1, "NaN", 3, 4]]}, r"dynamic_feat\[0\]\[1\]"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=f"^f line 7: {message}"):
        parse_record({**GOOD, **change}, "f line 7")


@pytest.mark.parametrize("name", ["start", "target"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ContractError, match=f"{name} is missing"):
        parse_record({key: value for key, value in GOOD.items() if key != name}, "f line 1")


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1, "a": 2}', b"\xff"]
)
def test_a_line_that_is_no_strict_json_is_refused(line: bytes) -> None:
    with pytest.raises(ContractError, match=r"^f line 3: "):
        parse_json_object(line, "f line 3")


@given(
    st.dictionaries(
        st.sampled_from(["start", "target", "cat", "dynamic_feat", "item_id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=4),
            max_leaves=8,
        ),
    )
)
def test_any_object_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        record = parse_record(fields, "f line 1")
    except ContractError as error:
        assert str(error).startswith("f line 1: ")
    else:
        assert record.target.ndim == 1


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.randoms(use_true_random=False),
)
def test_reading_gives_back_what_was_written(values: list[float | None], _: object) -> None:
    line = json.dumps({**GOOD, "target": values}).encode()
    record = parse_record(parse_json_object(line, "f"), "f")
    read = [None if math.isnan(value) else value for value in record.target]
    assert read == values


def test_the_content_hash_knows_no_spelling() -> None:
    one = parse_record({**GOOD, "target": [1, None, 0], "item_id": "a"}, "f line 1")
    same = parse_record({**GOOD, "target": [1.0, "NaN", -0.0], "item_id": "b"}, "g line 2")
    other = parse_record({**GOOD, "target": [1, 0, None]}, "f line 1")
    assert one.content_hash() == same.content_hash()
    assert one.content_hash() != other.content_hash()


def test_folders_are_read_in_depth_without_hidden_files(tmp_path: Path) -> None:
    write_lines(tmp_path / "b" / "deep" / "part.json", [GOOD])
    write_lines(tmp_path / "a.json", [GOOD])
    for name in (".hidden.json", "_SUCCESS", ".tmp/part.json"):
        write_lines(tmp_path / name, [{"not": "read"}])
    assert [path.name for path in data_files([tmp_path])] == ["a.json", "part.json"]
    assert len(read_records([tmp_path])) == 2


def test_the_three_formats_hold_the_same_records(tmp_path: Path) -> None:
    lines = make_lines(3)
    plain = write_lines(tmp_path / "part.json", lines)
    zipped = tmp_path / "part.json.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    rows = [
        {**line, "target": [math.nan if v is None else v for v in line["target"]]} for line in lines
    ]
    for row in rows:
        row["start"] = dt.datetime.fromisoformat(row["start"])
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part.parquet")
    hashes = [
        [record.content_hash() for record in read_records([path])]
        for path in (plain, zipped, tmp_path / "part.parquet")
    ]
    assert hashes[0] == hashes[1] == hashes[2]


def test_a_file_of_another_kind_is_refused_unless_the_channel_says_json(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "part.jsonl", [GOOD])
    with pytest.raises(ContractError, match=r"part\.jsonl"):
        read_records([path])
    assert len(read_records([path], content_type="application/jsonlines")) == 1


def test_a_broken_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "part.json.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode() * 50)[:-12])
    with pytest.raises(ContractError, match=r"part\.json\.gz"):
        read_records([path])


def _set(**fields: Any) -> Callable[[Lines], None]:
    return lambda lines: lines[3].update(fields)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_set(cat=[0]), r"train\.json line 4: cat has 1 values"),
        (_set(cat=[0, 7]), r"did not contain examples for all categories of cat\[1\]: 6 "),
        (_set(dynamic_feat=[]), r"train\.json line 4: dynamic_feat has 0 features"),
        (_set(dynamic_feat=[[0.5] * 39]), r"line 4: dynamic_feat has 39 steps, must be 40"),
        (_set(dynamic_feat=[[0.5] * 43]), r"line 4: dynamic_feat has 43 steps, must be 40"),
        (_set(start="2024-01-06 00:00:00"), r"line 4: start 2024-01-06 is a Saturday"),
        (_set(item_id="a"), r"line 4: unexpected field item_id"),
        (_set(target=[None] * 40), r"line 4: target has no observation"),
        (_set(target=[0] * 40), r"line 4: target consists of only zeros"),
        (_set(target=[1, 2]), r"line 4: target has 2 points, fewer than prediction_length 3"),
    ],
)
def test_a_bad_training_file_is_refused(
    tmp_path: Path, break_it: Callable[[Lines], None], message: str
) -> None:
    lines = make_lines()
    break_it(lines)
    path = write_lines(tmp_path / "train.json", lines)
    with pytest.raises(ContractError, match=message):
        check_training_file(path, prediction_length=3)


def test_a_good_training_file_is_summed_up(tmp_path: Path) -> None:
    summary = check_training_file(
        write_lines(tmp_path / "train.json", make_lines()), prediction_length=3
    )
    assert (summary.n_series, summary.n_points, summary.n_observed) == (12, 480, 468)
    assert (summary.cardinality, summary.num_dynamic_feat, summary.weekday) == ((2, 6), 1, 4)


def test_nulls_do_not_count_to_the_300_observations(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.json", make_lines(n_series=10, n_weeks=30))
    with pytest.raises(ContractError, match=r"290 observations .* at least 300"):
        check_training_file(path, prediction_length=3)


def test_a_code_that_only_a_short_series_has_is_missing(tmp_path: Path) -> None:
    lines = make_lines()
    for line in lines[10:]:
        line["target"] = line["target"][-2:]
        line["dynamic_feat"] = [line["dynamic_feat"][0][-2:]]
    path = write_lines(tmp_path / "train.json", lines[:11])
    with pytest.raises(ContractError, match=r"train: .*cat\[1\]|cat\[1\] is 5"):
        check_training_records(read_records([path]), prediction_length=3, cardinality=(2, 6))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cardinality": (2, 7)}, "6 is missing of 0..6"),
        ({"cardinality": (2, 5)}, r"cat\[1\] is 5, cardinality is 5"),
        ({"cardinality": (2,)}, "cardinality has 1 entries"),
        ({"num_dynamic_feat": 2}, "num_dynamic_feat is 2, records have 1"),
    ],
)
def test_explicit_sizes_are_held_against_the_records(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    path = write_lines(tmp_path / "train.json", make_lines())
    with pytest.raises(ContractError, match=message):
        check_training_file(path, prediction_length=3, **settings)


def _inference_lines() -> Lines:
    return [{"item_id": f"1:{number}", **line} for number, line in enumerate(make_lines(future=3))]


def test_a_good_inference_file_passes(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "inference.json", _inference_lines())
    summary = check_inference_file(path, 3, cardinality=(2, 6), num_dynamic_feat=1, weekday=4)
    assert summary.n_series == 12


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_set(dynamic_feat=[[0.5] * 40]), r"line 4: dynamic_feat has 40 steps, must be 43"),
        (_set(target=[None] * 40), "line 4: target has no observation"),
        (_set(cat=[2, 0]), r"line 4: cat\[0\] is 2, the model knows 0\.\.1"),
        (_set(item_id="1:0"), r"line 4: item_id '1:0' is that of inference\.json line 1 too"),
        (_set(item_id=5), "line 4: item_id must be text"),
        (_set(store="5"), "line 4: unexpected field store"),
    ],
)
def test_a_bad_inference_file_is_refused(
    tmp_path: Path, break_it: Callable[[Lines], None], message: str
) -> None:
    lines = _inference_lines()
    break_it(lines)
    path = write_lines(tmp_path / "inference.json", lines)
    with pytest.raises(ContractError, match=message):
        check_inference_file(path, 3, cardinality=(2, 6), num_dynamic_feat=1, weekday=4)


def test_a_line_above_the_payload_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "inference.json", _inference_lines())
    with pytest.raises(ContractError, match=r"line 1: .* a transform job takes 500"):
        check_inference_file(path, 3, max_line_bytes=500)
