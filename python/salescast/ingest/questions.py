"""What a person is asked before a delivery lands, because it may be a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from salescast.ingest.figures import Repeated, Replaced, counted, dates, plain
from salescast.lake.loads import Load
from salescast.lake.settings import LandedSettings
from salescast.mapping import Mapping

FAR_BACK = timedelta(weeks=26)
"""A changed sale as far before the newest landed date is asked about."""
LARGE_SHARE = 0.3
"""As large a share of the landed keys, changed by one delivery, is asked about."""
FEW_KEYS = 10
"""As few changed keys are never a large share: a home that has just begun."""
MOSTLY = 0.5
"""A file of whose rows more than this share is repeated is asked about."""

_MEANING = {
    "grain": "daily or weekly rows",
    "week_ends_on": "the last day of a week",
    "week_label": "which day a weekly date is",
    "duplicates": "whether rows of one key are summed",
    "missing_means": "what a week without a row is",
}


def about_history(replaced: Replaced, landed: Sequence[Load], mapping: Mapping) -> list[str]:
    """Questions about landed sales that the delivery changes."""
    asked = []
    n_keys = sum(load.n_rows for load in landed)
    if n := replaced.n_changed_old:
        asked.append(
            f"it changes {counted(n, 'sale')} from {replaced.oldest_changed} on, more than "
            f"{FAR_BACK.days // 7} weeks before the newest landed date; is that meant, and are "
            f"day and month read in the right order (date_format: {mapping.date_format})?"
        )
    if (n := replaced.n_changed) >= FEW_KEYS and n > LARGE_SHARE * n_keys:
        asked.append(
            f"it changes {counted(n, 'sale')} of {n_keys:,} that are landed; do these files "
            "restate them, or should they be added (deliveries: adds), or is it another source?"
        )
    if replaced.n_vanished > MOSTLY * replaced.n_of_lines:
        asked.append(
            f"it replaces {counted(replaced.n_of_lines, 'line')} of "
            f"{dates(replaced.first_date, replaced.last_date)} and holds {replaced.n_vanished:,} "
            f"of them no more (sum {plain(replaced.sum_before)} before, "
            f"{plain(replaced.sum_after)} after); if each delivery holds new lines only, the "
            "mapping needs deliveries: adds"
        )
    return asked


def about_repeats(repeated: Sequence[Repeated]) -> tuple[list[str], list[str]]:
    """Questions and warnings about rows that would count twice."""
    asked, warned = [], []
    for each in repeated:
        if each.source_file == each.other_file:
            text = f"{each.source_file} holds each of its {each.n_rows:,} rows more than once"
        else:
            text = (
                f"{each.n_repeated:,} of {counted(each.n_rows, 'row')} of {each.source_file} stand "
                f"word for word in {each.other_file} too"
            )
        if each.n_repeated > MOSTLY * each.n_rows:
            asked.append(f"{text}, and would count twice; is it the same export again?")
        else:
            warned.append(f"{text}; they count twice (tables.sales.line_id tells lines apart)")
    return asked, warned


def about_settings(mapping: Mapping, newest: LandedSettings, landed: Sequence[Load]) -> list[str]:
    """Questions about settings that change what landed sales mean."""
    if not landed:
        return []
    new = {key: value for section, _, key, value in mapping.settings_rows() if section == "source"}
    n_rows = sum(load.n_rows for load in landed)
    return [
        f"{key} becomes {new[key]} and was {newest.source[key]} ({meaning}), for all "
        f"{counted(n_rows, 'row')} of sales that are landed too"
        for key, meaning in _MEANING.items()
        if newest.source.get(key) not in (None, new[key])
    ]


def about_put_back(load: Load, n_replaced: int, by: Sequence[Load]) -> str:
    """The question about a file that landed before and of which rows were replaced since."""
    loads = ", ".join(f"{each.load_id} ({each.source_file})" for each in by)
    return (
        f"{load.source_file} landed before as {load.load_id}, and {counted(n_replaced, 'row')} "
        f"of it were replaced since by {loads}; shall it land again and replace them in turn? "
        f"`salescast ingest --retract {by[-1].load_id}` takes the later one back instead"
    )


def far_back_of(landed: Sequence[Load]) -> date | None:
    """Changes before this date are far in the past; None while no date is landed."""
    newest = max((load.last_date for load in landed if load.last_date), default=None)
    return newest - FAR_BACK if newest else None
