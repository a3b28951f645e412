"""The settings that the lake holds: an ingest lands a set of rows, and the newest set counts."""

from __future__ import annotations

from dataclasses import dataclass

from salescast.lake import Lake
from salescast.mapping import SettingsRow


@dataclass(frozen=True)
class LandedSettings:
    """The newest set of settings; an empty id and no rows before any is landed."""

    settings_id: str
    rows: tuple[SettingsRow, ...]

    @property
    def source(self) -> dict[str, str | None]:
        """What they say of the source, by attribute."""
        return {key: value for section, _, key, value in self.rows if section == "source"}


def newest_settings(lake: Lake) -> LandedSettings:
    """The set with the largest settings_id, as the macro `newest_settings` chooses it."""
    rows = lake.read("settings").to_pylist()
    newest = max((row["settings_id"] for row in rows), default="")
    return LandedSettings(
        newest,
        tuple(
            (row["section"], row["name"], row["attribute"], row["value"])
            for row in rows
            if row["settings_id"] == newest
        ),
    )
