"""Homes and inputs whose names are patterns, beside folders that those patterns would take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from salescast.errors import RunError, UserError
from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.lake.trained_models import Encoding
from salescast.mapping import Mapping, load_mapping
from salescast.marts.publish import UnloadedTable, publish_files
from salescast.settings import load_settings
from salescast.warehouse.dbt import DbtProject, create_lake_sources
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.run import carry_out
from support.home import REPOSITORY
from support.s3_server import S3Server
from support.small_week import NEWEST, begin, forecasts, open_week
from support.sources import write_csv, write_mapping

NAMES = {
    "h[1]": ["h1"],
    "*": ["x", "a b"],
    "?": ["q"],
    "{a,b}": ["a", "b"],
    "[!a]": ["b"],
    "**": ["y"],
    'Käthe\'s "shop" of 50 % [1-3]*': ['Käthe\'s "shop" of 50 % 2x'],
}
"""Folders, each with others that its name is a pattern of."""

every_name = pytest.mark.parametrize("name", list(NAMES))


def champions(*models: str) -> list[dict[str, object]]:
    return [{"model_id": each, "reason": "x", "set_at": datetime(2026, 11, 22)} for each in models]


# The week


@every_name
def test_a_run_reads_the_files_of_its_own_home(tmp_path: Path, name: str) -> None:
    for stranger in NAMES[name]:
        world = begin(tmp_path / stranger)
        world.newest = NEWEST - timedelta(weeks=1)
        carry_out(open_week(world))
    world, plain = begin(tmp_path / name), begin(tmp_path / "elsewhere" / "plain")
    for each in (world, plain):
        carry_out(open_week(each))
    assert forecasts(world) == forecasts(plain)
    assert {row["cutoff_date"] for row in forecasts(world)} == {NEWEST}


@every_name
def test_the_categories_of_a_trained_model_are_its_own(tmp_path: Path, name: str) -> None:
    for folder, code in ((name, 5), *((each, 9) for each in NAMES[name])):
        (tmp_path / folder).mkdir()
        duckdb.execute(
            "copy (select 0 as cat_position, $code as code, 'x' as category_value) to $to"
            " (format parquet)",
            {"code": code, "to": str(tmp_path / folder / "categories.parquet")},
        )
    home = tmp_path / "home"
    home.mkdir()
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(
            """
            create schema salescast_exports;
            create table salescast_exports.exp_series as select
                date '2026-10-31' as cutoff_date, 'x:y' as item_id, 'x' as store_id,
                'y' as department_id;
            create table salescast_exports.exp_deepar__inference as
                select cutoff_date, item_id, '2026-10-10' as series_start, [1e0] as target,
                    'x' as dynamic_feat_key
                from salescast_exports.exp_series
            """
        )
    encoding = Encoding((), tmp_path / name / "categories.parquet")
    to = tmp_path / "inference.json"
    warehouse = DuckDBWarehouse(load_settings(home=home, project_dir=REPOSITORY))
    assert warehouse.export_inference(date(2026, 10, 31), to, encoding) == 1
    assert '"cat":[5]' in to.read_text()


@pytest.mark.parametrize("name", [name for name in NAMES if "?" not in name])
def test_marts_are_published_from_files_of_their_own_folder(tmp_path: Path, name: str) -> None:
    for folder in (name, *NAMES[name]):
        (tmp_path / folder).mkdir()
        duckdb.execute(
            "copy (select $name as x) to $to (format parquet)",
            {"name": folder, "to": str(tmp_path / folder / "part")},
        )
    marts = tmp_path / name / "marts.duckdb"
    table = UnloadedTable("shop_marts", "fct", {"x": "string"}, [tmp_path / name / "part"])
    publish_files([table], marts, config={})
    with duckdb.connect(str(marts), read_only=True) as connection:
        assert connection.execute("from shop_marts.fct").fetchall() == [(name,)]


# The lake


@every_name
def test_copies_of_a_lake_on_s3_are_those_of_the_own_home(
    tmp_path: Path, s3_server: S3Server, name: str
) -> None:
    for stranger in NAMES[name]:
        Lake(tmp_path / stranger).append("champions", champions("theirs"), "first")
    lake = Lake(tmp_path / name, remote=s3_server.prefix())
    lake.append("champions", champions("ours"), "first")
    found = duckdb.sql(f"select model_id from ({lake.scan_sql('champions')})").fetchall()
    assert found == [("ours",)]


OURS = 'Käthe\'s "h[1]" * {a,b}'
"""All signs in one name, with a folder that each alone would take; dbt parses once for it."""
THEIRS = ('Käthe\'s "h1" * {a,b}', 'Käthe\'s "h[1]" x {a,b}', 'Käthe\'s "h1" x a')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    for name in (OURS, *THEIRS):
        Lake(folder / name / "lake").append("champions", champions(name))
    return folder / OURS


def make_lake_tables(home: Path, **environment: str) -> None:
    settings = load_settings(home=home, project_dir=REPOSITORY)
    create_lake_sources(DbtProject(REPOSITORY, home, settings.environment() | environment))


@pytest.mark.dbt
def test_dbt_reads_the_lake_of_its_own_home(home: Path) -> None:
    make_lake_tables(home)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("select model_id from salescast_lake.champions").fetchall()
    assert found == [(OURS,)]


@pytest.mark.dbt
@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SALESCAST_LANDED_FILES": '{"champions": 1, "raw_sales": 2}'},
         "DuckDB finds 0 of the 2 files that have landed in"),
        ({"SALESCAST_LAKE": "/a\\b/lake"}, "has a backslash in it"),
    ],
)  # fmt: skip
def test_dbt_stops_at_a_landed_lake_that_it_reads_as_empty(
    home: Path, variables: dict[str, str], told: str
) -> None:
    with pytest.raises(RunError) as caught:
        make_lake_tables(home, **variables)
    assert told in " ".join(caught.value.what.split())


def test_a_build_is_told_what_has_landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path, project_dir=REPOSITORY)
    for n in (1, 2):
        Lake(settings.lake).append("champions", champions(str(n)))
    told: list[DbtProject] = []
    monkeypatch.setattr(
        "salescast.warehouse.duckdb.dbt_build", lambda project, *_, **__: told.append(project)
    )
    DuckDBWarehouse(settings).build(None)
    assert told[0].environment["SALESCAST_LANDED_FILES"] == '{"champions": 2}'


@pytest.mark.parametrize("target", ["dev", "athena"])
@pytest.mark.parametrize("sign", ["\\", "?", "#"])
def test_a_home_that_duckdb_or_dbt_misreads_is_refused(
    tmp_path: Path, target: str, sign: str
) -> None:
    with pytest.raises(UserError, match="is read otherwise") as caught:
        load_settings(home=tmp_path / f"a{sign}b", target=target, lake_place="s3://bucket/x/lake")
    assert caught.value.where == f"SALESCAST_HOME={tmp_path / f'a{sign}b'}"


# Inputs


@dataclass
class Source:
    """A folder with sales of a store that is named after it."""

    folder: Path

    def write(self, name: str = "sales.csv") -> Path:
        days = [date(2026, 10, day).isoformat() for day in range(1, 29)]
        rows = [(f"{self.folder.name} {name}", "a", day, "1") for day in days]
        return write_csv(self.folder / name, ["store", "department", "date", "sales"], rows)


def mapping_of(path: Path, pattern: str) -> Mapping:
    """A mapping that looks for its sales by a pattern."""
    keys = yaml.safe_load(write_mapping(path, grain="daily", week_ends_on="saturday").read_text())
    keys["tables"]["sales"]["file"] = pattern
    path.write_text(yaml.safe_dump(keys))
    return load_mapping(path, REPOSITORY / "mappings")


def stores_in(lake: Lake) -> set[str]:
    found = duckdb.sql(f"select distinct store from ({lake.scan_sql('raw_sales')})").fetchall()
    return {store for (store,) in found}


@every_name
@pytest.mark.parametrize("as_file", [False, True])
def test_a_source_folder_gives_its_own_rows(tmp_path: Path, name: str, as_file: bool) -> None:
    for folder in (name, *NAMES[name]):
        file = Source(tmp_path / "in" / folder).write()
        if folder == name:
            source = file if as_file else file.parent
    mapping = mapping_of(tmp_path / "m.yml", "sales*.csv")
    lake = Lake(tmp_path / name / "lake")
    result = ingest(source, mapping, lake)
    assert [load.source_file for load in result.loads] == ["sales.csv"]
    assert stores_in(lake) == {f"{name} sales.csv"}


@every_name
@pytest.mark.parametrize("as_pattern", [False, True])
def test_a_source_file_gives_its_own_rows(tmp_path: Path, name: str, as_pattern: bool) -> None:
    """A file is named to the command, or a mapping names it: by its name as it is."""
    source = Source(tmp_path / "in")
    for each in (name, *NAMES[name]):
        source.write(f"{each}.csv")
    own = f"{name}.csv"
    mapping = mapping_of(tmp_path / "m.yml", own if as_pattern else "*.csv")
    lake = Lake(tmp_path / "lake")
    # A * or ? in a mapping is a pattern, which the folder's other files may fit.
    takes_others = as_pattern and ("*" in name or "?" in name)
    ingest(source.folder / own if not as_pattern or takes_others else source.folder, mapping, lake)
    assert stores_in(lake) == {f"in {own}"}


def test_a_name_that_is_a_pattern_of_others_only_stays_one(tmp_path: Path) -> None:
    source = Source(tmp_path / "in")
    source.write("sales1.csv")
    mapping = mapping_of(tmp_path / "m.yml", "sales[1].csv")
    lake = Lake(tmp_path / "lake")
    ingest(source.folder, mapping, lake)
    assert stores_in(lake) == {"in sales1.csv"}
