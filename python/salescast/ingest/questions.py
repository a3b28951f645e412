"""What a person is asked before a delivery lands, because it may be a mistake."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta

from salescast.ingest.figures import LeftStanding, Repeated, Replaced, counted, dates, plain
from salescast.ingest.same_sales import SameSales
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
N_DIFFERENT = 5
"""As many different sales are evidence; those of a shop that sells the same each day are none."""
N_SHOWN = 3
"""Of as many files a question tells."""

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


def told_left_standing(left: LeftStanding) -> list[str]:
    """The warning about landed sales that the delivery has no row for, if there are any."""
    if not left.n_rows:
        return []
    one = left.n_rows == 1
    return [
        f"{counted(left.n_rows, 'landed row')} of {dates(left.first_date, left.last_date)} (sum "
        f"{plain(left.total)}) {'is' if one else 'are'} not in the delivery, which restates most "
        f"of what lies beside {'it' if one else 'them'}, and still {'counts' if one else 'count'}; "
        "deliver with sales of 0 what was deleted in the source"
    ]


def told_lines_that_differ(n_ids: int, n_in_files: int, mapping: Mapping) -> list[str]:
    """The warning about line ids that stand for several rows, if there are any."""
    if not n_ids:
        return []
    text = (
        f"{counted(n_ids, 'line id')} stand for rows that are not the same, of which one counts; "
        f"does tables.sales.line_id in {mapping.path} name a line, or a whole order?"
    )
    stand = "stands" if n_in_files == 1 else "stand"
    if n_in_files:
        text += (
            f" {n_in_files:,} of them {stand} in several files of the delivery: there the first "
            "file by its name counts, not the newer one; ingest the files one by one, the oldest "
            "first"
        )
    return [text]


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


def about_same_sales(same: Sequence[SameSales], asked: Sequence[Repeated]) -> list[str]:
    """A question about sales that files have twice in rows that differ otherwise.

    Args:
        same: What was found.
        asked: Rows that are asked about already, word for word.
    """
    known = {each.source_file for each in asked if each.n_repeated > MOSTLY * each.n_rows}
    same = [each for each in same if each.source_file not in known]
    within = [each for each in same if each.source_file == each.other_file]
    questions = [
        f"{each.source_file} has {each.n_same:,} of its {each.n_compared:,} sales two or three "
        "times (store, department, date and amount; other columns may differ), and each would "
        "count; were two exports put together?"
        for each in within
        if each.n_different >= N_DIFFERENT and _is_repeated(each)
    ]
    between = [each for each in same if each not in within]
    together = SameSales(
        "",
        "",
        sum(each.n_same for each in between),
        sum(each.n_compared for each in between),
        sum(each.n_different for each in between),
    )
    # Many small files say together what none says alone.
    chosen = between if _is_no_chance(together) else list(filter(_is_no_chance, between))
    texts: dict[frozenset[str], str] = {}
    for each in chosen:
        pair = frozenset((each.source_file, each.other_file))
        texts.setdefault(
            pair,
            f"{each.source_file} has the very sales of {each.other_file} for {each.n_same:,} of "
            f"{each.n_compared:,} stores, departments and dates",
        )
    if texts:
        shown = "; ".join(list(texts.values())[:N_SHOWN])
        more = f"; and {len(texts) - N_SHOWN:,} more files" if len(texts) > N_SHOWN else ""
        questions.append(
            f"{shown}{more}: only columns that are not mapped differ, and they would count twice; "
            "is it the same export again?"
        )
    return questions


def _is_no_chance(each: SameSales) -> bool:
    """Whether most keys are the same, and more than small sales are by chance.

    Two files of small sales, 1 or 2 of a key, are the same for at most three keys in ten.
    """
    least = MOSTLY * each.n_compared + 1.1 * math.sqrt(each.n_compared)
    return each.n_same >= least and each.n_different >= N_DIFFERENT


def _is_repeated(each: SameSales) -> bool:
    """Whether sales stand in one file twice, and more of them than every second one by chance."""
    is_all = each.n_same == each.n_compared >= 10
    return is_all or (each.n_same >= 0.9 * each.n_compared and each.n_compared >= 50)


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
