"""Which program an image stands for."""

from __future__ import annotations

import re

_ECR = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<rest>.+)")
_BUILT_IN = "forecasting-deepar"


def is_built_in(image: str) -> bool:
    """Whether it is AWS's own DeepAR; any other image is taken for ours."""
    found = _ECR.fullmatch(image)
    return found is not None and found["rest"].partition(":")[0] == _BUILT_IN


def region_of(image: str) -> str | None:
    """The region of an image in ECR; None for one that is elsewhere."""
    found = _ECR.fullmatch(image)
    return found["region"] if found else None
