"""Which column is what: by its title, and by what its values are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from salescast.expressions import is_bare_name
from salescast.mapping_draft.columns import Profile
from salescast.mapping_draft.words import words_of

_WEAK_STORES = {"region", "country", "channel", "warehouse", "plant", "werk"}
_OF_A_LINE = {"line", "item", "lineitem", "net", "position"}
_TIMES = {"day", "week", "month", "year", "quarter", "hour", "time", "weekday", "jahr", "monat"}
_NOT_SOLD = re.compile(
    r"cancel|storn|annul|void|fail|declin|abandon|reject|cancelad|geannuleerd|abgebrochen", re.I
)
_GIVEN_BACK = re.compile(r"refund|return|erstatt|retour|rembours|devol|reso|terug", re.I)
_FALSE = ("0", "none", "no", "false", "n", "nein", "non")


@dataclass
class Roles:
    """What the columns of a file are.

    Attributes:
        columns: Columns by our names.
        constants: Fixed texts by our names.
        compute: Expressions by our names.
        keep: Conditions.
        why: What was seen, by our name or key.
        doubts: What a person has to look at, by our name or key.
    """

    columns: dict[str, Profile] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    compute: dict[str, str] = field(default_factory=dict)
    keep: list[str] = field(default_factory=list)
    why: dict[str, list[str]] = field(default_factory=dict)
    doubts: dict[str, list[str]] = field(default_factory=dict)

    def see(self, name: str, text: str) -> None:
        """Note what was seen."""
        self.why.setdefault(name, []).append(text)

    def doubt(self, name: str, text: str) -> None:
        """Note what a person has to look at."""
        self.doubts.setdefault(name, []).append(text)

    def used(self) -> set[str]:
        """Titles that are given a role."""
        return {profile.title for profile in self.columns.values()}


def best(profiles: Sequence[Profile], role: str, at_least: float = 1.0) -> Profile | None:
    """The column whose title names a role best."""
    found = max(profiles, key=lambda each: each.likeness(role), default=None)
    return found if found is not None and found.likeness(role) >= at_least else None


def named(title: str) -> str | None:
    """A column as an expression names it; None if it cannot."""
    if is_bare_name(title):
        return title
    return None if re.search(r"[\[\]]", title) else f"[{title}]"


def find_date(profiles: Sequence[Profile], roles: Roles) -> None:
    """Give the column of dates its role."""
    dated = [each for each in profiles if each.dates]
    if not dated:
        return
    likely = [each for each in dated if each.likeness("date")]
    found = max(likely or dated, key=lambda each: (each.likeness("date"), each.n_distinct))
    roles.columns["date"] = found
    others = [each.title for each in dated if each is not found]
    if others:
        roles.doubt("date", f"dates stand also in {_listed(others)}")
    elif not likely:
        roles.see("date", "the only column of dates")


def find_value(profiles: Sequence[Profile], roles: Roles, *, by_name_only: bool) -> None:
    """Give the column of what is sold its role: money before units, units before one that fits."""
    used = roles.used()
    numbers = [p for p in profiles if p.is_number and not p.dates and p.title not in used]
    quantity = best(numbers, "quantity")
    amount = max(numbers, key=_money, default=None)
    amount = amount if amount and amount.likeness("amount") >= 1 else None
    if amount and quantity and amount.n_values < 0.95 * quantity.n_values:
        # The total of an order stands in its first line only.
        amount = None
    price = best([p for p in numbers if p not in (amount, quantity)], "price")
    if amount and quantity and quantity.likeness("quantity") > amount.likeness("amount") + 1:
        amount = None
    if amount and (not quantity or amount is not quantity):
        roles.columns["sales"] = amount
        if quantity:
            roles.doubt(
                "sales",
                f"{shown(amount.title)} is forecast; {shown(quantity.title)} holds units, which "
                "may be what you want",
            )
    elif quantity:
        roles.columns["sales"] = quantity
        one, two = named(quantity.title), named(price.title) if price else None
        if one and two:
            roles.doubt(
                "sales",
                f"units are forecast; for money take columns.sales away and write "
                f'compute: {{ sales: "{one} * {two}" }}',
            )
    elif not by_name_only:
        rest = [p for p in numbers if not p.is_flag and not _is_identifier(p)]
        if rest:
            found = max(rest, key=lambda each: (each.n_distinct, -each.place))
            roles.columns["sales"] = found
            others = [each.title for each in rest if each is not found]
            also = f"; numbers stand also in {_listed(others)}" if others else ""
            roles.doubt("sales", f"{shown(found.title)} is taken by its values, not its name{also}")
    chosen = roles.columns.get("sales")
    if chosen is None:
        return
    sure = max(chosen.likeness("amount"), chosen.likeness("quantity")) >= 2.5
    rivals = [
        shown(p.title)
        for p in numbers
        if p not in (chosen, quantity)
        and max(p.likeness("amount"), 0 if sure else p.likeness("quantity")) >= 1
    ]
    if rivals:
        roles.doubt("sales", f"sales may also be {_listed(rivals)}")
    elif not sure and not roles.doubts.get("sales"):
        roles.doubt("sales", f"is {shown(chosen.title)} what is sold?")


def _money(profile: Profile) -> float:
    """How much a title is the money of a line, rather than of a whole order."""
    words = set(words_of(profile.title))
    like = profile.likeness("amount")
    return like and like + 0.5 * bool(words & _OF_A_LINE) - bool("order" in words)


def _is_identifier(profile: Profile) -> bool:
    return bool(set(words_of(profile.title)) & {"id", "no", "nr", "code", "number", "year", "zip"})


def find_keys(profiles: Sequence[Profile], roles: Roles, *, may_be_unique: bool = False) -> None:
    """Give store and department their columns, or a constant where no title names one.

    A column that is different in each row is a key only of a wide file.
    """
    taken = roles.used()
    rest = [p for p in profiles if p.title not in taken and not p.dates and p.n_values]
    several = [p for p in rest if may_be_unique or p.n_distinct < max(p.n_rows, 2)]
    for role, other in (("store", "department"), ("department", "store")):
        free = [p for p in several if p.title not in roles.used() and not _has_fraction(p)]
        fitting = [p for p in free if p.likeness(role) > p.likeness(other)]
        found = best(fitting, role)
        if found is None:
            roles.constants[role] = "all"
            continue
        roles.columns[role] = found
        roles.see(role, f"{found.n_distinct:,} different")
        rivals = [
            f"{shown(p.title)} ({p.n_distinct:,} different)"
            for p in fitting
            if p is not found and p.likeness(role) >= 1
        ]
        if rivals:
            roles.doubt(role, f"{role} may also be {_listed(rivals)}")
        if role == "store" and set(words_of(found.title)) & _WEAK_STORES:
            roles.doubt(role, f"is {shown(found.title)} what you call a store?")
        if found.nulls:
            texts = ", ".join(f"{text!r} ({n:,})" for text, n in found.nulls.items())
            roles.doubt(role, f"cells that may mean no value: {texts}; see null_texts")
    left = [
        f"{shown(p.title)} ({p.n_distinct:,} different)"
        for p in several
        if p.title not in roles.used()
        and not p.is_flag
        and not _has_fraction(p)
        and not any(p.likeness(role) for role in ("status", "price", "quantity", "amount"))
        and not set(words_of(p.title)) & _TIMES
        and (not p.is_number or p.n_distinct <= 200)
        and p.n_distinct > 1
    ][:6]
    for role in roles.constants:
        text = f"no column is named like a {role}"
        if left:
            roles.doubt(role, f"{text}; it may be {_listed(left)}")
        else:
            roles.see(role, text)


def _has_fraction(profile: Profile) -> bool:
    return profile.is_number and any(re.search(r"[.,]\d*[1-9]", text) for text in profile.examples)


def find_flags(profiles: Sequence[Profile], roles: Roles) -> None:
    """Give holidays and empty shelves their columns where the values can be read as flags."""
    free = [p for p in profiles if p.title not in roles.used()]
    for role, name in (("holiday", "is_holiday"), ("stocked_out", "is_stocked_out")):
        found = best([p for p in free if "school" not in words_of(p.title)], role)
        if found is None:
            continue
        if found.is_flag:
            roles.columns[name] = found
        elif name == "is_holiday" and (one := named(found.title)):
            texts = [text for text in found.examples if text.lower() not in _FALSE]
            if found.n_distinct == len(found.examples) <= 8 and len(texts) < len(found.examples):
                listed = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
                roles.compute[name] = f"{one} in ({listed})"
                roles.doubt(name, f"do these values of {shown(found.title)} mean a holiday?")


def find_status(profiles: Sequence[Profile], roles: Roles) -> None:
    """Leave out rows whose status says that nothing was sold."""
    free = [p for p in profiles if p.title not in roles.used() and not p.is_number]
    free = [p for p in free if p.n_distinct <= 30]
    status = best(free, "status", 2.0)
    for other in free:
        odd = [t for t in other.examples if _NOT_SOLD.search(t) or _GIVEN_BACK.search(t)]
        if odd and other is not status:
            texts = ", ".join(map(repr, odd[:3]))
            roles.doubt("keep", f"{shown(other.title)} has {texts}: are such rows negative sales?")
        if other.likeness("currency") >= 2 and other.n_distinct > 1:
            roles.doubt(
                "keep", f"{shown(other.title)} has {other.n_distinct} different: are sums right?"
            )
    if status is None or not (one := named(status.title)):
        return
    dead = [text for text in status.examples if _NOT_SOLD.search(text)]
    back = [text for text in status.examples if _GIVEN_BACK.search(text)]
    if dead:
        listed = ", ".join("'" + text.replace("'", "''") + "'" for text in dead)
        roles.keep.append(f"{one} not in ({listed})")
    if dead or back:
        also = f"; {_listed(back)} is kept: are such rows negative?" if back else ""
        values = ", ".join(repr(text) for text in status.examples)
        roles.doubt("keep", f"{shown(status.title)} has {values}: which were not sold?{also}")
        if n_empty := status.n_rows - status.n_values:
            roles.doubt("keep", f"{n_empty:,} rows have no {shown(status.title)}; they are kept")


def shown(title: str) -> str:
    """A title for a comment, on one line and not too long."""
    plain = re.sub(r"[^\S ]|[^\w\s\x20-\x7e]", "?", title)
    return repr(plain if len(plain) <= 60 else plain[:57] + "...")


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else items[0]
