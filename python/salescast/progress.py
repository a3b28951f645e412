"""Whom a command tells how it goes on."""

from __future__ import annotations

from typing import Protocol


class CommandProgress(Protocol):
    """Told how a command goes on, and asked what only a person can decide."""

    def say(self, text: str) -> None:
        """Take a line that stays."""

    def update(self, text: str) -> None:
        """Take the state of long work; it replaces the one before."""

    def confirm(self, question: str) -> bool:
        """Answer a question; no if nobody is there."""


class SilentProgress:
    """Nobody looks on: nothing is told, and each answer is no."""

    def say(self, text: str) -> None:
        """Tell nobody."""

    def update(self, text: str) -> None:
        """Tell nobody."""

    def confirm(self, question: str) -> bool:
        """Say no."""
        return False


SILENT = SilentProgress()
