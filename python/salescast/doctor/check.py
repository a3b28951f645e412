"""A check, what it may find, and a list of them carried out so that none hides another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from salescast.errors import SalescastError


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Outcome:
    """What a check found, and what to do about it if there is something to do."""

    state: State
    found: str
    fix: str | None = None


def ok(found: str) -> Outcome:
    """Everything is as it should be."""
    return Outcome(State.OK, found)


def warning(found: str, fix: str) -> Outcome:
    """Work is possible, but somebody should look at this."""
    return Outcome(State.WARNING, found, fix)


def failed(found: str, fix: str | None) -> Outcome:
    """Work is not possible like this."""
    return Outcome(State.FAILED, found, fix)


def not_checked(found: str, fix: str | None = None) -> Outcome:
    """Nobody knows."""
    return Outcome(State.NOT_CHECKED, found, fix)


def failed_with(*errors: SalescastError) -> Outcome:
    """The outcome of errors that a check met, in one."""
    told = [f"{each.what} ({each.where})" if each.where else each.what for each in errors]
    fixes = dict.fromkeys(each.fix for each in errors if each.fix)
    return failed("; ".join(told), " ".join(fixes) or None)


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Args:
        name: What it is called in the output.
        look: Looks; an error that it raises is a failure.
        needs: Names of earlier checks without which this one makes no sense.
    """

    name: str
    look: Callable[[], Outcome]
    needs: Sequence[str] = ()


def carry_out(checks: Sequence[Check]) -> Iterator[tuple[str, Outcome]]:
    """Look at each, in order; what needs a check that failed is not looked at.

    Yields:
        Name and outcome of each check, as soon as it is known.
    """
    broken: set[str] = set()
    for check in checks:
        if missing := [need for need in check.needs if need in broken]:
            broken.add(check.name)
            yield check.name, not_checked(f"needs {' and '.join(missing)}")
            continue
        outcome = _looked_at(check)
        if outcome.state is State.FAILED:
            broken.add(check.name)
        yield check.name, outcome


def _looked_at(check: Check) -> Outcome:
    try:
        return check.look()
    except SalescastError as error:
        return failed_with(error)
    except Exception as error:
        # A fault of a check is told like any other, so that the checks after it are carried out.
        return failed(
            f"unexpected {type(error).__name__}: {error}",
            "Report it as a fault of salescast doctor, with these words.",
        )
