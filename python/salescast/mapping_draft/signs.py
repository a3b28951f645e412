"""The keys that hold for all files: number signs, date formats, texts that mean no value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from salescast.mapping import NULL_TEXTS, formats_clash
from salescast.mapping_draft.columns import SIGNS, Profile
from salescast.mapping_draft.roles import shown


@dataclass
class Keys:
    """Keys to write with what was seen and what could not be told, by key."""

    values: dict[str, Any] = field(default_factory=dict)
    why: dict[str, list[str]] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)

    def see(self, key: str, text: str) -> None:
        """Note what was seen."""
        self.why.setdefault(key, []).append(text)

    def doubt(self, key: str, text: str) -> None:
        """Note what a person has to look at."""
        self.doubts.setdefault(key, []).append(text)


def choose_signs(columns: Sequence[Profile], keys: Keys, *, comma_is_usual: bool) -> None:
    """Decide how numbers are written, by reading all values in each way."""
    values = sum(each.n_values for each in columns)
    read = [sum(each.n_numbers[i] for each in columns) for i in range(len(SIGNS))]
    point, comma, grouped = read
    most = max(read, default=0)
    titles = ", ".join(shown(each.title) for each in columns[:4])
    signed = sum(each.n_signs for each in columns)
    said = (
        f"of {values:,} values of {titles}, {max(point, grouped):,} are numbers with a decimal "
        f"point and {comma:,} with a comma"
    )
    decimal, thousands = ".", None
    if (most in (point, grouped) and most > comma) or not signed:
        if point < grouped:
            thousands = ","
    elif comma == most and max(point, grouped) < most:
        decimal = ","
    else:
        # 1,234 or 1.234 in every value that has a sign: both readings take all of them.
        examples = [t for c in columns for t in c.examples if "," in t or "." in t]
        example = examples[0] if examples else "1,234"
        has_comma = any("," in text for text in examples)
        n_long = sum(each.n_long for each in columns)
        if n_long == 0 and signed < values:
            # Numbers below a thousand have no sign, and all from a thousand on have one.
            is_thousands = True
        elif n_long:
            is_thousands = False
        else:
            is_thousands = has_comma != comma_is_usual
        decimal = "," if has_comma != is_thousands else "."
        thousands = "," if has_comma and is_thousands else None
        as_thousands = re.sub("[^0-9-]", "", example)
        as_decimals = re.sub("[.,]", ".", example)
        is_decimal = (decimal == ",") == has_comma
        meant, other = (as_decimals, as_thousands) if is_decimal else (as_thousands, as_decimals)
        keys.doubt(
            "decimal_sign",
            f"each sign has three digits behind it: {example!r} is read as {meant}; it could be "
            f"{other}, then change decimal_sign and thousands_sign",
        )
    keys.values["decimal_sign"], keys.values["thousands_sign"] = decimal, thousands
    if signed and point != comma and "decimal_sign" not in keys.doubts:
        keys.see("decimal_sign", said)
    for each in columns:
        index = SIGNS.index((decimal, thousands))
        bad = each.n_values - each.n_numbers[index]
        if bad:
            texts = ", ".join(repr(text) for text, _ in each.bad_numbers[:3])
            such = f", such as {texts}" if texts else ""
            keys.doubt(
                "decimal_sign",
                f"{bad:,} of {each.n_values:,} values of {shown(each.title)} are no numbers{such}; "
                "their rows are set aside",
            )


def choose_null_texts(columns: Iterable[Profile], keys: Keys) -> None:
    """Add texts such as '-' that stand in numbers and dates for no value."""
    more: dict[str, int] = {}
    for each in columns:
        for text, number in each.nulls.items():
            if text not in NULL_TEXTS:
                more[text] = more.get(text, 0) + number
    if more:
        keys.values["null_texts"] = [*NULL_TEXTS, *more]
        said = ", ".join(f"{text!r} {number:,} times" for text, number in more.items())
        keys.see("null_texts", f"among the numbers or dates stand {said}; taken as no value")


def choose_formats(columns: Sequence[Profile], keys: Keys) -> None:
    """Put the date formats of all columns of dates into one list."""
    formats: list[str] = []
    for each in columns:
        reading = each.dates
        if reading is None:
            continue
        for text in reading.formats:
            clash = [other for other in formats if formats_clash(text, other)]
            if clash:
                keys.doubt(
                    "date_format",
                    f"{shown(each.title)} reads as {text}, which cannot stand beside {clash[0]}: "
                    "its dates may be wrong; write them in one way",
                )
            elif text not in formats:
                formats.append(text)
        title = shown(each.title)
        for said in reading.evidence:
            keys.see("date_format", f"{title}: {said}")
        for doubt in reading.doubts:
            keys.doubt("date_format", f"{title}: {doubt}")
        if reading.offsets:
            _zone(reading.offsets, keys)
    if formats:
        keys.values["date_format"] = formats[0] if len(formats) == 1 else formats


def _zone(offsets: Sequence[str], keys: Keys) -> None:
    listed = ", ".join(offsets)
    utc = {"Z", "z", "UTC", "GMT", "+00:00", "+0000", "+00"}
    keys.see("timezone", f"times have a zone or an offset: {listed}; the day is the one written")
    if set(offsets) <= utc:
        keys.doubt(
            "timezone",
            "times are in UTC: a sale late in the evening may be of the next day there. If your "
            "stores are not on UTC, write their zone, such as Europe/Berlin",
        )
    elif any(offset in utc for offset in offsets):
        keys.doubt("timezone", "some times are in UTC and some are not: write your stores' zone")
