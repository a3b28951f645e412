"""Which answers of a transform are refused, and that the message names the items."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError
from salescast.forecaster import UnusableOutput
from salescast.week.output_check import check_output, write_manifest
from support.answers import answer, write_lines

NOTHING = "Nothing was landed"


class Transform:
    """The manifest, the output and the checked forecasts of one transform, two weeks ahead."""

    def __init__(self, folder: Path) -> None:
        self.inference = folder / "inference.json"
        self.manifest = folder / "inference_items.parquet"
        self.output = folder / "inference.json.out"
        self.forecasts = folder / "forecasts.parquet"

    def ask(self, *items: str) -> None:
        write_lines(self.inference, [{"item_id": item_id, "target": [1]} for item_id in items])
        write_manifest(self.inference, self.manifest, config={})

    def check(self, lines: list[dict[str, Any]] | bytes) -> None:
        if isinstance(lines, bytes):
            self.output.write_bytes(lines)
        else:
            write_lines(self.output, lines)
        check_output(
            self.output, self.manifest, self.forecasts, prediction_length=2, config={"threads": 2}
        )

    def refused(self, lines: list[dict[str, Any]] | bytes) -> str:
        with pytest.raises(UnusableOutput) as caught:
            self.check(lines)
        assert NOTHING in str(caught.value)
        assert "--resume" in str(caught.value)
        assert str(self.output) in str(caught.value)
        assert not list(self.forecasts.parent.glob("*forecasts*"))
        return str(caught.value)


@pytest.fixture
def transform(tmp_path: Path) -> Transform:
    transform = Transform(tmp_path)
    transform.ask("1:a", "1:b")
    return transform


def encoded(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def test_a_sound_answer_is_kept_in_the_order_of_the_input(transform: Transform) -> None:
    transform.ask("2:z", "1:b", "1:a")
    transform.check([answer("2:z", 30), answer("1:b", 20), answer("1:a")])
    found = pq.read_table(transform.forecasts)
    assert found["item_id"].to_pylist() == ["2:z", "1:b", "1:a"]
    assert found["mean"].to_pylist() == [[30, 31], [20, 21], [10, 11]]
    assert found["quantiles"].to_pylist()[0][:2] == [[25, 26], [26, 27]]


@pytest.mark.parametrize("ending", [b"", b"\n\n"])
def test_the_last_line_may_end_without_a_break_or_with_two(
    transform: Transform, ending: bytes
) -> None:
    transform.check(encoded(answer("1:a"), answer("1:b")).strip() + ending)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([answer("1:a")], "no forecast: 1 series (1:b)"),
        ([], "no forecast: 2 series (1:a, 1:b)"),
        ([answer("1:a"), answer("1:b"), answer("1:b")], "more than one forecast: 1 series (1:b)"),
        ([answer("1:a"), answer("1:b"), answer("9:z")], "not asked for: 1 series (9:z)"),
        ([answer("1:a"), answer("1:b"), answer(None)], "without an item_id: 1 series (line 3)"),
        ([answer("1:b"), answer("1:a")], "in the order of the input: 2 series (1:b, 1:a)"),
        ([answer("1:a"), answer("1:b", mean=[1.0])], "each week of the horizon: 1 series (1:b)"),
        (
            [answer("1:a"), answer("1:b", quantiles={"0.4": [1.0, 2.0, 3.0]})],
            "each week of the horizon: 1 series (1:b)",
        ),
        ([answer("1:a", mean=["NaN", 1]), answer("1:b")], "not finite: 1 series (1:a)"),
        ([answer("1:a", mean=[float("nan"), 1]), answer("1:b")], "not finite: 1 series (1:a)"),
        ([answer("1:a", mean=[1, float("-inf")]), answer("1:b")], "not finite: 1 series (1:a)"),
        (
            [answer("1:a", quantiles={"0.7": ["Infinity", 1]}), answer("1:b")],
            "not finite: 1 series (1:a)",
        ),
        ([answer("1:a", mean=[None, 1]), answer("1:b")], "not finite: 1 series (1:a)"),
        ([answer("1:a", mean=["7.5", 1]), answer("1:b")], "not a number: 1 series (1:a)"),
        ([answer("1:a"), answer("1:b", mean=[True, 1])], "not a number: 1 series (1:b)"),
        (
            [answer("1:a", quantiles={"0.05": None}), answer("1:b")],
            "quantile or the mean is missing: 1 series (1:a)",
        ),
        ([answer("1:a", mean=5), answer("1:b")], "or the mean is missing: 1 series (1:a)"),
        (
            [answer("1:a", quantiles={"0.99": [90, 90]}), answer("1:b")],
            "a quantile that was not asked for, or one twice: 1 series (1:a)",
        ),
        (
            [answer("1:a"), answer("1:b", quantiles={"0.3": [8, 9], "0.4": [8, 8.99]})],
            "quantiles that cross: 1 series (1:b)",
        ),
        (
            b'{"item_id": "1:a"}\n{"item_id": "1:b"}\n',
            "quantile or the mean is missing: 2 series (1:a, 1:b)",
        ),
        (b"", "no forecast: 2 series (1:a, 1:b)"),
        (b"<html>\n", "not JSON, or cut: 1 series (line 1 for 1:a)"),
        (encoded(answer("1:a")) + b"[1]\n", "not JSON, or cut: 1 series (line 2 for 1:b)"),
        (encoded(answer("1:a"), answer("1:b"))[:-9], "or cut: 1 series (line 2 for 1:b)"),
        (encoded(answer("1:a"), answer("1:b")).replace(b"}}\n{", b"}}{"), "(line 1 for 1:a)"),
        (
            encoded(answer("1:a")) + b"x" * (40 << 20) + b"\n" + encoded(answer("1:b")),
            "Line 2 of the forecasts, for 1:b, is longer than 16 MiB",
        ),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_an_unsound_answer_names_the_items(
    transform: Transform, lines: list[dict[str, Any]] | bytes, message: str
) -> None:
    assert message in transform.refused(lines)


@pytest.mark.parametrize("lacks", ["file", "memory"])
def test_what_this_machine_lacks_is_no_fault_of_the_output(
    transform: Transform, lacks: str
) -> None:
    items = [f"1:{n}" for n in range(2000)]
    transform.ask(*items)
    if lacks != "file":
        write_lines(transform.output, map(answer, items))
    with pytest.raises(RunError, match="cannot be checked on this machine") as caught:
        check_output(
            transform.output,
            transform.manifest,
            transform.forecasts,
            prediction_length=2,
            config={"memory_limit": "1MB"} if lacks == "memory" else {},
        )
    assert not isinstance(caught.value, UnusableOutput)
    assert "--resume" in str(caught.value)


def test_only_the_first_items_of_a_problem_are_named(transform: Transform) -> None:
    items = [f"1:{n:02d}" for n in range(20)]
    transform.ask(*items)
    assert "no forecast: 19 series (1:01, 1:02, 1:03, 1:04, 1:05, …)" in transform.refused(
        [answer("1:00")]
    )
    two_swapped = [answer(item_id) for item_id in [*items[:8], "1:12", *items[9:12], "1:08"]]
    message = transform.refused(two_swapped + [answer(item_id) for item_id in items[13:]])
    assert "order of the input: 2 series (1:12, 1:08)" in message


def test_a_refusal_removes_what_an_earlier_output_left(transform: Transform) -> None:
    transform.check([answer("1:a"), answer("1:b")])
    transform.refused([answer("1:a")])


def test_quantiles_may_be_equal_and_fall_by_no_more_than_rounding(transform: Transform) -> None:
    equal = answer("1:b", quantiles={"0.3": [8, 9], "0.4": [8, 9 - 1e-7]})
    transform.check([answer("1:a"), equal])


def test_many_lines_are_numbered_in_their_order(transform: Transform) -> None:
    items = [f"{n}:x" for n in range(30_000)]
    transform.ask(*items)
    lines = [answer(item_id) for item_id in items]
    transform.check(lines)
    lines[20_000], lines[20_001] = lines[20_001], lines[20_000]
    assert "2 series (20001:x, 20000:x)" in transform.refused(lines)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace('"1:b"', '"1:a"'), "more than one inference record.*1:a"),
        (lambda text: text.replace('"item_id": "1:b", ', ""), "without an item_id.*line 2"),
        (lambda text: text[:-6], "cannot be read"),
    ],
)
def test_inference_records_without_clear_items_are_refused(
    transform: Transform, spoil: Callable[[str], str], message: str
) -> None:
    transform.inference.write_text(spoil(transform.inference.read_text()))
    with pytest.raises(RunError, match=message):
        write_manifest(transform.inference, transform.manifest, config={})
