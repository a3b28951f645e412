"""The lake on S3: what a folder promises, with a copy that is never believed more than S3."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError, UserError
from salescast.forecaster.local import LocalForecaster
from salescast.lake import LAKE_SCHEMAS, Lake, arrow_schema, open_lake
from salescast.lake.loads import counted_loads, retract
from salescast.lake.trained_models import (
    Encoding,
    TrainedModel,
    has_trained_model,
    keep_trained_model,
    read_trained_model,
)
from salescast.s3 import Prefix, open_prefix
from salescast.settings import load_settings
from support.s3_server import BUCKET, S3Server, Wire

from .test_lake import files_no_larger_than

MOMENT = datetime(2026, 11, 22, 13, 14, 15, 123000)
CHAMPION = {
    "model_id": "deepar",
    "trained_model_id": "t1",
    "action": "set",
    "reason": "best",
    "set_at": MOMENT,
}
REST = "null as trained_model_id, 'set' as action"

APPEND = """
import os, sys
from datetime import datetime
from salescast.lake import open_lake
from salescast.settings import load_settings
lake = open_lake(load_settings())
row = {"model_id": sys.argv[1], "reason": "best", "set_at": datetime(2026, 11, 22)}
staged = lake.stage("champions", [row], "first")
if len(sys.argv) > 2:
    lake.remote.s3.meta.events.register(sys.argv[2], lambda **_: os.kill(os.getpid(), 9))
staged.publish()
"""

READ = """
import os
from salescast.lake import open_lake
from salescast.settings import load_settings
lake = open_lake(load_settings())
kill = lambda **_: os.kill(os.getpid(), 9)
lake.remote.s3.meta.events.register("after-call.s3.GetObject", kill)
lake.read("champions")
"""


@pytest.fixture
def prefix(s3_server: S3Server) -> Prefix:
    return s3_server.prefix()


@pytest.fixture
def lake(prefix: Prefix, tmp_path: Path) -> Lake:
    return Lake(tmp_path / "home" / "lake_cache", remote=prefix)


@pytest.fixture
def elsewhere(prefix: Prefix, tmp_path: Path) -> Lake:
    """The same lake, in a home that has copied nothing yet."""
    return Lake(tmp_path / "elsewhere" / "lake_cache", remote=prefix)


def everything_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def put(prefix: Prefix, name: str, body: bytes) -> None:
    prefix.s3.put_object(Bucket=BUCKET, Key=f"{prefix.key}/{name}", Body=body)


@pytest.mark.parametrize("table", list(LAKE_SCHEMAS))
def test_every_table_can_be_read_before_its_first_file(lake: Lake, table: str) -> None:
    assert lake.read(table).schema == arrow_schema(table)
    assert lake.names(table) == []
    assert not lake.has_rows(table)
    with duckdb.connect() as con:
        assert con.sql(lake.scan_sql(table)).columns == list(LAKE_SCHEMAS[table])


def test_rows_come_back_with_types_and_version_in_every_home(lake: Lake, elsewhere: Lake) -> None:
    path = lake.append("champions", [CHAMPION], "first")
    assert path == lake.root / "champions" / "first.parquet"
    for home in (lake, elsewhere):
        assert home.has_file("champions", "first")
        assert home.names("champions") == ["first"]
        assert home.has_rows("champions")
        assert home.read("champions").to_pylist() == [{**CHAMPION, "schema_version": 1}]
        assert home.place == home.remote.uri
    assert everything_in(elsewhere.root) == ["champions/first.parquet"]


def test_arrow_batches_and_queries_are_landed(lake: Lake, elsewhere: Lake) -> None:
    table = pa.table({name: [value] for name, value in CHAMPION.items()})
    lake.append("champions", table.to_reader())
    with duckdb.connect() as con:
        lake.append_query(
            con, "champions", f"select 'b' model_id, 'y' reason, {REST}, now() set_at"
        )
        found = con.sql(f"select model_id from ({elsewhere.scan_sql('champions')})").fetchall()
    assert sorted(found) == [("b",), ("deepar",)]


def test_a_file_keeps_the_texts_of_its_footer(lake: Lake, elsewhere: Lake) -> None:
    with duckdb.connect() as con:
        query = f"select 'b' as model_id, 'y' as reason, {REST}, now() as set_at"
        lake.stage_query(con, "champions", query, name="x", metadata={"k": "it's"}).publish()
    assert elsewhere.file_metadata("champions", "x")["k"] == "it's"


def test_a_landed_file_is_never_overwritten(lake: Lake, elsewhere: Lake) -> None:
    lake.append("champions", [CHAMPION], "once")
    with pytest.raises(RunError, match="already in the lake") as caught:
        elsewhere.append("champions", [{**CHAMPION, "model_id": "other"}], "once")
    assert caught.value.where == f"{lake.place}/champions/once.parquet"
    assert elsewhere.read("champions")["model_id"].to_pylist() == ["deepar"]
    assert lake.read("champions")["model_id"].to_pylist() == ["deepar"]


def test_of_many_writers_of_one_name_one_wins(
    prefix: Prefix, tmp_path: Path, elsewhere: Lake
) -> None:
    start = threading.Barrier(6)

    def append(n: int) -> str | None:
        home = Lake(tmp_path / f"home{n}", remote=prefix)
        staged = home.stage("champions", [{**CHAMPION, "model_id": str(n)}], "once")
        start.wait()
        try:
            staged.publish()
        except RunError:
            return None
        return str(n)

    with ThreadPoolExecutor(6) as pool:
        won = [n for n in pool.map(append, range(6)) if n is not None]
    assert len(won) == 1
    assert elsewhere.read("champions")["model_id"].to_pylist() == won


def test_an_answer_that_was_lost_lands_the_file_once(lake: Lake, elsewhere: Lake) -> None:
    assert lake.remote is not None
    Wire(lake.remote.s3).lose_answers_to = {"PUT"}
    lake.append("champions", [CHAMPION], "once")
    assert elsewhere.read("champions").num_rows == 1
    assert everything_in(lake.root) == ["champions/once.parquet"]


def test_readers_see_only_published_files(lake: Lake, elsewhere: Lake) -> None:
    first = lake.stage("champions", [CHAMPION], "first")
    second = lake.stage("champions", [CHAMPION], "second")
    assert lake.names("champions") == elsewhere.names("champions") == []
    first.publish()
    second.discard()
    assert lake.names("champions") == elsewhere.names("champions") == ["first"]
    assert everything_in(lake.root) == ["champions/first.parquet"]


def test_what_s3_does_not_list_does_not_exist(lake: Lake) -> None:
    folder = lake.folder("champions")
    folder.mkdir(parents=True)
    lake.append("champions", [CHAMPION], "first")
    shutil.copy(folder / "first.parquet", folder / "never.parquet")
    assert lake.names("champions") == ["first"]
    assert [path.stem for path in lake.files("champions")] == ["first"]
    assert not lake.has_file("champions", "never")


def test_only_files_of_the_table_itself_are_its_files(lake: Lake) -> None:
    lake.append("champions", [CHAMPION], "first")
    assert lake.remote is not None
    for name in (
        *("champions/.hidden.parquet", "champions/deep/er.parquet", "champions/notes.txt"),
        *("champions/", "champions2/other.parquet", "lock/lock.json"),
    ):
        put(lake.remote, name, b"x")
    assert lake.names("champions") == ["first"]
    assert lake.read("champions").num_rows == 1
    with pytest.raises(RunError, match="no table 'champions2'"):
        lake.names("champions2")


def test_a_half_copy_is_fetched_again(lake: Lake, elsewhere: Lake) -> None:
    lake.append("champions", [CHAMPION], "first")
    (copy,) = elsewhere.files("champions")
    whole = copy.read_bytes()
    copy.write_bytes(whole[:100])
    assert elsewhere.read("champions").num_rows == 1
    assert copy.read_bytes() == whole


def test_a_copy_is_fetched_once(lake: Lake, elsewhere: Lake) -> None:
    lake.append("champions", [CHAMPION], "first")
    assert lake.remote is not None
    elsewhere.read("champions")
    wire = Wire(lake.remote.s3)
    for home in (lake, elsewhere):
        assert home.read("champions").num_rows == 1
        assert home.file_metadata("champions", "first")
    assert wire.sent == ["GET", "GET"], "two lists of the table"


def test_a_fetch_that_fails_leaves_no_copy(lake: Lake, elsewhere: Lake) -> None:
    noise = (
        f"select md5(i::varchar) as model_id, md5((-i)::varchar) as reason, {REST}, now() as set_at"
    )
    with duckdb.connect() as con:
        lake.append_query(con, "champions", f"{noise} from range(20000) t(i)", name="big")
    with files_no_larger_than(100_000), pytest.raises(RunError, match="disk is full") as caught:
        elsewhere.read("champions")
    assert caught.value.where == str(elsewhere.folder("champions"))
    with files_no_larger_than(100_000), pytest.raises(RunError, match="disk is full"):
        elsewhere.file("champions", "big")
    assert everything_in(elsewhere.root) == []
    assert elsewhere.read("champions").num_rows == 20_000


def test_an_upload_that_fails_lands_nothing_and_can_be_done_again(
    lake: Lake, elsewhere: Lake
) -> None:
    assert lake.remote is not None
    wire = Wire(lake.remote.s3)
    staged = lake.stage("champions", [CHAMPION], "first")
    wire.is_cut = True
    with pytest.raises(Exception, match="Connection was closed"):
        staged.publish()
    wire.is_cut = False
    assert elsewhere.names("champions") == []
    staged.publish()
    assert elsewhere.read("champions").num_rows == 1


@pytest.mark.parametrize(
    ("moment", "landed"),
    [("before-send.s3.PutObject", False), ("after-call.s3.PutObject", True)],
)
def test_a_writer_killed_around_its_put_leaves_a_whole_file_or_none(
    s3_server: S3Server,
    prefix: Prefix,
    elsewhere: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    landed: bool,
) -> None:
    places = {
        "SALESCAST_TARGET": "athena",
        "SALESCAST_HOME": str(tmp_path / "home"),
        "SALESCAST_LAKE": prefix.uri,
    }
    for name, value in (s3_server.environment | places).items():
        monkeypatch.setenv(name, value)
    killed = subprocess.run([sys.executable, "-c", APPEND, "killed", moment], check=False)
    assert killed.returncode == -9
    assert elsewhere.read("champions")["model_id"].to_pylist() == (["killed"] if landed else [])
    lake = open_lake(load_settings())
    assert [path.suffix for path in lake.folder("champions").iterdir()] == [".tmp"]
    lake.append("champions", [CHAMPION], "second")
    assert [path.suffix for path in lake.folder("champions").iterdir()] == [".parquet"]
    models = lake.read("champions")["model_id"].to_pylist()
    assert models == (["killed"] if landed else []) + ["deepar"]


def test_a_reader_killed_in_a_download_leaves_no_copy(
    s3_server: S3Server,
    prefix: Prefix,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake.append("champions", [CHAMPION], "first")
    places = {
        "SALESCAST_TARGET": "athena",
        "SALESCAST_HOME": str(tmp_path / "killed"),
        "SALESCAST_LAKE": prefix.uri,
    }
    for name, value in (s3_server.environment | places).items():
        monkeypatch.setenv(name, value)
    killed = subprocess.run([sys.executable, "-c", READ], check=False)
    assert killed.returncode == -9
    home = open_lake(load_settings())
    assert [path.suffix for path in home.folder("champions").iterdir()] == [".part"]
    assert home.read("champions").num_rows == 1


def test_the_lake_of_the_settings_is_copied_into_the_home(
    s3_server: S3Server, prefix: Prefix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(target="athena", home=tmp_path, lake_place=f"{prefix.uri}/")
    lake = open_lake(settings)
    assert lake.place == prefix.uri
    path = lake.append("champions", [CHAMPION], "first")
    assert path.is_relative_to(tmp_path / "lake_cache" / BUCKET / prefix.key)
    assert prefix.sizes("champions") == {"first.parquet": path.stat().st_size}


def land_rows(lake: Lake, load_id: str) -> None:
    """The record of a load."""
    row = {"load_id": load_id, "table_name": "raw_stores", "source_file": "stores.csv"}
    row |= {"content_hash": "abc", "n_rows": 3, "mapping_name": "mine"}
    lake.append("raw_loads", [{**row, "loaded_at": datetime(2026, 11, 22)}], load_id)


def test_a_load_is_retracted_on_s3(lake: Lake, elsewhere: Lake) -> None:
    land_rows(lake, "20261122t131415000000-ab12")
    retract("20261122t131415000000-ab12", elsewhere, "wrong file")
    assert counted_loads(lake) == []
    with pytest.raises(UserError, match="is retracted already") as caught:
        retract("20261122t131415000000-ab12", lake, "again")
    assert caught.value.where == f"{lake.place}/raw_loads"


def keep(lake: Lake, folder: Path, name: str = "20261122-1-deepar") -> TrainedModel:
    folder.mkdir(parents=True, exist_ok=True)
    artifact = folder / "model.tar.gz"
    artifact.write_bytes(os.urandom(50_000))
    categories = folder / "categories.parquet"
    pq.write_table(pa.table({"code": [1]}), categories)
    return keep_trained_model(
        lake,
        name,
        artifact=artifact,
        encoding=Encoding(("price",), categories),
        model_id="deepar",
        cutoff_date=date(2026, 10, 31),
        prediction_length=13,
        hyperparameters={"epochs": "3"},
        program="salescast.deepar 0.1.0",
    )


def test_a_trained_model_is_read_in_another_home(
    lake: Lake, elsewhere: Lake, tmp_path: Path
) -> None:
    kept = keep(lake, tmp_path / "work")
    assert kept.artifact.parent == lake.root / "trained_models" / kept.trained_model_id
    read = read_trained_model(elsewhere, kept.trained_model_id)
    assert read.artifact.read_bytes() == kept.artifact.read_bytes()
    assert pq.read_table(read.encoding.categories).to_pylist() == [{"code": 1}]
    assert read.folder.is_relative_to(elsewhere.root)
    for name in ("model_id", "cutoff_date", "prediction_length", "hyperparameters", "features"):
        assert getattr(read, name) == getattr(kept, name)


def test_a_trained_model_is_there_once_its_description_is(
    lake: Lake, elsewhere: Lake, tmp_path: Path
) -> None:
    assert lake.remote is not None
    puts = iter(range(10))

    def fail_at_third(**_: Any) -> None:
        if next(puts) == 2:
            raise KeyboardInterrupt

    lake.remote.s3.meta.events.register("before-call.s3.PutObject", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        keep(lake, tmp_path / "work")
    for home in (lake, elsewhere):
        assert not has_trained_model(home, "20261122-1-deepar")
        with pytest.raises(UserError, match="no trained model") as caught:
            read_trained_model(home, "20261122-1-deepar")
        assert caught.value.where == f"{home.place}/trained_models"
    again = keep(lake, tmp_path / "work")
    read = read_trained_model(elsewhere, "20261122-1-deepar")
    assert read.artifact.read_bytes() == again.artifact.read_bytes()


def test_a_trained_model_that_is_not_there_names_those_that_are(
    lake: Lake, elsewhere: Lake, tmp_path: Path
) -> None:
    for n in (2, 1):
        keep(lake, tmp_path / "work", f"2026112{n}-1-deepar")
    with pytest.raises(UserError, match="no trained model other") as caught:
        read_trained_model(elsewhere, "other")
    assert caught.value.fix == "Name one of: 20261121-1-deepar, 20261122-1-deepar."


def test_a_trained_model_half_copied_is_completed(
    lake: Lake, elsewhere: Lake, tmp_path: Path
) -> None:
    kept = keep(lake, tmp_path / "work")
    read = read_trained_model(elsewhere, kept.trained_model_id)
    read.artifact.unlink()
    (read.folder / ".model.tar.gz.1a2b.part").write_bytes(b"half")
    read = read_trained_model(elsewhere, kept.trained_model_id)
    assert read.artifact.read_bytes() == kept.artifact.read_bytes()


def test_a_channel_on_s3_is_fetched_for_a_training(prefix: Prefix, tmp_path: Path) -> None:
    channel = prefix.below("work/batch/run/training")
    for n in range(3):
        channel.write(f"part-0000{n}.json.gz", str(n).encode())
    forecaster = LocalForecaster(threads=1, open_s3=lambda uri: open_prefix(prefix.s3, uri))
    forecaster._fill(tmp_path, channel.uri)
    assert everything_in(tmp_path) == [f"part-0000{n}.json.gz" for n in range(3)]
    assert (tmp_path / "part-00002.json.gz").read_bytes() == b"2"
