"""The error of the container contract."""

from __future__ import annotations

NO_MODEL = "not a model of this program"
"""What is said of files that should be a model, and that nobody can mend."""


class ContractError(ValueError):
    """Data or settings that break DeepAR's contract."""
