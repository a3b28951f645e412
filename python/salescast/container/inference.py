"""What a forecast should hold: DEEPAR_INFERENCE_CONFIG, or the configuration of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salescast.container.errors import ContractError

OUTPUT_TYPES = ("mean", "quantiles", "samples")

# A request decides them: paths beyond need memory that the other requests of the server lack.
MAX_SAMPLES = 10_000
MAX_QUANTILES = 1_000


@dataclass(frozen=True)
class InferenceConfig:
    """What a forecast should hold.

    Attributes:
        num_samples: Sample paths a series.
        output_types: Of mean, quantiles and samples, those wanted.
        quantiles: Levels as the texts that become the keys of the answer.
    """

    num_samples: int = 100
    output_types: tuple[str, ...] = ("mean", "quantiles")
    quantiles: tuple[str, ...] = tuple(f"0.{q}" for q in range(1, 10))

    @property
    def levels(self) -> list[float]:
        """The levels of the quantiles as numbers."""
        return [float(text) for text in self.quantiles]


def parse_inference_config(text: str | None) -> InferenceConfig:
    """Read DEEPAR_INFERENCE_CONFIG; keys that are absent keep their documented default.

    Raises:
        ContractError: Names every key that is unknown or wrong.
    """
    if text is None or not text.strip():
        return InferenceConfig()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"DEEPAR_INFERENCE_CONFIG: Error when parsing json: {error}") from None
    if not isinstance(value, dict):
        raise ContractError("DEEPAR_INFERENCE_CONFIG: must be a JSON object")
    return inference_config(value)


def inference_config(value: Mapping[str, Any]) -> InferenceConfig:
    """Check a configuration object, as a request or the environment gives it."""
    default = InferenceConfig()
    problems = [
        f"{name} is not a key of the configuration"
        for name in value
        if name not in ("num_samples", "output_types", "quantiles")
    ]
    num_samples = value.get("num_samples", default.num_samples)
    if type(num_samples) is not int or not 1 <= num_samples <= MAX_SAMPLES:
        problems.append(
            f"num_samples must be an integer from 1 to {MAX_SAMPLES}, not {num_samples!r:.20}"
        )
    output_types = value.get("output_types", list(default.output_types))
    if (
        not isinstance(output_types, list)
        or not output_types
        or any(kind not in OUTPUT_TYPES for kind in output_types)
    ):
        problems.append(f"output_types must be a list of {', '.join(OUTPUT_TYPES)}")
    quantiles = value.get("quantiles", list(default.quantiles))
    if isinstance(quantiles, list) and len(quantiles) > MAX_QUANTILES:
        problems.append(f"quantiles must be {MAX_QUANTILES} at most, not {len(quantiles)}")
    elif not isinstance(quantiles, list) or not all(map(_is_quantile, quantiles)):
        problems.append('quantiles must be a list of texts between "0" and "1", such as "0.5"')
    if problems:
        raise ContractError(f"inference configuration: {'; '.join(problems)}")
    return InferenceConfig(num_samples, tuple(output_types), tuple(quantiles))


def _is_quantile(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return 0 < float(value) < 1
    except ValueError:
        return False
