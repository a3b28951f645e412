"""SQL that reads one column of a source file: its text, its numbers, its dates.

Each function takes a column of a reader and gives SQL of a text: a number with a decimal point, a
date in ISO form, or, where the text is neither, the text as it is, which staging then rejects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from salescast.mapping import (
    AS_WRITTEN,
    EXCEL_DATES,
    EXCEL_NUMBER,
    Mapping,
    fixed_offset,
    names_week_only,
    without_offset,
)
from salescast.sql_text import quoted_text


@dataclass(frozen=True)
class Column:
    """A column of a source file: its name there, its SQL name in the reader, and its type."""

    name: str
    sql: str
    type: str


NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"
ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

# White space of any kind, also what is as narrow as nothing.
BLANKS = (
    r"\t\n\v\f\r \x{0085}\x{00A0}\x{1680}\x{180E}\x{2000}-\x{200D}\x{2028}\x{2029}"
    r"\x{202F}\x{205F}\x{2060}\x{3000}\x{FEFF}"
)
_MINUS = r"[-\x{2010}-\x{2013}\x{2212}\x{FE63}\x{FF0D}]"
_CURRENCY_WORDS = (
    *("AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP"),
    *("EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "KZT", "MAD", "MXN", "MYR"),
    *("NGN", "NOK", "NZD", "PEN", "PHP", "PKR", "PLN", "RON", "RSD", "RUB", "SAR", "SEK", "SGD"),
    *("THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR", "Fr", "Ft", "Kč", "kr", "lei", "zł", "Rs"),
)
CURRENCY = r"(?:(?:AU|NZ|US|CA|HK|A|C|R|S)?\p{Sc}|" + "|".join(_CURRENCY_WORDS) + ")"
# Groups of three that a sign parts; after the last of them no digit of the same group may follow.
_BLANK_GROUPS = r"[1-9][0-9]{0,2}(?:[ \x{00A0}\x{2007}\x{2009}\x{202F}][0-9]{3})+"
_TICK_GROUPS = r"[1-9][0-9]{0,2}(?:['\x{2019}][0-9]{3})+"
_GROUP_SIGNS = r"' \x{00A0}\x{2007}\x{2009}\x{2019}\x{202F}"

_TIME = r"([0-9]:[0-9]{2}(?:[.,][0-9]+)?(?:\s*[AaPp][Mm])?)\s*"
_OFFSET = (
    _TIME + r"([Zz]|[A-Z]{3,5}|(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?|[A-Z][A-Za-z]+/[A-Za-z_/]+)"
)
_UTC = _TIME + r"(?:[Zz]|UTC|GMT)(\s|$)"
_NAMED_UTC = _TIME + r"(?:UTC|GMT)([+-][0-9])"


def text_sql(column: Column) -> str:
    """SQL for the text of a column, null where it is one of the null texts."""
    text = plain_text_sql(column)
    return f"case when list_contains($null_texts, {text}) then null else {text} end"


def number_sql(column: Column, mapping: Mapping) -> str:
    """SQL for the number of a column as text with a decimal point.

    Read are, beside plain numbers: blanks around, a currency, a minus behind, parentheses for a
    negative number, and signs between thousands where the text cannot be misread or the mapping
    gives thousands_sign. Any other text stays as it is.
    """
    text = text_sql(column)
    if column.type != "VARCHAR":
        return text
    number = written_number_sql(text, mapping)
    if mapping.decimal_sign == "," or any(re.search("[0-9]", each) for each in mapping.null_texts):
        return number
    # Most are plain: they need no look at the null texts, none of which is a number.
    return f"case when regexp_matches({column.sql}, '{NUMBER}') then {column.sql} else {number} end"


def written_number_sql(text: str, mapping: Mapping) -> str:
    """SQL that turns any text of a number into one with a decimal point; see `number_sql`."""
    decimal = mapping.decimal_sign
    digits = _digits(mapping)
    blank = f"[{BLANKS}]*"
    currency = f"(?:{CURRENCY}{blank})?"
    after = f"(?:{blank}{CURRENCY})?"
    sign = f"(?:(?:[+]|{_MINUS}){blank})?"
    forms = (
        f"{sign}{currency}{digits}{after}",
        f"{CURRENCY}{blank}(?:[+]|{_MINUS}){blank}{digits}",
        f"{currency}{digits}{blank}(?:{_MINUS}{after}|{CURRENCY}{blank}{_MINUS})",
        rf"\({blank}{currency}{digits}{after}{blank}\){after}",
    )
    whole = f"^{blank}(?:{'|'.join(forms)}){blank}$"
    negative = rf"^[^0-9]*(?:{_MINUS}|\()|{_MINUS}[^0-9]*$"
    # The digits begin with the first one, or with the decimal sign before it.
    number = rf"((?:[{decimal}][0-9]|[0-9])(?:[0-9.,]|[{_GROUP_SIGNS}][0-9])*(?:[eE][+-]?[0-9]+)?)"
    bare = f"regexp_extract({text}, {quoted_text(number)}, 1)"
    other = "," if decimal == "." else "."
    unsigned = f"regexp_replace({bare}, {quoted_text(f'[{_GROUP_SIGNS}{other}]')}, '', 'g')"
    if decimal == ",":
        unsigned = f"replace({unsigned}, ',', '.')"
    minus = f"case when regexp_matches({text}, {quoted_text(negative)}) then '-' else '' end"
    as_it_is = (
        f"regexp_matches({text}, {quoted_text(NUMBER if decimal == '.' else '^[+-]?[0-9]+$')})"
    )
    return (
        f"case when {as_it_is} then {text}"
        f" when regexp_matches({text}, {quoted_text(whole)}) then {minus} || {unsigned}"
        f" else {text} end"
    )


def _digits(mapping: Mapping) -> str:
    """Pattern of a number without sign and currency under the mapping."""
    decimal, thousands = mapping.decimal_sign, mapping.thousands_sign
    fraction = f"[{decimal}][0-9]*"
    first, lakhs = "[1-9][0-9]{0,2}", "[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
    whole, forms = ["[0-9]+", _BLANK_GROUPS, _TICK_GROUPS], []
    if decimal == ",":
        whole.append(f"{first}(?:[.][0-9]{{3}})+")
    elif thousands == ",":
        whole += [f"{first}(?:,[0-9]{{3}})+", lakhs]
    else:
        # 1,234 may be a little more than one; with a point, or with a second comma, it cannot.
        forms.append(f"{first}(?:,[0-9]{{3}}){fraction}")
        forms.append(f"(?:{first}(?:,[0-9]{{3}}){{2,}}|{lakhs})(?:{fraction})?")
    forms += [
        f"(?:{'|'.join(whole)})(?:{fraction})?(?:[eE][+-]?[0-9]+)?",
        f"[{decimal}][0-9]+(?:[eE][+-]?[0-9]+)?",
    ]
    return f"(?:{'|'.join(forms)})"


def date_sql(column: Column, mapping: Mapping) -> str:
    """SQL for a date as ISO text, or for the text as it is where it is no date."""
    text = plain_text_sql(column)
    if column.type == "DATE":
        return text
    if column.type.startswith("TIMESTAMP"):
        return f"strftime(cast({column.sql} as timestamp), '%Y-%m-%d')"
    trimmed = f"regexp_replace({text}, '^[{BLANKS}]+|[{BLANKS}]+$', '', 'g')"
    found = written_date_sql(text, tuple(mapping.date_format), mapping)
    again = written_date_sql(trimmed, tuple(mapping.date_format), mapping)
    return (
        f"case when list_contains($null_texts, {text}) then null"
        f" else coalesce({found}, {again}, {text}) end"
    )


def written_date_sql(text: str, formats: tuple[str, ...], mapping: Mapping) -> str:
    """SQL for the date that a text has under the first format that fits, as ISO text, or null."""
    found = []
    for each in formats:
        day = _day(text, each, mapping)
        # A year such as 26 gives way to the next format; the digit keeps out words that strptime
        # takes, such as 'epoch'.
        good = f"year({day}) between 1900 and 2199 and regexp_matches({text}, '[0-9]')"
        if "%G" in each:
            # Week 53 of a year of 52 is taken for the first of the next one.
            good += f" and contains({text}, strftime({_day(text, each, mapping, False)}, '%G'))"
        found.append(f"case when {good} then strftime({day}, '%Y-%m-%d') end")
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _day(text: str, date_format: str, mapping: Mapping, of_label: bool = True) -> str:
    """SQL for the day that a text has under one format, or null.

    An ISO week is the day that names it under the mapping, or else its monday.
    """
    if date_format == EXCEL_DATES:
        number = f"cast(regexp_extract({text}, '^[0-9]+') as integer)"
        return (
            f"case when regexp_matches({text}, {quoted_text(EXCEL_NUMBER)})"
            f" then cast(date '1899-12-30' + {number} as timestamp) end"
        )
    if without_offset(date_format) == date_format:
        day = f"try_strptime({text}, {quoted_text(date_format)})"
        minutes = fixed_offset(date_format)
        if minutes is not None and mapping.timezone != AS_WRITTEN:
            moment = f"timezone('UTC', {day} - interval ({minutes}) minute)"
            return f"timezone({quoted_text(mapping.timezone)}, {moment})"
        is_last = of_label and names_week_only(date_format) and mapping.week_label == "end"
        return f"{day} + interval 6 day" if is_last else day
    offset = quoted_text(_OFFSET)
    plain = quoted_text(without_offset(date_format))
    wall = f"try_strptime(regexp_replace({text}, {offset}, '\\1'), {plain})"
    if mapping.timezone != AS_WRITTEN:
        # DuckDB takes the offset away from the moment; of UTC it knows only +00:00 as %z.
        zoned = quoted_text(re.sub(r"\s*%z", " %z", date_format))
        utc = f"regexp_replace({text}, {quoted_text(_UTC)}, '\\1 +00:00\\2')"
        bare = f"regexp_replace({utc}, {quoted_text(_NAMED_UTC)}, '\\1 \\2')"
        spaced = f"regexp_replace({bare}, {offset}, '\\1 \\2')"
        wall = f"timezone({quoted_text(mapping.timezone)}, try_strptime({spaced}, {zoned}))"
    return f"case when regexp_matches({text}, {offset}) then {wall} end"


def plain_text_sql(column: Column) -> str:
    """SQL for the plain text of a column, null texts included."""
    name, kind = column.sql, column.type
    if kind == "VARCHAR":
        return name
    if kind in ("DOUBLE", "FLOAT"):
        # A key that a data frame made a float must stay 7 and not become 7.0; NaN is no value.
        # The engine may compute the cast of a NaN before it looks whether it is one: try_cast.
        return (
            f"case when isnan({name}) then null when {name} = trunc({name}) and abs({name}) < 1e30"
            f" then cast(try_cast({name} as hugeint) as varchar) else cast({name} as varchar) end"
        )
    if kind.startswith("TIMESTAMP"):
        moment = f"cast({name} as timestamp)"
        return (
            f"case when {moment} = date_trunc('day', {moment}) then strftime({moment}, '%Y-%m-%d')"
            f" else cast({moment} as varchar) end"
        )
    return f"cast({name} as varchar)"


def is_number(sql: str) -> str:
    """SQL that says whether a text is a number with a decimal point."""
    return f"regexp_matches(trim({sql}), '{NUMBER}')"


def is_date(sql: str) -> str:
    """SQL that says whether a text is an ISO date that exists."""
    return f"(regexp_matches({sql}, '{ISO_DATE}') and try_cast({sql} as date) is not null)"
