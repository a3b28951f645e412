"""Statements and what becomes of them: the exact text for Trino, the session, the calls of Glue."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.gateway.engine import Column, QueryFailed
from local_aws.gateway.sql.rules import ONE_WRITER

from .recording_engine import EXECUTION_ID, FakeEngine, Run

INTEGER = Column(name="a", type="integer", trino_type="integer")


@pytest.mark.parametrize(
    ("query", "substatement"),
    [
        ("select 1", "SELECT"),
        ("/* {dbt} */\nselect ';', \"a\" -- b;\nfrom t", "SELECT"),
        ("with a as (select 1) select * from a", "SELECT"),
        ("with function as (select 1), session as (select 2) select * from function", "SELECT"),
        ("(select 1) union all (select 2)", "SELECT"),
        ("values 1, 2", "SELECT"),
        ("select array_agg(any_value) from t as any_value (any_value)", "SELECT"),
        ("insert into h (a) select 1", "INSERT"),
        ('insert into "awsdatacatalog"."d"."nowhere" values 1', "INSERT"),
        ("merge into d.i as t using s on t.a = s.a when matched then delete", "MERGE"),
        ("update i set a = 1 where b = 'x'", "UPDATE"),
        ("delete from I where a = 1", "DELETE"),
    ],
)
@pytest.mark.parametrize("end", ["", ";", " ;\n-- done\n"])
def test_rows_are_read_and_changed_as_written(
    run: Run, engine: FakeEngine, query: str, substatement: str, end: str
) -> None:
    outcome = run(query + end)
    assert (outcome.statement_type, outcome.substatement_type) == ("DML", substatement)
    assert [sql.rstrip() for sql in engine.sql()] == [query]
    assert engine.ran[0].schema == "d"


def test_a_query_has_its_rows_and_a_change_their_number(run: Run, engine: FakeEngine) -> None:
    engine.rows = [[1], [2]]
    selected = run("select 1").result
    inserted = run("insert into h values (1, 'x')").result
    assert selected is not None and selected.rows == [[1], [2]]
    assert inserted is not None and (inserted.rows, inserted.update_count) == ([], 3)


@pytest.mark.parametrize(("table", "session"), [("h", {}), ("p", ONE_WRITER), ("i", ONE_WRITER)])
def test_insert_into_partitions_has_one_writer(
    run: Run, engine: FakeEngine, table: str, session: dict[str, str]
) -> None:
    run(f"insert into {table} select * from s")
    assert engine.ran[0].session == session


def test_insert_tells_what_it_wrote(run: Run, engine: FakeEngine) -> None:
    engine.s3.addresses = {"s3://lake/d/h/old"}
    engine.on_trino = lambda sql: engine.s3.addresses.update(
        {"s3://lake/d/h/new", "s3://lake/d/h/metadata/x.json", "s3://lake/d/h2/other"}
    )
    assert run("insert into h values (1, 'x')").manifest == ["s3://lake/d/h/new"]


HIVE_CTAS = """create table "awsdatacatalog"."d"."t"
    with (
      table_type='hive',
      is_external=true,
      external_location='s3://lake/w/t/u',{more}
      format='{format}'
    )
    as
      select 1 as a, 'it''s' as b -- ;
"""


@pytest.mark.parametrize(
    ("more", "file_format", "properties", "session"),
    [
        ("", "parquet", "format = 'PARQUET'", {}),
        (
            "partitioned_by=ARRAY['Day', 'b'],",
            "orc",
            "format = 'ORC', partitioned_by = ARRAY['day', 'b']",
            ONE_WRITER,
        ),
        (
            "bucketed_by=ARRAY['a'], bucket_count=4, write_compression='snappy',",
            "parquet",
            "format = 'PARQUET', bucketed_by = ARRAY['a'], bucket_count = 4",
            {"awsdatacatalog.compression_codec": "SNAPPY"},
        ),
        (
            "field_delimiter='|',",
            "textfile",
            "format = 'TEXTFILE', textfile_field_separator = '|'",
            {},
        ),
        (
            "orc_compression='ZLIB',",
            "orc",
            "format = 'ORC'",
            {"awsdatacatalog.compression_codec": "GZIP"},
        ),
        (
            "write_compression='deflate',",
            "avro",
            "format = 'AVRO'",
            {"awsdatacatalog.compression_codec": "GZIP"},
        ),
        (
            "write_compression='none',",
            "json",
            "format = 'JSON'",
            {"awsdatacatalog.compression_codec": "NONE"},
        ),
    ],
)
def test_hive_table_from_a_query(
    run: Run,
    engine: FakeEngine,
    more: str,
    file_format: str,
    properties: str,
    session: dict[str, str],
) -> None:
    engine.on_trino = lambda sql: engine.s3.addresses.add("s3://lake/w/t/u/part")
    outcome = run("-- /* {dbt} */\n" + HIVE_CTAS.format(more=more, format=file_format) + ";")
    assert (outcome.statement_type, outcome.substatement_type) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert outcome.manifest == ["s3://lake/w/t/u/part"]
    assert outcome.result is not None and outcome.result.update_count == 3
    assert engine.sql() == [
        'CREATE TABLE "awsdatacatalog"."d"."t" WITH (external_location = '
        f"'s3://lake/w/t/u', {properties}) AS\n      select 1 as a, 'it''s' as b -- ;\n"
    ]
    assert engine.ran[0].session == session


def test_hive_table_without_a_place_lies_with_the_results(run: Run, engine: FakeEngine) -> None:
    run("create table T as select 1 as a")
    assert engine.sql() == [
        'CREATE TABLE "awsdatacatalog"."d"."t" WITH (external_location = '
        f"'s3://lake/results/tables/{EXECUTION_ID}/', format = 'PARQUET') AS select 1 as a"
    ]


def test_iceberg_table_from_a_query(run: Run, engine: FakeEngine) -> None:
    engine.columns = [INTEGER]
    outcome = run(
        "create table d.t with (table_type='iceberg', is_external=false, location='s3://lake/w/t',"
        " partitioning=ARRAY['day(ts)', 'bucket(id, 4)'], write_compression='zstd',"
        " vacuum_max_snapshot_age_seconds=60, format='parquet') as\nselect 1 as a"
    )
    assert outcome.substatement_type == "CREATE_TABLE_AS_SELECT"
    assert engine.sql() == [
        "SELECT * FROM (\nselect 1 as a\n) LIMIT 0",
        'CREATE TABLE "iceberg"."d"."t" WITH (location = \'s3://lake/w/t\', format = \'PARQUET\', '
        "partitioning = ARRAY['day(ts)', 'bucket(id, 4)'], extra_properties = "
        "MAP(ARRAY['vacuum_max_snapshot_age_seconds'], ARRAY['60'])) AS\nselect 1 as a",
    ]
    assert engine.ran[1].session == {"iceberg.compression_codec": "ZSTD"} | ONE_WRITER


def test_iceberg_table_without_data_is_judged_by_its_query(run: Run, engine: FakeEngine) -> None:
    run(
        "create table t with (table_type='iceberg', is_external=false, location='s3://lake/t') "
        "as select 1 as a with no data"
    )
    assert engine.sql()[0] == "SELECT * FROM ( select 1 as a \n) LIMIT 0"
    assert engine.sql()[1].endswith(" AS select 1 as a with no data")


def test_create_table_as_if_not_exists(run: Run, engine: FakeEngine) -> None:
    assert run("create table if not exists h as select 1 as a").result is None
    assert engine.sql() == []
    run("create table if not exists new as select 1 as a")
    assert len(engine.sql()) == 1


def test_view(run: Run, engine: FakeEngine) -> None:
    engine.columns = [
        Column(name="A", type="integer", trino_type="integer"),
        Column(name="s", type="row", trino_type="row(k timestamp(3), v array(varchar))"),
    ]
    outcome = run('create or replace view "awsdatacatalog"."d"."v"\n  as\n    select 1 as a;')
    assert (outcome.statement_type, outcome.substatement_type) == ("DDL", "CREATE_VIEW")
    assert engine.sql()[1] == (
        'CREATE OR REPLACE VIEW "awsdatacatalog"."d"."v" SECURITY INVOKER AS\n    select 1 as a'
    )
    ((operation, table),) = engine.glue.changes
    assert operation == "update_table"
    assert table["ViewOriginalText"] == "…"
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "a", "Type": "int"},
        {"Name": "s", "Type": "struct<k:timestamp,v:array<string>>"},
    ]


@pytest.mark.parametrize("word", ["schema", "DATABASE"])
def test_databases(run: Run, engine: FakeEngine, word: str) -> None:
    run(f"create {word} if not exists `D`")
    assert engine.glue.changes == []
    run(
        f"create {word} `E` comment 'it\\'s' location 's3://lake/e/' "
        "with dbproperties ('a'='b', \"c\"=\"d\")"
    )
    run(f"alter {word} e set dbproperties ('a'='z')")
    run(f"drop {word} if exists nowhere cascade")
    run(f"drop {word} `e` restrict")
    made = {
        "Name": "e",
        "Description": "it's",
        "LocationUri": "s3://lake/e/",
        "Parameters": {"a": "b", "c": "d"},
    }
    assert engine.glue.changes == [
        ("create_database", made),
        ("update_database", made | {"Parameters": {"a": "z", "c": "d"}}),
        ("delete_database", {"Name": "e"}),
    ]
    assert engine.sql() == []


def test_drop_database_cascade(run: Run, engine: FakeEngine) -> None:
    run("drop schema d cascade;")
    assert engine.glue.tables == {} and engine.glue.databases == {}


def test_external_table_is_written_to_glue(run: Run, engine: FakeEngine) -> None:
    outcome = run(
        r"""-- /* {dbt} */
        create external table if not exists `d`.`T` (
            `Id` int comment 'the \'key\'',
            s struct< `K`: decimal(10, 2), v:array<string> >,
            `date` date
        )
        comment "a table"
        partitioned by (`Day` string comment 'p')
        clustered by (id) into 4 buckets
        row format serde 'org.openx.data.jsonserde.JsonSerDe'
        with serdeproperties ('ignore.malformed.json' = 'true', "path" = '\\d')
        location 's3://lake/j/'
        tblproperties ('classification'='json');
        """
    )
    assert (outcome.statement_type, outcome.substatement_type) == ("DDL", "CREATE_TABLE")
    hive = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
    assert engine.glue.changes == [
        (
            "create_table",
            {
                "Name": "t",
                "Owner": "hadoop",
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE", "comment": "a table", "classification": "json"},
                "PartitionKeys": [{"Name": "day", "Type": "string", "Comment": "p"}],
                "StorageDescriptor": {
                    "Columns": [
                        {"Name": "id", "Type": "int", "Comment": "the 'key'"},
                        {"Name": "s", "Type": "struct<k:decimal(10,2),v:array<string>>"},
                        {"Name": "date", "Type": "date"},
                    ],
                    "Location": "s3://lake/j/",
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": hive,
                    "Compressed": False,
                    "NumberOfBuckets": 4,
                    "BucketColumns": ["id"],
                    "SortColumns": [],
                    "SerdeInfo": {
                        "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                        "Parameters": {
                            "serialization.format": "1",
                            "ignore.malformed.json": "true",
                            "path": "\\d",
                        },
                    },
                    "StoredAsSubDirectories": False,
                },
            },
        )
    ]
    run("create external table if not exists d.t (a int) location 's3://lake/x/'")
    assert len(engine.glue.changes) == 1


@pytest.mark.parametrize(
    ("clause", "serde", "formats", "parameters"),
    [
        ("", "LazySimpleSerDe", "TextInputFormat", {"serialization.format": "1"}),
        ("stored as parquet", "ParquetHiveSerDe", "MapredParquetInputFormat", None),
        ("stored as ORC", "OrcSerde", "OrcInputFormat", None),
        ("stored as avro", "AvroSerDe", "AvroContainerInputFormat", None),
        ("stored as textfile", "LazySimpleSerDe", "TextInputFormat", None),
        ("stored as rcfile", "LazyBinaryColumnarSerDe", "RCFileInputFormat", None),
        ("stored as sequencefile", "LazySimpleSerDe", "SequenceFileInputFormat", None),
        (
            "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerDe' "
            r"with serdeproperties ('separatorChar'='\t', 'escapeChar'='\\')",
            "OpenCSVSerde",
            "TextInputFormat",
            {"serialization.format": "1", "separatorChar": "\t", "escapeChar": "\\"},
        ),
        (
            "row format serde 'org.apache.hive.hcatalog.data.JsonSerDe'",
            "org.apache.hive.hcatalog.data.JsonSerDe",
            "TextInputFormat",
            None,
        ),
        (
            r"row format delimited fields terminated by '\001' escaped by '\\' collection items "
            r"terminated by '|' map keys terminated by ':' lines terminated by '\n' null defined "
            r"as '' stored as inputformat 'a.In' outputformat 'a.Out'",
            "LazySimpleSerDe",
            "a.In",
            {
                "field.delim": "\x01",
                "serialization.format": "\x01",
                "escape.delim": "\\",
                "colelction.delim": "|",
                "mapkey.delim": ":",
                "line.delim": "\n",
                "serialization.null.format": "",
            },
        ),
    ],
)
def test_formats_of_external_tables(
    run: Run,
    engine: FakeEngine,
    clause: str,
    serde: str,
    formats: str,
    parameters: dict[str, str] | None,
) -> None:
    run(f"create external table t (a int) {clause} location 's3://lake/x/'")
    storage = engine.glue.tables["d", "t"]["StorageDescriptor"]
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith(serde)
    assert storage["InputFormat"].endswith(formats)
    if parameters is not None:
        assert storage["SerdeInfo"]["Parameters"] == parameters


def test_iceberg_table_by_its_columns(run: Run, engine: FakeEngine) -> None:
    run(
        "create table if not exists d.t (id int comment 'it\\'s', `ts` timestamp, n decimal(9,2), "
        "s struct<a:int,b:array<string>>) comment 'tab' partitioned by (bucket(16, id), day(ts), "
        "truncate(10, `n`), id) location 's3://lake/t/' tblproperties ('table_type'='ICEBERG', "
        "'format'='parquet', 'write_compression'='zstd', 'vacuum_min_snapshots_to_keep'='3')"
    )
    assert engine.sql() == [
        'CREATE TABLE "iceberg"."d"."t" ("id" integer COMMENT \'it\'\'s\', "ts" timestamp(6), '
        '"n" decimal(9,2), "s" row("a" integer, "b" array(varchar))) COMMENT \'tab\' '
        "WITH (location = 's3://lake/t/', format = 'PARQUET', partitioning = "
        "ARRAY['bucket(id, 16)', 'day(ts)', 'truncate(n, 10)', 'id'], extra_properties = "
        "MAP(ARRAY['vacuum_min_snapshots_to_keep'], ARRAY['3']))"
    ]
    assert engine.ran[0].session == {"iceberg.compression_codec": "ZSTD"}
    run(
        "create table if not exists i (a int) location 's3://lake/i/' "
        "tblproperties ('table_type'='iceberg')"
    )
    assert len(engine.sql()) == 1


ICEBERG = 'ALTER TABLE "iceberg"."d"."i" '


@pytest.mark.parametrize(
    ("change", "statements"),
    [
        ("rename to `d`.`j`", [ICEBERG + 'RENAME TO "iceberg"."d"."j"']),
        (
            "add columns (`c` string comment 'x', e map<string,timestamp>)",
            [
                ICEBERG + "ADD COLUMN \"c\" varchar COMMENT 'x'",
                ICEBERG + 'ADD COLUMN "e" map(varchar, timestamp(6))',
            ],
        ),
        ("drop column `b`", [ICEBERG + 'DROP COLUMN "b"']),
        ("change column a a bigint", [ICEBERG + 'ALTER COLUMN "a" SET DATA TYPE bigint']),
        (
            "change a c int comment 'new'",
            [
                ICEBERG + 'RENAME COLUMN "a" TO "c"',
                'COMMENT ON COLUMN "iceberg"."d"."i"."c" IS \'new\'',
            ],
        ),
        (
            "set tblproperties ('vacuum_max_snapshot_age_seconds'='60')",
            [
                ICEBERG + "SET PROPERTIES extra_properties = "
                "MAP(ARRAY['vacuum_max_snapshot_age_seconds'], ARRAY['60'])"
            ],
        ),
    ],
)
@pytest.mark.parametrize("name", ["i", "`d`.`i`"])
def test_iceberg_table_is_changed_by_trino(
    run: Run, engine: FakeEngine, name: str, change: str, statements: list[str]
) -> None:
    outcome = run(f"alter table {name} {change}")
    assert (outcome.statement_type, outcome.substatement_type) == ("DDL", "ALTER_TABLE")
    assert engine.sql() == statements
    assert engine.glue.changes == []


@pytest.mark.parametrize(
    "change", ["add columns(a__dbt_alter bigint);", "drop column a;", "change column a b2 int"]
)
def test_dbt_changes_columns_by_the_full_name(run: Run, engine: FakeEngine, change: str) -> None:
    run(f"alter table awsdatacatalog.d.i {change}")
    assert engine.sql()[0].startswith(ICEBERG)


A, B = {"Name": "a", "Type": "int"}, {"Name": "b", "Type": "string", "Comment": "bb"}


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ("add columns (c array<int>)", [A, B, {"Name": "c", "Type": "array<int>"}]),
        ("replace columns (`z` float)", [{"Name": "z", "Type": "float"}]),
        ("change column a c bigint", [{"Name": "c", "Type": "bigint"}, B]),
        ("change b b string", [A, B]),
        ("change b b string first", [B, A]),
        ("change a a int after b", [B, A]),
    ],
)
def test_columns_of_a_hive_table_are_changed_in_glue(
    run: Run, engine: FakeEngine, change: str, columns: list[dict[str, str]]
) -> None:
    run(f"alter table `d`.`h` {change}")
    ((operation, table),) = engine.glue.changes
    assert operation == "update_table"
    assert table["StorageDescriptor"]["Columns"] == columns
    assert table["Parameters"] == {"EXTERNAL": "TRUE", "classification": "parquet"}
    assert engine.sql() == []


def test_properties_and_place_of_a_hive_table(run: Run, engine: FakeEngine) -> None:
    run("alter table `d`.`h` set tblproperties ('classification' = 'orc', 'x' = '1')")
    run("alter table h set location 's3://lake/other/'")
    held = engine.glue.tables["d", "h"]
    assert held["Parameters"] == {"EXTERNAL": "TRUE", "classification": "orc", "x": "1"}
    assert held["StorageDescriptor"]["Location"] == "s3://lake/other/"


def test_partitions(run: Run, engine: FakeEngine) -> None:
    def shown(more: str = "") -> list[str]:
        result = run(f"show partitions p {more}").result
        assert result is not None
        return [row[0] for row in result.rows]

    run(
        "alter table p add partition (n=1, day='a/b') partition (day=date '2024-01-02', n=2) "
        "location 's3://lake/q/'"
    )
    run("alter table p add if not exists partition (day='a/b', n=1)")
    assert shown() == ["day=2024-01-02/n=2", "day=a%2Fb/n=1"]
    assert shown("partition (n=2)") == ["day=2024-01-02/n=2"]
    held = engine.glue.partitions["d", "p"]
    assert [(found["Values"], found["StorageDescriptor"]["Location"]) for found in held] == [
        (["a/b", "1"], "s3://lake/d/h/day=a%2Fb/n=1/"),
        (["2024-01-02", "2"], "s3://lake/q/"),
    ]
    run("alter table p partition (day='2024-01-02', n=2) set location 's3://lake/r/'")
    assert held[-1]["StorageDescriptor"]["Location"] == "s3://lake/r/"
    run("alter table p partition (day='2024-01-02', n=2) rename to partition (day='c', n=3)")
    assert shown() == ["day=a%2Fb/n=1", "day=c/n=3"]
    with pytest.raises(QueryFailed, match="Partition already exists: p day=a%2Fb/n=1"):
        run("alter table p partition (day='c', n=3) rename to partition (day='a/b', n=1)")
    assert shown() == ["day=a%2Fb/n=1", "day=c/n=3"]
    run("alter table p drop partition (day='c'), partition (n=1)")
    assert shown() == []
    run("alter table p drop if exists partition (day='c')")


@pytest.mark.parametrize(
    ("query", "changes", "statements"),
    [
        ("drop table if exists `d`.`nowhere`", [], []),
        ("drop table `d`.`h`;", [("delete_table", {"DatabaseName": "d", "Name": "h"})], []),
        ("drop table if exists i", [], ['DROP TABLE "iceberg"."d"."i"']),
        ("drop view if exists nowhere", [], []),
        (
            'drop view "awsdatacatalog"."d"."v"',
            [("delete_table", {"DatabaseName": "d", "Name": "v"})],
            [],
        ),
    ],
)
def test_drop(
    run: Run, engine: FakeEngine, query: str, changes: list[Any], statements: list[str]
) -> None:
    run(query)
    assert engine.glue.changes == changes
    assert engine.sql() == statements


UNLOAD_TABLE = '"awsdatacatalog"."__unload__"."unload_11111111_2222_3333_4444_555555555555"'


@pytest.mark.parametrize(
    ("options", "properties", "session"),
    [
        ("format = 'JSON'", "format = 'JSON'", {"awsdatacatalog.compression_codec": "GZIP"}),
        (
            "format='parquet', compression='snappy', partitioned_by = ARRAY['b']",
            "format = 'PARQUET', partitioned_by = ARRAY['b']",
            {"awsdatacatalog.compression_codec": "SNAPPY"} | ONE_WRITER,
        ),
        (
            "format='ORC', compression='zlib'",
            "format = 'ORC'",
            {"awsdatacatalog.compression_codec": "GZIP"},
        ),
        (
            "format='TEXTFILE', field_delimiter=','",
            "format = 'TEXTFILE', textfile_field_separator = ','",
            {"awsdatacatalog.compression_codec": "GZIP"},
        ),
    ],
)
def test_unload(
    run: Run, engine: FakeEngine, options: str, properties: str, session: dict[str, str]
) -> None:
    engine.on_trino = lambda sql: engine.s3.addresses.add("s3://lake/u/1/x.gz")
    outcome = run(f"unload (select a, (b) from h -- )\n) to 's3://lake/u/1/' with ({options});")
    assert (outcome.statement_type, outcome.substatement_type) == ("DML", "UNLOAD")
    assert outcome.manifest == ["s3://lake/u/1/x.gz"]
    assert engine.sql() == [
        f"CREATE TABLE {UNLOAD_TABLE} WITH (external_location = 's3://lake/u/1/', {properties}) "
        "AS select a, (b) from h -- )\n"
    ]
    assert engine.ran[0].session == session
    assert [operation for operation, _ in engine.glue.changes] == [
        "create_database",
        "delete_table",
    ]


def test_an_unload_that_fails_leaves_no_table(run: Run, engine: FakeEngine) -> None:
    engine.failure = QueryFailed("GENERIC_INTERNAL_ERROR", "no")
    with pytest.raises(QueryFailed, match="no"):
        run("unload (select 1 as a) to 's3://lake/u/1/' with (format='json')")
    assert engine.glue.changes[-1][0] == "delete_table"


def test_msck_repair_tells_what_it_found(run: Run, engine: FakeEngine) -> None:
    engine.on_trino = lambda sql: engine.glue.partitions.update(
        {("d", "p"): [{"Values": ["x", "1"]}]}
    )
    result = run("msck repair table `p`").result
    assert engine.sql() == [
        "CALL \"awsdatacatalog\".system.sync_partition_metadata('d', 'p', 'ADD')"
    ]
    assert result is not None and result.rows == [
        ["Partitions not in metastore:\tp:day=x/n=1"],
        ["Repair: Added partition to metastore p:day=x/n=1"],
    ]


def test_optimize_and_vacuum(run: Run, engine: FakeEngine) -> None:
    run("optimize d.i rewrite data using bin_pack where a > 1")
    engine.rows = [["vacuum_max_snapshot_age_seconds", "60"]]
    run("vacuum awsdatacatalog.d.i;")
    engine.rows = []
    run("vacuum i")
    assert engine.sql() == [
        ICEBERG + "EXECUTE optimize where a > 1",
        'SELECT key, value FROM "iceberg"."d"."i$properties"',
        ICEBERG + "EXECUTE expire_snapshots(retention_threshold => '60s')",
        ICEBERG + "EXECUTE remove_orphan_files(retention_threshold => '60s')",
        'SELECT key, value FROM "iceberg"."d"."i$properties"',
        ICEBERG + "EXECUTE expire_snapshots(retention_threshold => '432000s')",
        ICEBERG + "EXECUTE remove_orphan_files(retention_threshold => '432000s')",
    ]


@pytest.mark.parametrize(
    ("query", "column", "rows"),
    [
        ("show databases", "database_name", ["d"]),
        ("show schemas like 'x*'", "database_name", []),
        ("show tables", "tab_name", ["h", "i", "p", "v"]),
        ("show tables in `d` 'h|i.*'", "tab_name", ["h", "i"]),
        ("show views from d", "views", ["v"]),
        ("show columns in h", "field", ["a".ljust(20), "b".ljust(20)]),
        ("show columns from h in d", "field", ["a".ljust(20), "b".ljust(20)]),
        (
            "describe d.h",
            "col_name",
            [
                "\t".join(part.ljust(20) for part in ("a", "int", "")),
                "\t".join(part.ljust(20) for part in ("b", "string", "bb")),
            ],
        ),
        ("show tblproperties h", "prpt_name", ["EXTERNAL\tTRUE", "classification\tparquet"]),
        ("show tblproperties h('classification')", "prpt_name", ["parquet"]),
        (
            "show create table p",
            "createtab_stmt",
            [
                "CREATE EXTERNAL TABLE `p`(",
                "  `a` int, ",
                "  `b` string COMMENT 'bb')",
                "PARTITIONED BY ( ",
                "  `day` string, ",
                "  `n` int)",
                "ROW FORMAT SERDE ",
                "  'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' ",
                "WITH SERDEPROPERTIES ( ",
                "  'serialization.format'='1') ",
                "STORED AS INPUTFORMAT ",
                "  'in' ",
                "OUTPUTFORMAT ",
                "  'out'",
                "LOCATION",
                "  's3://lake/d/h/'",
                "TBLPROPERTIES (",
                "  'classification'='parquet')",
            ],
        ),
    ],
)
def test_show(run: Run, engine: FakeEngine, query: str, column: str, rows: list[str]) -> None:
    outcome = run(query)
    assert outcome.statement_type == "UTILITY"
    assert outcome.result is not None
    assert [(c.name, c.type) for c in outcome.result.columns] == [(column, "string")]
    assert outcome.result.rows == [[row] for row in rows]
    assert engine.sql() == []


def test_describe_tells_the_partition_columns_twice(run: Run) -> None:
    result = run("desc p").result
    assert result is not None
    names = [row[0].split("\t")[0].strip() for row in result.rows]
    assert names == [
        "a",
        "b",
        "day",
        "n",
        "",
        "# Partition Information",
        "# col_name",
        "",
        "day",
        "n",
    ]


def test_an_iceberg_table_shows_its_own_properties(run: Run, engine: FakeEngine) -> None:
    engine.rows = [["write.x", "1"], ["vacuum_min_snapshots_to_keep", "2"]]
    shown = run("show tblproperties i").result
    created = run("show create table i").result
    assert shown is not None and shown.rows == [
        ["table_type\ticeberg"],
        ["vacuum_min_snapshots_to_keep\t2"],
        ["write.x\t1"],
    ]
    assert created is not None and [row[0] for row in created.rows] == [
        "CREATE TABLE d.i (",
        "  a int, ",
        "  b string COMMENT 'bb')",
        "LOCATION 's3://lake/d/h/'",
        "TBLPROPERTIES (",
        "  'table_type'='iceberg', ",
        "  'vacuum_min_snapshots_to_keep'='2')",
    ]


def test_show_create_view(run: Run, engine: FakeEngine) -> None:
    engine.rows = [["CREATE VIEW awsdatacatalog.d.v SECURITY INVOKER AS\nSELECT 1 a"]]
    result = run("show create view v").result
    assert engine.sql() == ['SHOW CREATE VIEW "awsdatacatalog"."d"."v"']
    assert result is not None and result.rows == [
        ["CREATE VIEW awsdatacatalog.d.v AS"],
        ["SELECT 1 a"],
    ]


@pytest.mark.parametrize(
    "query",
    [
        "explain select 1",
        "explain (type io, format json) select 1",
        "explain analyze (select 1)",
        "explain insert into h select 1, 'x'",
        "explain (type validate) delete from i",
        "explain (select 1)",
    ],
)
def test_explain_has_a_row_a_line(run: Run, engine: FakeEngine, query: str) -> None:
    engine.columns = [Column(name="Query Plan", type="varchar", trino_type="varchar")]
    engine.rows = [["one\n  two"]]
    outcome = run(query)
    assert (outcome.statement_type, outcome.substatement_type) == ("UTILITY", "EXPLAIN")
    assert outcome.result is not None and outcome.result.rows == [["one"], ["  two"]]
    assert engine.sql() == [query]


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("select ? -- it's", "EXECUTE IMMEDIATE 'select ? -- it''s' USING 'a''b', 2"),
        (
            "create table t as select ? as a",
            'EXECUTE IMMEDIATE \'CREATE TABLE "awsdatacatalog"."d"."t" WITH (external_location = '
            f"''s3://lake/results/tables/{EXECUTION_ID}/'', format = ''PARQUET'') AS select ? as a'"
            " USING 'a''b', 2",
        ),
    ],
)
def test_parameters_of_the_request(run: Run, engine: FakeEngine, query: str, sent: str) -> None:
    run(query, parameters=["'a''b'", "2"])
    assert engine.sql() == [sent]


def test_prepared_statements(run: Run, engine: FakeEngine) -> None:
    run("prepare my_query from select ? from h where a in (?)")
    outcome = run("execute My_Query using concat('x', ','), array[1, 2]")
    assert outcome.substatement_type == "SELECT"
    assert engine.sql() == [
        "EXECUTE IMMEDIATE 'select ? from h where a in (?)' USING concat('x', ','), array[1, 2]"
    ]
    run("prepare my_query from select 2;")
    run("execute my_query")
    assert engine.sql()[1] == "select 2"
    run("prepare my_query from select ?")
    run("execute my_query", parameters=["3"])
    assert engine.sql()[2] == "EXECUTE IMMEDIATE 'select ?' USING 3"
    with pytest.raises(QueryFailed, match="from USING or from the request"):
        run("execute my_query using 3", parameters=["3"])
    run("deallocate prepare my_query")
    with pytest.raises(QueryFailed, match="my_query was not found in workGroup primary"):
        run("execute my_query")


@pytest.mark.parametrize(
    ("query", "sent", "shown"),
    [
        ("select nope", "line 1:8: no", "line 1:8: no"),
        ("create or replace view v\nas select a,\n  nope", "line 2:3: no", "line 3:3: no"),
        ("create view w as select 1", "line 1:1: no", "line 1:1: no"),
        ("create view w as select 1", "no place", "no place"),
    ],
)
def test_positions_are_those_of_the_users_statement(
    run: Run, engine: FakeEngine, query: str, sent: str, shown: str
) -> None:
    engine.failure = QueryFailed(
        name="COLUMN_NOT_FOUND", message=sent, category=2, type=1000, retryable=False
    )
    with pytest.raises(QueryFailed) as caught:
        run(query)
    assert caught.value.message == shown


def test_position_on_the_line_of_the_head(run: Run, engine: FakeEngine) -> None:
    query = "create table t as select a,\n nope from h"

    def fail(sql: str) -> None:
        column = sql.split("\n")[0].index("select a") + 8
        raise QueryFailed(
            name="X", message=f"line 1:{column}: no", category=2, type=1000, retryable=False
        )

    engine.on_trino = fail
    with pytest.raises(QueryFailed) as caught:
        run(query)
    assert caught.value.message == f"line 1:{query.index('select a') + 8}: no"
    assert (caught.value.name, caught.value.category) == ("X", 2)
