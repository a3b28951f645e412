"""The error of the container contract."""

from __future__ import annotations


class ContractError(ValueError):
    """Data or settings that break DeepAR's contract."""
