"""Hyperparameters as the texts that a job gets: how they are read, and those of every algorithm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from salescast.container.errors import ContractError

TIME_FREQ = re.compile(r"^\s*([1-9]\d*)?(M|W|D|H|min)\s*$")
TEST_QUANTILES = tuple(q / 10 for q in range(1, 10))


@dataclass(frozen=True)
class Setting:
    """One setting of a training job.

    Attributes:
        read: Turns the text of the setting into its value; raises ValueError with what is expected.
        default: Text that applies when the setting is absent; None if it must be given.
        meaning: What the setting does, in one line.
    """

    read: Callable[[str], Any]
    default: str | None
    meaning: str


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """Reads an integer from low to high, both allowed."""
    expected = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text):
            raise ValueError(f"must be {expected}")
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(f"must be {expected}")
        return value

    return read


def rate(low: float, high: float, *, low_open: bool) -> Callable[[str], float]:
    """Reads a number from low, allowed unless `low_open`, up to high, which is not allowed."""
    expected = f"a number in {'(' if low_open else '['}{low:g}, {high:g})"

    def read(text: str) -> float:
        value = _number(text, expected)
        if not (low < value if low_open else low <= value) or value >= high:
            raise ValueError(f"must be {expected}")
        return value

    return read


def _number(text: str, expected: str) -> float:
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
        raise ValueError(f"must be {expected}")
    return float(text)


def choice(*choices: str) -> Callable[[str], str]:
    """Reads one of some words, however they are capitalised."""
    by_lower = {word.lower(): word for word in choices}

    def read(text: str) -> str:
        value = by_lower.get(text.strip().lower())
        if value is None:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return read


def flag(text: str) -> bool:
    """Read true or false."""
    value = {"true": True, "false": False}.get(text.strip().lower())
    if value is None:
        raise ValueError("must be true or false")
    return value


def _time_freq(text: str) -> str:
    match = TIME_FREQ.match(text)
    if match is None:
        raise ValueError("must be an optional positive integer followed by M, W, D, H or min")
    multiple = match.group(1) or ""
    return f"{'' if multiple == '1' else multiple}{match.group(2)}"


def _json_list(text: str, expected: str) -> list[Any]:
    try:
        values = json.loads(text)
    except ValueError:
        raise ValueError(f"must be {expected}") from None
    if not isinstance(values, list) or not values:
        raise ValueError(f"must be {expected}")
    return values


def integers(expected: str) -> Callable[[str], tuple[int, ...]]:
    """Reads a JSON array of positive integers; `expected` is told when it is none."""

    def read(text: str) -> tuple[int, ...]:
        values = _json_list(text, expected)
        if any(type(value) is not int or value < 1 for value in values):
            raise ValueError(f"must be {expected}")
        return tuple(values)

    return read


def _cardinality(text: str) -> str | tuple[int, ...]:
    word = text.strip().lower()
    if word in ("auto", "ignore", ""):
        return word or "ignore"
    expected = 'auto, ignore, "" or a JSON array of positive integers such as [12, 340]'
    return integers(expected)(text)


def _num_dynamic_feat(text: str) -> str | int:
    word = text.strip().lower()
    if word in ("auto", "ignore", ""):
        return word or "ignore"
    try:
        return integer(1)(text)
    except ValueError:
        raise ValueError('must be auto, ignore, "" or an integer >= 1') from None


def _quantiles(text: str) -> tuple[float, ...]:
    expected = "a JSON array of numbers in (0, 1)"
    values = _json_list(text, expected)
    if any(type(value) not in (int, float) or not 0 < value < 1 for value in values):
        raise ValueError(f"must be {expected}")
    return tuple(float(value) for value in values)


def optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Reads "auto" as None besides what `read` takes."""

    def read_optional(text: str) -> Any:
        if text.strip().lower() == "auto":
            return None
        try:
            return read(text)
        except ValueError as error:
            raise ValueError(f"{error} (or auto)") from None

    return read_optional


DATA_HYPERPARAMETERS: dict[str, Setting] = {
    "time_freq": Setting(_time_freq, None, "granularity of the series"),
    "prediction_length": Setting(integer(1), None, "steps to forecast"),
    "cardinality": Setting(_cardinality, "auto", "use and sizes of cat"),
    "num_dynamic_feat": Setting(_num_dynamic_feat, "auto", "use and number of dynamic_feat"),
    "num_eval_samples": Setting(integer(1), "100", "sample paths for the test metrics"),
    "test_quantiles": Setting(
        _quantiles, json.dumps(TEST_QUANTILES), "quantiles scored on the test channel"
    ),
}
"""What every algorithm takes: how its records are checked and its test channel is scored."""


class DataHyperparameters(Protocol):
    """The values of DATA_HYPERPARAMETERS, beside which an algorithm has its own."""

    @property
    def time_freq(self) -> str:
        """Frequency of the series."""

    @property
    def prediction_length(self) -> int:
        """Steps to forecast."""

    @property
    def cardinality(self) -> str | tuple[int, ...]:
        """Sizes of cat; auto or ignore."""

    @property
    def num_dynamic_feat(self) -> str | int:
        """Number of dynamic_feat; auto or ignore."""

    @property
    def num_eval_samples(self) -> int:
        """Sample paths for the test metrics."""

    @property
    def test_quantiles(self) -> tuple[float, ...]:
        """Levels that are scored on the test channel."""


def read_texts(
    raw: Mapping[str, object], known: Mapping[str, Setting], algorithm: str
) -> dict[str, Any]:
    """Read the hyperparameters of a job as the container gets them, all values strings.

    Args:
        raw: The job's hyperparameters.
        known: What the algorithm takes.
        algorithm: What takes them, for the message about one that is not known.

    Raises:
        ContractError: Names every setting that is missing, unknown, of the wrong type or out of
            range.
    """
    problems = [
        f"{name} is not a hyperparameter of {algorithm}" for name in raw if name not in known
    ]
    values: dict[str, Any] = {}
    for name, setting in known.items():
        text = raw.get(name, setting.default)
        if text is None and name not in raw:
            problems.append(f"{name} is required")
        elif not isinstance(text, str):
            problems.append(f"{name} must be given as a string, not {text!r}")
        else:
            try:
                values[name] = setting.read(text)
            except ValueError as error:
                problems.append(f"{name} {error}, not {text!r}")
    if problems:
        raise ContractError(f"hyperparameters: {'; '.join(problems)}")
    return values


def to_strings(settings: Mapping[str, object]) -> dict[str, str]:
    """Write settings as the strings that a training job takes; lists become JSON."""
    return {name: _to_string(value) for name, value in settings.items()}


def validated_texts(
    hyperparameters: Mapping[str, object],
    extensions: Mapping[str, object] | None,
    settings: Mapping[str, Setting],
    algorithm: str,
) -> dict[str, str]:
    """Check settings of an algorithm without extensions; returns them as the job's strings.

    Args:
        hyperparameters: All settings; values may be strings or plain values.
        extensions: Must be empty: every setting is this program's own.
        settings: What is allowed.
        algorithm: Its name, for the message.

    Raises:
        ContractError: Names every setting that is wrong.
    """
    if extensions:
        names = ", ".join(extensions)
        raise ContractError(f"extensions: {names}: {algorithm} has hyperparameters only")
    texts = to_strings(hyperparameters)
    read_texts(texts, settings, algorithm)
    return texts


def _to_string(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value)
