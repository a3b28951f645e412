"""Settings of the mapping as rows of the lake, landed where they differ from the newest ones."""

from __future__ import annotations

from salescast.ingest.clock import Clock
from salescast.ingest.figures import counted
from salescast.ingest.holiday_days import changed_days, holiday_rows
from salescast.ingest.landing import Landing
from salescast.lake import StagedFile
from salescast.lake.loads import counted_loads
from salescast.lake.settings import newest_settings
from salescast.mapping import Level
from salescast.sql_text import file_pattern, quoted_text


def series_levels(landing: Landing) -> dict[str, Level]:
    """Level of each related series in the landing: those registered, then new ones."""
    lake, con = landing.lake, landing.con
    if landing.mapping.tables.related is None:
        return {}
    gone = {record["replaces_load_id"] for record in landing.records.values()}
    names = [
        load.load_id
        for load in counted_loads(lake)
        if load.table_name == "raw_related" and load.load_id not in gone
    ]
    parts = [f"select series_name, department from ({lake.scan_sql('raw_related', names)})"]
    for load_id, staged in landing.rows.items():
        if landing.records[load_id]["table_name"] == "raw_related":
            path = quoted_text(file_pattern(staged.path))
            parts.append(f"select series_name, department from read_parquet({path})")
    found = con.execute(
        "select series_name, bool_or(department is not null) from ("
        + " union all ".join(parts)
        + ") where series_name is not null group by 1 order by 1"
    ).fetchall()
    levels: dict[str, Level] = {row[0]: "department" if row[1] else "store" for row in found}
    registered = sorted(
        (int(value or 0), name)
        for section, name, key, value in newest_settings(lake).rows
        if (section, key) == ("related_series", "position")
    )
    order = [*(name for _, name in registered), *landing.series, *levels]
    return {name: levels[name] for name in dict.fromkeys(order) if name in levels}


def stage_settings(
    landing: Landing, levels: dict[str, Level], clock: Clock
) -> tuple[str, StagedFile | None]:
    """Newest settings id, and the file of new settings where they differ from the landed ones."""
    newest = newest_settings(landing.lake)
    wanted = landing.mapping.settings_rows(levels)
    wanted += holiday_rows(landing.mapping.calendar_region, clock.year)
    if newest.rows and (changed := changed_days(newest.rows, wanted)):
        landing.warnings.append(
            f"{counted(len(changed), 'holiday')} differ from those that were landed before, as the "
            f"library of holidays changed: {', '.join(changed[:5])}{', …' if changed[5:] else ''}"
        )
    related = landing.mapping.tables.related
    if related and not isinstance(related.series, str) and not levels:
        landing.warnings.append("none of the related series of the mapping is landed or registered")
    if sorted(map(str, wanted)) == sorted(map(str, newest.rows)):
        return newest.settings_id, None
    settings_id, moment = clock.tick()
    keys = ("section", "name", "attribute", "value")
    rows = [
        {"settings_id": settings_id, "landed_at": moment, **dict(zip(keys, row, strict=True))}
        for row in wanted
    ]
    return settings_id, landing.stage(landing.lake.stage("settings", rows, settings_id))
