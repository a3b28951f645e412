"""The champion: the model that is shown first, and that `--model champion` stands for.

The lake's table `champions` keeps each choice with its reason. Going back appends a row too, so
the table tells everything that ever was chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from salescast.errors import UserError
from salescast.lake import Lake, utc_naive
from salescast.lake.trained_models import read_trained_model
from salescast.recipes import Model
from salescast.recipes.catalogue import BLEND, CHAMPION, DEEPAR

_TABLE = "champions"


@dataclass(frozen=True)
class Champion:
    """One choice.

    Attributes:
        model_id: Model of `models.toml`.
        trained_model_id: The artifact that its runs use; None where each run trains anew.
        action: How it came to be.
        reason: Why, in the words of whoever chose it.
        set_at: When, UTC; None for the champion of a lake in which none was ever chosen.
    """

    model_id: str
    trained_model_id: str | None
    action: Literal["set", "rollback"]
    reason: str | None
    set_at: datetime | None


def read_history(lake: Lake) -> list[Champion]:
    """All choices, oldest first."""
    rows = sorted(lake.read(_TABLE).to_pylist(), key=lambda row: row["set_at"])
    return [
        Champion(
            model_id=row["model_id"],
            trained_model_id=row["trained_model_id"],
            action=row["action"] or "set",
            reason=row["reason"],
            set_at=row["set_at"],
        )
        for row in rows
    ]


def read_champion(lake: Lake, models: Mapping[str, Model]) -> Champion:
    """The newest choice, or the champion of a lake in which none was ever made."""
    history = read_history(lake)
    return history[-1] if history else _of_project(unchosen_champion(lake), models)


def unchosen_champion(lake: Lake) -> Champion:
    """The champion until one is chosen, as `stg_forecasts__reigns` has it.

    It is the blend, and DeepAR where that has forecast and no blend has; what was withdrawn, or
    landed after the first choice, does not count.
    """
    withdrawn = set(lake.read("withdrawals")["run_id"].to_pylist())
    first_choice = min(lake.read(_TABLE)["set_at"].to_pylist(), default=None)
    forecast = {
        run["model_id"]
        for run in lake.read("runs").to_pylist()
        if run["kind"] == "forecast"
        and run["run_id"] not in withdrawn
        and (first_choice is None or run["landed_at"] < first_choice)
    }
    is_deepar = DEEPAR in forecast and BLEND not in forecast
    return Champion(DEEPAR if is_deepar else BLEND, None, "set", None, None)


def set_champion(
    lake: Lake,
    models: Mapping[str, Model],
    model_id: str,
    *,
    reason: str,
    trained_model_id: str | None = None,
) -> Champion:
    """Choose a model; returns the choice.

    Args:
        lake: The lake; the caller holds its lock.
        models: The models of `models.toml`.
        model_id: The model.
        reason: Why; not empty.
        trained_model_id: An artifact that its runs use instead of training.

    Raises:
        UserError: There is no such model or artifact, or the artifact is of another model.
    """
    if not reason.strip():
        raise UserError(
            "A choice needs its reason.", where="--reason", fix='Say why: --reason "better wQL".'
        )
    if model_id not in models:
        raise UserError(
            f"There is no model {model_id}.",
            where="salescast champion set",
            fix=f"Name one of: {', '.join(sorted(models))}; or add it to models.toml.",
        )
    if trained_model_id is not None:
        trained = read_trained_model(lake, trained_model_id)
        if trained.model_id != model_id:
            raise UserError(
                f"The trained model {trained_model_id} is one of {trained.model_id}, not of "
                f"{model_id}.",
                where="--trained-model",
                fix=f"Choose {trained.model_id}, or another trained model.",
            )
    return _append(lake, model_id, trained_model_id, "set", reason)


def roll_back(lake: Lake, models: Mapping[str, Model], *, reason: str | None = None) -> Champion:
    """Choose what was chosen before; done again it goes further back. Returns the choice.

    Args:
        lake: The lake; the caller holds its lock.
        models: The models of `models.toml`.
        reason: Why.

    Raises:
        UserError: Nothing was chosen before, or it is no longer there.
    """
    # What each rollback has left behind is never gone back to.
    standing = [_of_project(unchosen_champion(lake), models)]
    for choice in read_history(lake):
        if choice.action == "set":
            standing.append(choice)
        elif len(standing) > 1:
            standing.pop()
    if len(standing) == 1:
        raise UserError(
            f"There is nothing to go back to: the champion is {standing[0].model_id}, as it was "
            "at the beginning.",
            where=f"{lake.place}/{_TABLE}",
            fix="Choose a model: salescast champion set MODEL_ID --reason TEXT.",
        )
    before = standing[-2]
    _check_model(before, models, lake)
    if before.trained_model_id is not None:
        read_trained_model(lake, before.trained_model_id)
    return _append(lake, before.model_id, before.trained_model_id, "rollback", reason)


def resolve(
    names: Sequence[str],
    trained_model_id: str | None,
    lake: Lake,
    models: Mapping[str, Model],
) -> tuple[list[str], str | None]:
    """The names of a command's models with the champion's own name for `champion`.

    Args:
        names: What the command was given; may hold `champion`.
        trained_model_id: The trained model that the command was given; goes before the champion's.
        lake: The lake.
        models: The models of `models.toml`.

    Returns:
        The names, and the trained model to use.

    Raises:
        UserError: The champion is no longer among the models.
    """
    if CHAMPION not in names:
        return list(names), trained_model_id
    champion = read_champion(lake, models)
    _check_model(champion, models, lake)
    resolved = [champion.model_id if name == CHAMPION else name for name in names]
    return resolved, champion.trained_model_id if trained_model_id is None else trained_model_id


def _of_project(champion: Champion, models: Mapping[str, Model]) -> Champion:
    # A project of an earlier version may have no blend; DeepAR is in all of them.
    if champion.set_at is None and champion.model_id not in models:
        return replace(champion, model_id=DEEPAR)
    return champion


def _check_model(champion: Champion, models: Mapping[str, Model], lake: Lake) -> None:
    if champion.model_id not in models:
        raise UserError(
            f"The champion {champion.model_id} is not in models.toml any more.",
            where=f"{lake.place}/{_TABLE}, chosen {champion.set_at:%Y-%m-%d %H:%M}",
            fix=f"Put [{champion.model_id}] back into models.toml, or choose one of "
            f"{', '.join(sorted(models))}: salescast champion set MODEL_ID --reason TEXT.",
        )


def _append(
    lake: Lake,
    model_id: str,
    trained_model_id: str | None,
    action: Literal["set", "rollback"],
    reason: str | None,
) -> Champion:
    # Milliseconds, as the lake stores it.
    set_at = utc_naive(datetime.now(UTC))
    set_at = set_at.replace(microsecond=set_at.microsecond // 1000 * 1000)
    for earlier in read_history(lake):
        # The choice before may have been made by a machine whose clock is ahead.
        if earlier.set_at is not None:
            set_at = max(set_at, earlier.set_at + timedelta(milliseconds=1))
    choice = Champion(model_id, trained_model_id, action, reason, set_at)
    lake.append(_TABLE, [vars(choice)])
    return choice
