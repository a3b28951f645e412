"""Names, types and ranges of the hyperparameters of MSTL with ETS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from salescast.container.hyperparameters import (
    DATA_HYPERPARAMETERS,
    Setting,
    integer,
    read_texts,
    validated_texts,
)

NAME = "mstl_ets"


def _odd(low: int) -> Callable[[str], int]:
    expected = f"an odd integer >= {low}"

    def read(text: str) -> int:
        try:
            value = integer(low)(text)
        except ValueError:
            raise ValueError(f"must be {expected}") from None
        if value % 2 == 0:
            raise ValueError(f"must be {expected}")
        return value

    return read


HYPERPARAMETERS: dict[str, Setting] = {
    **DATA_HYPERPARAMETERS,
    "season_length": Setting(integer(2, 1000), "52", "points a season"),
    "seasonal_window": Setting(_odd(3), "11", "seasons that the seasonal smoother looks at"),
}


@dataclass(frozen=True)
class Hyperparameters:
    """Checked settings of one job."""

    time_freq: str
    prediction_length: int
    cardinality: str | tuple[int, ...]
    num_dynamic_feat: str | int
    num_eval_samples: int
    test_quantiles: tuple[float, ...]
    season_length: int
    seasonal_window: int


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Read the hyperparameters of a job as the container gets them, all values strings.

    Raises:
        ContractError: Names every setting that is missing, unknown, of the wrong type or out of
            range.
    """
    return Hyperparameters(**read_texts(raw, HYPERPARAMETERS, NAME))


def validate_hyperparameters(
    hyperparameters: Mapping[str, object], extensions: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Check settings before a job starts and return them as the job's strings.

    Raises:
        ContractError: Names every setting that is wrong.
    """
    return validated_texts(hyperparameters, extensions, HYPERPARAMETERS, NAME)
