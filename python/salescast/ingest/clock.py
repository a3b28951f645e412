"""Ids of loads and settings that sort in the order of the commands."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from salescast.lake import Lake, sortable_id, utc_naive


class Clock:
    """Ids that sort after every one in the lake, also when the clock was set back."""

    def __init__(self, now: datetime, lake: Lake) -> None:
        """Start at the moment of the command, or after the newest id of the lake."""
        loads = lake.read("raw_loads")["load_id"].to_pylist()
        names = [*loads, *lake.names("raw_loads"), *lake.names("settings")]
        stamps = [name.split("-")[0] for name in names]
        past = [datetime.strptime(stamp, "%Y%m%dt%H%M%S%f") for stamp in stamps if _is_stamp(stamp)]
        self._next = max([utc_naive(now), *(moment + timedelta(microseconds=1) for moment in past)])

    @property
    def year(self) -> int:
        """Year of the next id."""
        return self._next.year

    def tick(self) -> tuple[str, datetime]:
        """A new id and its moment."""
        moment = self._next
        self._next = moment + timedelta(microseconds=1)
        return sortable_id(moment), moment


def _is_stamp(text: str) -> bool:
    return re.fullmatch(r"[0-9]{8}t[0-9]{12}", text) is not None
