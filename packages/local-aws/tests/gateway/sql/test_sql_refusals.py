"""What Athena refuses: the words, and that nothing has reached Trino, Glue or S3 before."""

from __future__ import annotations

import pytest

from local_aws.gateway.engine import Column, QueryFailed
from local_aws.gateway.sql.newer_functions import NEWER_FUNCTIONS
from local_aws.gateway.sql.prepared import STATEMENTS, PreparedStatement

from .recording_engine import FakeEngine, Run

UNSUPPORTED = "NOT_SUPPORTED: Queries of this type are not supported"
HIVE_ROWS = "NOT_SUPPORTED: Modifying Hive table rows is only supported for transactional tables"
ICEBERG = "table_type='iceberg', is_external=false, location='s3://lake/x'"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "SYNTAX_ERROR: line 1:1: mismatched input '<EOF>'. Expecting: <query>"),
        ("-- nothing", "SYNTAX_ERROR: line 1:1: mismatched input '<EOF>'. Expecting: <query>"),
        (
            "create or replace table t as select 1 as a",
            "SYNTAX_ERROR: line 1:19: mismatched input 'table'. Expecting: 'VIEW'",
        ),
        (
            "create or replace\n  materialized view t as select 1 as a",
            "SYNTAX_ERROR: line 2:3: mismatched input 'materialized'. Expecting: 'VIEW'",
        ),
        (
            "create materialized view t as select 1 as a",
            "SYNTAX_ERROR: line 1:8: mismatched input 'materialized'. Expecting: "
            "'DATABASE', 'EXTERNAL', 'OR', 'SCHEMA', 'TABLE', 'VIEW'",
        ),
        (
            "create function f() returns int return 1",
            "SYNTAX_ERROR: line 1:8: mismatched input 'function'. Expecting: "
            "'DATABASE', 'EXTERNAL', 'OR', 'SCHEMA', 'TABLE', 'VIEW'",
        ),
        ("truncate table h", UNSUPPORTED),
        ("call system.runtime.kill_query('x')", UNSUPPORTED),
        ("analyze h", UNSUPPORTED),
        ("comment on table h is 'x'", UNSUPPORTED),
        ("refresh materialized view v", UNSUPPORTED),
        ("grant select on h to user x", UNSUPPORTED),
        ("revoke select on h from user x", UNSUPPORTED),
        ("set session task_concurrency = 1", UNSUPPORTED),
        ("use d", UNSUPPORTED),
        ("start transaction", UNSUPPORTED),
        ("commit", UNSUPPORTED),
        (
            "show functions",
            "SYNTAX_ERROR: line 1:6: mismatched input 'functions'. Expecting: 'COLUMNS', 'CREATE',"
            " 'DATABASES', 'PARTITIONS', 'SCHEMAS', 'TABLES', 'TBLPROPERTIES', 'VIEWS'",
        ),
        (
            "execute immediate 'select 1'",
            "SYNTAX_ERROR: line 1:19: mismatched input ''select 1''. Expecting: <EOF>",
        ),
        (
            "with function f(x int) returns int return x select f(1)",
            "SYNTAX_ERROR: line 1:15: mismatched input 'f'. Expecting: 'AS', '('",
        ),
        (
            "with session x = 1 select 2",
            "SYNTAX_ERROR: line 1:14: mismatched input 'x'. Expecting: 'AS', '('",
        ),
        (
            "select 1; select 2",
            "SYNTAX_ERROR: Only one sql statement is allowed. Got: select 1; select 2",
        ),
        (
            "drop table h; drop table i",
            "SYNTAX_ERROR: Only one sql statement is allowed. Got: drop table h; drop table i",
        ),
        ("select 'it''s", "SYNTAX_ERROR: line 1:8: ' is never closed"),
        ("'select", "SYNTAX_ERROR: line 1:1: ' is never closed"),
        ("select 1\n/* x", "SYNTAX_ERROR: line 2:1: /* is never closed"),
        (
            "drop table `h",
            "FAILED: ParseException line 1:11 ` is never closed",
        ),
        (
            "select 1_000",
            "SYNTAX_ERROR: line 1:8: identifiers must not start with a digit; surround the "
            "identifier with double quotes",
        ),
        (
            "select 0xff",
            "SYNTAX_ERROR: line 1:8: identifiers must not start with a digit; surround the "
            "identifier with double quotes",
        ),
        (
            f"select array[{', '.join(['(1, 2)'] * 255)}]",
            "NOT_SUPPORTED: line 1:8: Too many arguments for array constructor",
        ),
        (
            "select '" + "é" * 131_072 + "'",
            "QUERY_TEXT_TOO_LARGE: Query text has 262153 bytes, the maximum is 262144",
        ),
        (
            "insert overwrite h select 1",
            "SYNTAX_ERROR: line 1:8: mismatched input 'overwrite'. Expecting: 'INTO'",
        ),
        (
            "insert into x.d.h select 1",
            "CATALOG_NOT_FOUND: line 1:13: Catalog 'x' does not exist",
        ),
        (
            'select 1 from h join "iceberg".d.i on true',
            "CATALOG_NOT_FOUND: line 1:22: Catalog 'iceberg' does not exist",
        ),
        (
            "select * from system.runtime.queries",
            "CATALOG_NOT_FOUND: line 1:15: Catalog 'system' does not exist",
        ),
        ("insert into v select 1", "NOT_SUPPORTED: Inserting into views is not supported"),
        ("delete from h where a = 1", HIVE_ROWS),
        ("update h set a = 1", HIVE_ROWS),
        ("merge into p as t using s on t.a = s.a when matched then delete", HIVE_ROWS),
        (
            "select * from h, iceberg.d.i",
            "CATALOG_NOT_FOUND: line 1:18: Catalog 'iceberg' does not exist",
        ),
        (
            "select * from ((h) join (iceberg.d.i) on true)",
            "CATALOG_NOT_FOUND: line 1:26: Catalog 'iceberg' does not exist",
        ),
        (
            "select (select max(a) from h), 1 from (select 1) as x (a), system.runtime.queries",
            "CATALOG_NOT_FOUND: line 1:60: Catalog 'system' does not exist",
        ),
        (
            "explain analyze insert into h select 1, 'x'",
            "SYNTAX_ERROR: line 1:17: mismatched input 'insert'. Expecting: 'SELECT', 'VALUES',"
            " 'WITH'",
        ),
        (
            "explain analyze delete from i",
            "SYNTAX_ERROR: line 1:17: mismatched input 'delete'. Expecting: 'SELECT', 'VALUES',"
            " 'WITH'",
        ),
        ("explain delete from h where a = 1", HIVE_ROWS),
        ("explain insert into v select 1", "NOT_SUPPORTED: Inserting into views is not supported"),
        *(
            (
                statement,
                f"SYNTAX_ERROR: line 1:{statement.index('`') + 1}: backquoted identifiers are not "
                "supported; use double quotes to quote identifiers",
            )
            for statement in (
                "create table `t` as select 1 as a",
                "create or replace view d.`w` as select 1 as a",
                "drop view `v`",
                "optimize `i` rewrite data using bin_pack",
                "vacuum `i`",
                "insert into `h` select 1",
            )
        ),
        (
            "using external function f(x int) returns int lambda 'l' select f(1)",
            "NOT_SUPPORTED: USING EXTERNAL FUNCTION exists on Athena and is not carried out by the "
            "local Athena",
        ),
        (
            "alter view v dialect",
            "NOT_SUPPORTED: ALTER VIEW exists on Athena and is not carried out by the local Athena",
        ),
        (
            "explain create table t as select 1 as a",
            "SYNTAX_ERROR: line 1:9: mismatched input 'create'. Expecting: 'SELECT', 'VALUES',"
            " 'WITH'",
        ),
        (
            "select * from h where a in (select f.b from f) and any_value(a) = 1",
            "FUNCTION_NOT_FOUND: line 1:52: Function 'any_value' not registered",
        ),
    ],
)
def test_queries(run: Run, engine: FakeEngine, query: str, message: str) -> None:
    assert_refused(run, engine, query, message)


def assert_refused(run: Run, engine: FakeEngine, query: str, message: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        run(query)
    assert f"{caught.value.name}: {caught.value.message}" == message
    assert (caught.value.category, caught.value.retryable) == (2, False)
    assert engine.sql() == []
    assert engine.glue.changes == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "create table t with (format='parquet', color='red') as select 1 as a",
            "INVALID_TABLE_PROPERTY: line 1:1: table property 'color' does not exist",
        ),
        (
            "create table t with (location='s3://lake/x') as select 1 as a",
            "INVALID_TABLE_PROPERTY: line 1:1: table property 'location' does not exist",
        ),
        (
            f"create table t with ({ICEBERG}, external_location='s3://lake/x') as select 1 as a",
            "INVALID_TABLE_PROPERTY: line 1:1: table property 'external_location' does not exist",
        ),
        (
            "create table t with (write_compression='zstd', compression_level=3) as select 1 as a",
            "NOT_SUPPORTED: The property compression_level exists on Athena and is not carried out "
            "by the local Athena",
        ),
        (
            "create table t with (format='parquet', format='orc') as select 1 as a",
            "DUPLICATE_PROPERTY: line 1:1: Duplicate property: format",
        ),
        (
            "create table t with (format='csv') as select 1 as a",
            "INVALID_TABLE_PROPERTY: Invalid value for 'format': 'csv'; one of PARQUET, ORC, AVRO,"
            " JSON, TEXTFILE is expected",
        ),
        (
            "create table t with (bucket_count='many') as select 1 as a",
            "INVALID_TABLE_PROPERTY: Invalid value for 'bucket_count': 'many'",
        ),
        (
            "create table t with (is_external=false) as select 1 as a",
            "INVALID_TABLE_PROPERTY: A Hive table is external: is_external = false is for Iceberg",
        ),
        (
            "create table t with (table_type='iceberg', location='s3://lake/x') as select 1 as a",
            "INVALID_TABLE_PROPERTY: An Iceberg table is not external: set is_external = false",
        ),
        (
            "create table t with (table_type='iceberg', is_external=false) as select 1 as a",
            "INVALID_TABLE_PROPERTY: An Iceberg table needs the property 'location'",
        ),
        (
            "create table t with (write_compression='snappy', parquet_compression='gzip') as "
            "select 1 as a",
            "INVALID_TABLE_PROPERTY: Only one of write_compression and parquet_compression can be "
            "given",
        ),
        (
            "create table t with (write_compression='lz4') as select 1 as a",
            "INVALID_TABLE_PROPERTY: line 1:1: Unsupported compression for PARQUET: lz4; one of "
            "GZIP, SNAPPY, ZSTD, NONE is expected",
        ),
        (
            f"create table t with ({ICEBERG}, format='orc', write_compression='gzip') as select 1",
            "INVALID_TABLE_PROPERTY: line 1:1: Unsupported compression for ORC: gzip; one of LZ4, "
            "SNAPPY, ZLIB, ZSTD, NONE is expected",
        ),
        (
            "create table t (a int) location 's3://lake/x/' tblproperties "
            "('table_type'='iceberg', 'format'='avro', 'write_compression'='gzip')",
            "INVALID_TABLE_PROPERTY: line 1:1: Unsupported compression for AVRO: gzip; one of "
            "BZIP2, DEFLATE, SNAPPY, ZSTD, NONE is expected",
        ),
        (
            "create table t with (format='json', write_compression='bzip2') as select 1 as a",
            "NOT_SUPPORTED: The compression BZIP2 exists on Athena and is not carried out by the "
            "local Athena",
        ),
        (
            "create table t with (external_location='/tmp/x') as select 1 as a",
            "INVALID_TABLE_PROPERTY: The location '/tmp/x' is not an s3:// folder",
        ),
        (
            "create table h as select 1 as a",
            "TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.d.h' already exists",
        ),
        (
            "create table t with (external_location='s3://lake/full') as select 1 as a",
            "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'd.t' already exists: "
            "s3://lake/full. You may need to manually clean the data at location 's3://lake/full' "
            "before retrying. Athena will not delete data in your account.",
        ),
        (
            "create table t (a int)",
            "FAILED: SemanticException CREATE TABLE without EXTERNAL is for Iceberg tables only: "
            "add TBLPROPERTIES ('table_type'='ICEBERG')",
        ),
        (
            "create table t like h",
            "SYNTAX_ERROR: line 1:16: mismatched input 'like'. Expecting: 'AS'",
        ),
    ],
)
def test_tables_from_queries(run: Run, engine: FakeEngine, query: str, message: str) -> None:
    engine.s3.addresses = {"s3://lake/full/part-0"}
    assert_refused(run, engine, query, message)


def test_a_neighbour_is_not_in_the_way(run: Run, engine: FakeEngine) -> None:
    engine.s3.addresses = {"s3://lake/full2/part-0"}
    run("create table t with (external_location='s3://lake/full') as select 1 as a")
    assert len(engine.sql()) == 1


@pytest.mark.parametrize(
    ("trino_type", "message"),
    [
        (
            "timestamp(3)",
            'Timestamp precision (3) not supported for Iceberg. Use "timestamp(6)" instead.',
        ),
        (
            "array(timestamp(0) with time zone)",
            "Timestamp precision (0) not supported for Iceberg. "
            'Use "timestamp(6) with time zone" instead.',
        ),
        ("smallint", "Type not supported for Iceberg: smallint"),
        ("row(a tinyint)", "Type not supported for Iceberg: tinyint"),
        ("char(3)", "Type not supported for Iceberg: char(3)"),
        ("json", "Type not supported for Iceberg: json"),
        ("time(6)", "Type not supported for Iceberg: time(6)"),
        ("array(uuid)", "Type not supported for Iceberg: uuid"),
    ],
)
def test_types_that_iceberg_does_not_store(
    run: Run, engine: FakeEngine, trino_type: str, message: str
) -> None:
    engine.columns = [Column(name="a", type="x", trino_type=trino_type)]
    with pytest.raises(QueryFailed) as caught:
        run(f"create table t with ({ICEBERG}) as select 1 as a")
    assert (caught.value.name, caught.value.message) == ("NOT_SUPPORTED", message)
    assert engine.sql() == ["SELECT * FROM ( select 1 as a\n) LIMIT 0"]


@pytest.mark.parametrize(
    "trino_type",
    ["timestamp(6)", "timestamp(6) with time zone", "integer", "array(row(a varchar, b real))"],
)
def test_types_that_iceberg_stores(run: Run, engine: FakeEngine, trino_type: str) -> None:
    engine.columns = [Column(name="a", type="x", trino_type=trino_type)]
    run(f"create table t with ({ICEBERG}) as select 1 as a")
    assert len(engine.sql()) == 2


def test_types_that_a_view_cannot_have(run: Run, engine: FakeEngine) -> None:
    engine.columns = [Column(name="now", type="x", trino_type="array(timestamp(3) with time zone)")]
    with pytest.raises(QueryFailed) as caught:
        run("create view w as select array[now()] as now")
    assert caught.value.message == (
        "Invalid column type for column now: Unsupported Hive type: timestamp(3) with time zone"
    )
    assert len(engine.sql()) == 1


@pytest.mark.parametrize("name", NEWER_FUNCTIONS)
def test_functions_of_newer_trino(run: Run, engine: FakeEngine, name: str) -> None:
    message = f"FUNCTION_NOT_FOUND: line 1:8: Function '{name}' not registered"
    assert_refused(run, engine, f"select {name.upper()} (a) from h", message)
    assert_refused(run, engine, f'select "{name}"(a) from h', message)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into h {}",
        "merge into i using ({}) as s on true when matched then delete",
        "create table t as {}",
        f"create table t with ({ICEBERG}) as {{}}",
        "create view w as {}",
        "unload ({}) to 's3://lake/u/' with (format='json')",
        "explain {}",
        "prepare q from {}",
        "optimize i rewrite data using bin_pack where a in ({})",
    ],
)
def test_every_statement_with_a_query_is_looked_at(
    run: Run, engine: FakeEngine, statement: str
) -> None:
    query = statement.format("select any_value(a) as a from h")
    column = query.index("any_value") + 1
    message = f"FUNCTION_NOT_FOUND: line 1:{column}: Function 'any_value' not registered"
    assert_refused(run, engine, query, message)


@pytest.mark.parametrize(
    "query",
    [
        "select any_value from h",
        "select system.a.b from d.h as system",
        "select a, system.a.b, (iceberg.a.b) from d.h as system, d.i as iceberg",
        "select a is distinct from b, system.a.b from d.h as system, unnest(system.a.b)",
        "select 1 from d.h as system where system.a.b in (1, system.a.c) order by 1, system.a.b",
        "select t.timezone from h as timezone (a)",
        'select "any_value" from h',
        "with json_table as (select 1), t_cdf (a) as (select 1) select * from t_cdf",
        "select 'any_value(a)' -- any_value(a)",
        'select "my"."any_value" from (select 1) any_value (a)',
        "insert into timezone (a) select 1",
    ],
)
def test_names_of_newer_functions_may_be_names(run: Run, engine: FakeEngine, query: str) -> None:
    run(query)
    assert engine.sql() == [query]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "unload (select 1 as a) to 's3://lake/u' with (format='json', compression='gzip')",
            "INVALID_UNLOAD_PROPERTY: line 1:1: UNLOAD property 'compression' does not apply to "
            "the format JSON",
        ),
        (
            "unload (select 1 as a) to 's3://lake/u' with (format='parquet', compression='lzo')",
            "INVALID_UNLOAD_PROPERTY: line 1:1: Unsupported compression for PARQUET: lzo; one of "
            "GZIP, SNAPPY, ZSTD, NONE is expected",
        ),
        (
            "unload (select 1 as a) to 's3://lake/u' with (format='json', header='true')",
            "INVALID_TABLE_PROPERTY: line 1:1: UNLOAD property 'header' does not exist",
        ),
        (
            "unload (select 1 as a) to 's3://lake/u' with (compression='gzip')",
            "INVALID_UNLOAD_PROPERTY: line 1:1: UNLOAD needs the property 'format'",
        ),
        (
            "unload (select 1 as a) to 's3://lake/u' with (format='parquet', field_delimiter=',')",
            "INVALID_UNLOAD_PROPERTY: line 1:1: UNLOAD property 'field_delimiter' is one "
            "character, for TEXTFILE",
        ),
        (
            "unload (select 1 as a) to 's3://lake/full/' with (format='json')",
            "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'unload' already exists: "
            "s3://lake/full/. You may need to manually clean the data at location "
            "'s3://lake/full/' before retrying. Athena will not delete data in your account.",
        ),
        (
            "unload select 1 as a to 's3://lake/u' with (format='json')",
            "SYNTAX_ERROR: line 1:8: mismatched input 'select'. Expecting: '('",
        ),
        (
            "unload (select 1 as a) to 's3://lake/u'",
            "SYNTAX_ERROR: line 1:40: mismatched input '<EOF>'. Expecting: 'WITH'",
        ),
    ],
)
def test_unload(run: Run, engine: FakeEngine, query: str, message: str) -> None:
    engine.s3.addresses = {"s3://lake/full/part-0"}
    assert_refused(run, engine, query, message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "create external table t (a integer) location 's3://lake/x/'",
            "FAILED: ParseException line 1:27 cannot recognize input near 'integer' in column type",
        ),
        (
            "create external table t (a int)",
            "FAILED: SemanticException No location was specified for table. An S3 location must be "
            "specified",
        ),
        (
            "create external table t (a int) location '/tmp/x'",
            "INVALID_TABLE_PROPERTY: The location '/tmp/x' is not an s3:// folder",
        ),
        (
            "create external table t (a int, A string) location 's3://lake/x/'",
            "FAILED: SemanticException [Error 10036]: Duplicate column name: a",
        ),
        (
            "create external table t (a int) partitioned by (a string) location 's3://lake/x/'",
            "FAILED: SemanticException [Error 10035]: Column repeated in partitioning columns: a",
        ),
        (
            "create external table t (a int) stored as delta location 's3://lake/x/'",
            "FAILED: ParseException line 1:42 mismatched input 'delta' expecting 'TEXTFILE', "
            "'PARQUET', 'ORC', 'AVRO', 'SEQUENCEFILE', 'RCFILE'",
        ),
        (
            "create external table t (a int) row format serde 'x.Y' location 's3://lake/x/'",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "Cannot validate serde: x.Y",
        ),
        (
            "create external table t (a int) stored as ion location 's3://lake/x/'",
            "NOT_SUPPORTED: STORED AS ION exists on Athena and is not carried out by the local "
            "Athena",
        ),
        (
            "create external table t (a int) location 's3://lake/x/' "
            "tblproperties ('table_type'='iceberg')",
            "FAILED: SemanticException External keyword not supported for table type ICEBERG",
        ),
        (
            "create external table h (a int) location 's3://lake/x/'",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "AlreadyExistsException: Table h already exists",
        ),
        (
            "create external table nowhere.t (a int) location 's3://lake/x/'",
            "FAILED: SemanticException [Error 10072]: Database does not exist: nowhere",
        ),
        (
            "create external table t (a int) engine 'x'",
            "FAILED: ParseException line 1:32 missing EOF at 'engine'",
        ),
        (
            "create table t (a smallint) location 's3://lake/x/' "
            "tblproperties ('table_type'='iceberg')",
            "NOT_SUPPORTED: Type not supported for Iceberg: smallint",
        ),
        (
            "create table t (a int) location 's3://lake/x/' "
            "tblproperties ('table_type'='iceberg', 'color'='red')",
            "INVALID_TABLE_PROPERTY: Unsupported table property key: color",
        ),
        (
            "create table t (a int) partitioned by (a int) location 's3://lake/x/' "
            "tblproperties ('table_type'='iceberg')",
            "FAILED: SemanticException PARTITIONED BY of an Iceberg table takes columns and "
            "transforms, without types",
        ),
        (
            "create database d",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "AlreadyExistsException: Database d already exists",
        ),
        (
            "drop database d",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "InvalidOperationException: Database d is not empty. One or more tables exist.",
        ),
        (
            "drop database e cascade",
            "FAILED: SemanticException [Error 10072]: Database does not exist: e",
        ),
        ("drop table x", "FAILED: SemanticException [Error 10001]: Table not found d.x"),
        (
            'drop table "h"',
            "FAILED: ParseException line 1:11 mismatched input '\"h\"' expecting identifier",
        ),
        (
            "drop table v",
            "FAILED: SemanticException [Error 10132]: Cannot drop a view with DROP TABLE",
        ),
        ("drop view x", "TABLE_NOT_FOUND: line 1:1: View 'd.x' does not exist"),
        (
            "drop view h",
            "GENERIC_USER_ERROR: line 1:1: View 'd.h' does not exist, but a table with that name "
            "exists. Did you mean DROP TABLE d.h?",
        ),
        (
            "alter table h rename to g",
            "NOT_SUPPORTED: RENAME TO is only supported for Iceberg tables",
        ),
        (
            "alter table h drop column a",
            "NOT_SUPPORTED: DROP COLUMN is only supported for Iceberg tables",
        ),
        (
            "alter table i replace columns (a int)",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "REPLACE COLUMNS is not supported for table type ICEBERG",
        ),
        (
            "alter table i set tblproperties ('color'='red')",
            "INVALID_TABLE_PROPERTY: Unsupported table property key: color",
        ),
        (
            "alter table i change a a int after b",
            "NOT_SUPPORTED: CHANGE COLUMN … FIRST or AFTER of an Iceberg table exists on Athena and"
            " is not carried out by the local Athena",
        ),
        (
            "alter table h add columns (a int)",
            "FAILED: SemanticException [Error 10036]: Duplicate column name: a",
        ),
        (
            "alter table h change x y int",
            "FAILED: SemanticException [Error 10002]: Invalid column reference x",
        ),
        (
            "alter table v set tblproperties ('a'='b')",
            "FAILED: SemanticException [Error 10131]: To alter a view you need to use the ALTER "
            "VIEW command.",
        ),
        (
            "alter table h touch",
            "FAILED: ParseException line 1:14 mismatched input 'touch' expecting 'ADD', 'CHANGE', "
            "'DROP', 'PARTITION', 'RENAME', 'REPLACE', 'SET', 'UNSET'",
        ),
        (
            "alter table h add partition (day='x')",
            "FAILED: SemanticException [Error 10241]: Table h is not a partitioned table",
        ),
        (
            "alter table p add partition (day='x')",
            "FAILED: SemanticException [Error 10006]: Partition spec {day=x} does not name all "
            "partition columns and only those: day, n",
        ),
        (
            "alter table p drop partition (day='x')",
            "FAILED: SemanticException [Error 10006]: Partition not found (day = 'x')",
        ),
        (
            "show partitions h",
            "FAILED: SemanticException [Error 10241]: Table h is not a partitioned table",
        ),
        (
            "show tables in nowhere",
            "FAILED: SemanticException [Error 10072]: Database does not exist: nowhere",
        ),
        *(
            (
                f"create external table t (a int) {clauses}",
                f"FAILED: ParseException line 1:{clauses.rindex(stop) + 32} missing EOF at "
                f"'{stop}'",
            )
            for clauses, stop in (
                ("location 's3://lake/x/' stored as orc", "stored"),
                ("location 's3://lake/x/' location 's3://lake/y/'", "location"),
                ("partitioned by (b int) comment 'x'", "comment"),
                ("stored as orc row format serde 'org.openx.data.jsonserde.JsonSerDe'", "row"),
                ("tblproperties ('a'='b') location 's3://lake/x/'", "location"),
                ("location 's3://lake/x/' with serdeproperties ('a'='b')", "with"),
                (
                    "row format serde 'org.openx.data.jsonserde.JsonSerDe' with serdeproperties "
                    "('a'='b') stored as textfile with serdeproperties ('a'='b')",
                    "with",
                ),
                (
                    "row format delimited map keys terminated by ':' fields terminated by ','",
                    "fields",
                ),
            )
        ),
        *(
            (
                statement.format(name),
                f"FAILED: ParseException line 1:{statement.index('{')} cannot recognize input near "
                f"'{name}' {near}",
            )
            for statement, near in (
                ("create external table t ({} int) location 's3://lake/x/'", "'int' ')'"),
                ("alter table h add columns ({} date)", "'date' ')'"),
                ("drop table if exists d.{}", "'<EOF>' '<EOF>'"),
            )
            for name in ("date", "User", "order", "_a")
        ),
        (
            "drop table awsdatacatalog.d.h",
            "FAILED: ParseException line 1:27 missing EOF at '.'",
        ),
        (
            "alter table awsdatacatalog.d.i set tblproperties ('vacuum_min_snapshots_to_keep'='1')",
            "FAILED: ParseException line 1:28 missing EOF at '.'",
        ),
        (
            "drop schema awsdatacatalog.d cascade",
            "FAILED: ParseException line 1:26 missing EOF at '.'",
        ),
        ("describe awsdatacatalog.d.h", "FAILED: ParseException line 1:25 missing EOF at '.'"),
        *(
            (
                statement,
                f"NOT_SUPPORTED: {what} exists on Athena and is not carried out by the local "
                "Athena",
            )
            for statement, what in (
                ("describe v", "DESCRIBE of a view"),
                ("describe h a", "DESCRIBE of a partition or a column"),
                ("describe p partition (n=1)", "DESCRIBE of a partition or a column"),
                ("describe extended `h`", "DESCRIBE EXTENDED"),
                (
                    "alter table p partition (n=1) add columns (c int)",
                    "PARTITION … ADD or REPLACE COLUMNS",
                ),
            )
        ),
        (
            "show tables 'a['",
            "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
            "InvalidInputException: Invalid pattern 'a['",
        ),
        ("describe nowhere", "FAILED: SemanticException [Error 10001]: Table not found d.nowhere"),
        (
            "describe formatted h",
            "NOT_SUPPORTED: DESCRIBE FORMATTED exists on Athena and is not carried out by the "
            "local Athena",
        ),
        ("show create table v", "NOT_SUPPORTED: line 1:1: Relation 'd.v' is a view, not a table"),
        (
            "msck repair table h",
            "FAILED: SemanticException [Error 10241]: Table h is not a partitioned table",
        ),
        ("vacuum h", "NOT_SUPPORTED: VACUUM is only supported for Iceberg tables"),
        (
            "optimize h rewrite data using bin_pack",
            "NOT_SUPPORTED: OPTIMIZE is only supported for Iceberg tables",
        ),
        (
            "optimize i",
            "SYNTAX_ERROR: line 1:11: mismatched input '<EOF>'. Expecting: 'REWRITE'",
        ),
    ],
)
def test_ddl(run: Run, engine: FakeEngine, query: str, message: str) -> None:
    assert_refused(run, engine, query, message)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (
            {"BucketColumns": ["a"]},
            "NOT_SUPPORTED: INSERT INTO is not supported on bucketed tables: d.h",
        ),
        (
            {"SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}},
            "HIVE_UNSUPPORTED_FORMAT: Output format out with SerDe "
            "org.openx.data.jsonserde.JsonSerDe is not supported.",
        ),
    ],
)
def test_tables_that_are_only_read(
    run: Run, engine: FakeEngine, storage: dict[str, object], message: str
) -> None:
    engine.glue.tables["d", "h"]["StorageDescriptor"] |= storage
    assert_refused(run, engine, "insert into h select 1", message)


def test_a_database_must_be_named(run: Run) -> None:
    with pytest.raises(QueryFailed, match="line 1:13: Schema must be specified"):
        run("insert into h select 1", database=None)


def test_parameters_are_for_queries(run: Run) -> None:
    with pytest.raises(QueryFailed, match="Parameters are supported in queries"):
        run("drop table h", parameters=["1"])


@pytest.mark.parametrize(
    "inner",
    [
        *("execute q", "prepare q from select 1", "deallocate prepare q", "drop table h"),
        *("create view w as select 1 as a", "delete from i", "explain select 1", "vacuum i"),
    ],
)
def test_what_cannot_be_prepared(run: Run, engine: FakeEngine, inner: str) -> None:
    message = "NOT_SUPPORTED: Prepared statements of this type are not supported"
    assert_refused(run, engine, f"prepare q from {inner}", message)
    STATEMENTS.put(PreparedStatement("primary", "looped", inner))
    assert_refused(run, engine, "execute looped", message)
