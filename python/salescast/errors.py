"""Errors that a person can act on: what is wrong, where, and what to do."""

from __future__ import annotations


class SalescastError(Exception):
    """A problem told to the user as what, where and what to do."""

    exit_code = 1

    def __init__(self, what: str, where: str | None = None, fix: str | None = None) -> None:
        """Keep the three parts.

        Args:
            what: What is wrong, in one sentence.
            where: File, table, row or setting concerned.
            fix: What the user can do about it.
        """
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        """The parts that are present, one a line."""
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class UserError(SalescastError):
    """Wrong use or bad input; the command ends with exit code 2."""

    exit_code = 2


class Taken(Exception):
    """A conditional write met an object that is not as it was expected; the caller tells why."""


class RunError(SalescastError):
    """An operation that failed although its input was accepted; exit code 1."""

    exit_code = 1
