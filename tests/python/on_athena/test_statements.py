"""Each family of statement, through boto3, on Trino, Glue and S3 of a running local stack."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest

CREDENTIALS = {
    "region_name": "AWS_DEFAULT_REGION",
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
}


class Failed(Exception):
    """A statement that ended in the state FAILED; the text is Athena's message."""


@dataclass
class Database:
    """A database of a test's own, and a folder of its own for its tables."""

    athena: Any
    glue: Any
    s3: Any
    name: str
    bucket: str

    @property
    def folder(self) -> str:
        """Where the test's tables lie."""
        return f"s3://{self.bucket}/{self.name}"

    def execution(self, query: str, *parameters: str) -> dict[str, Any]:
        """Run a statement to its end."""
        more = {"ExecutionParameters": list(parameters)} if parameters else {}
        started = self.athena.start_query_execution(
            QueryString=query,
            QueryExecutionContext={"Database": self.name},
            ResultConfiguration={"OutputLocation": f"{self.folder}/results/"},
            **more,
        )
        while True:
            found: dict[str, Any] = self.athena.get_query_execution(
                QueryExecutionId=started["QueryExecutionId"]
            )["QueryExecution"]
            if found["Status"]["State"] == "FAILED":
                raise Failed(found["Status"]["AthenaError"]["ErrorMessage"])
            if found["Status"]["State"] == "SUCCEEDED":
                return found
            time.sleep(0.05)

    def run(self, query: str, *parameters: str) -> list[tuple[str | None, ...]]:
        """The rows of a statement as text, without the header."""
        done = self.execution(query, *parameters)
        result = self.athena.get_query_results(QueryExecutionId=done["QueryExecutionId"])
        rows = [
            tuple(value.get("VarCharValue") for value in row["Data"])
            for row in result["ResultSet"]["Rows"]
        ]
        return rows[1:] if done.get("SubstatementType") == "SELECT" else rows

    def put(self, key: str, body: bytes) -> None:
        """Write an object into the test's folder."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.name}/{key}", Body=body)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """The objects under a prefix of the test's folder."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.name}/{prefix}")
        return {
            entry["Key"].removeprefix(f"{self.name}/"): self.s3.get_object(
                Bucket=self.bucket, Key=entry["Key"]
            )["Body"].read()
            for entry in found.get("Contents", [])
        }

    def columns(self, table: str) -> dict[str, str]:
        """Names and types of a table in Glue."""
        found = self.glue.get_table(DatabaseName=self.name, Name=table)["Table"]
        return {c["Name"]: c["Type"] for c in found["StorageDescriptor"]["Columns"]}


@pytest.fixture
def db(stack: Any) -> Iterator[Database]:
    """A database of its own, dropped afterwards."""
    environment = stack.environment
    keys = {name: environment[variable] for name, variable in CREDENTIALS.items()}
    made = Database(
        boto3.client("athena", endpoint_url=environment["AWS_ENDPOINT_URL_ATHENA"], **keys),
        boto3.client("glue", endpoint_url=environment["AWS_ENDPOINT_URL_GLUE"], **keys),
        boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], **keys),
        f"statements_{uuid4().hex[:8]}",
        stack.bucket,
    )
    made.run(f"create schema if not exists `{made.name}`")
    yield made
    made.run(f"drop schema if exists `{made.name}` cascade")


def hive(db: Database, table: str, query: str, more: str = "") -> str:
    """A CTAS as dbt-athena writes it."""
    return (
        f'create table "awsdatacatalog"."{db.name}"."{table}" with (table_type=\'hive\', '
        f"is_external=true, external_location='{db.folder}/{table}/{uuid4()}', {more} "
        f"format='parquet') as {query}"
    )


PARTITIONED = "partitioned_by=ARRAY['q'],"


def iceberg(db: Database, table: str, query: str, more: str = "") -> str:
    """A CTAS of an Iceberg table as dbt-athena writes it."""
    return (
        f'create table "awsdatacatalog"."{db.name}"."{table}" with (table_type=\'iceberg\', '
        f"is_external=false, location='{db.folder}/{table}/{uuid4()}', {more} "
        f"format='parquet') as {query}"
    )


@pytest.mark.parametrize(
    ("file_format", "codec"),
    [
        *(("parquet", codec) for codec in ("gzip", "snappy", "zstd", "none")),
        *(("orc", codec) for codec in ("lz4", "snappy", "zlib", "zstd", "none")),
        *(("avro", codec) for codec in ("deflate", "snappy", "zstd", "none")),
        *(("textfile", codec) for codec in ("gzip", "lz4", "snappy", "zstd", "none")),
        *(("json", codec) for codec in ("gzip", "lz4", "snappy", "zstd", "none")),
    ],
)
def test_codecs(db: Database, file_format: str, codec: str) -> None:
    db.run(
        f"create table t with (format='{file_format}', write_compression='{codec}', "
        f"external_location='{db.folder}/t/') as select 1 as a"
    )
    assert db.run("select a from t") == [("1",)]


def test_hive_table_and_view(db: Database) -> None:
    done = db.execution(hive(db, "t", "select 1 as id, cast('x' as varchar) as name"))
    assert (done["StatementType"], done["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    db.run(f"alter table `{db.name}`.`t` set tblproperties ('classification' = 'parquet')")
    db.run("insert into t values (2, null)")
    assert db.run("select * from t order by id;") == [("1", "x"), ("2", None)]
    db.run(
        "create or replace view v as\n"
        "select id, array[id] as ids, cast(row(1, 'a') as row(k integer, v varchar)) as r from t"
    )
    assert db.run("select id, ids, r from v where id = 2") == [("2", "[2]", "{k=1, v=a}")]
    assert db.columns("v") == {"id": "int", "ids": "array<int>", "r": "struct<k:int,v:string>"}
    db.run("create or replace view v as select name from t")
    assert db.columns("v") == {"name": "string"}
    assert db.run("show views") == [("v",)]
    db.run("drop view v")
    db.run(f"drop table `{db.name}`.`t`")
    assert db.run("show tables") == []
    assert len(db.objects("t/")) == 2


def test_iceberg_table(db: Database) -> None:
    db.run(
        iceberg(
            db,
            "t",
            "select 1 as id, cast('x' as varchar) as name, date '2024-01-02' as day",
            "partitioning=ARRAY['day', 'bucket(id, 4)'], write_compression='snappy',",
        )
    )
    db.run("insert into t values (2, 'y', date '2024-01-03'), (3, 'z', null)")
    db.run(
        f'merge into "awsdatacatalog"."{db.name}"."t" as target using (values (2, \'merged\'), '
        "(4, 'new')) as src (id, name) on target.id = src.id when matched then update set name = "
        "src.name when not matched then insert (id, name) values (src.id, src.name)"
    )
    db.run("update t set name = 'updated' where id = 3")
    db.run("delete from t where id = 1")
    rows = [("2", "merged"), ("3", "updated"), ("4", "new")]
    assert db.run("select id, name from t order by id") == rows
    db.run(f"alter table `{db.name}`.`t` rename to `{db.name}`.`t__bkp`")
    db.run("alter table t__bkp add columns (`at` timestamp, `f` float)")
    db.run("alter table t__bkp change column name title string comment 'what'")
    db.run("alter table t__bkp change column f f double")
    db.run("update t__bkp set at = timestamp '2024-01-01 00:00:00.123456' where id = 4")
    assert db.run("select title, at from t__bkp where id = 4") == [
        ("new", "2024-01-01 00:00:00.123456")
    ]
    assert db.columns("t__bkp")["f"] == "double"
    db.run("alter table t__bkp drop column f")
    db.run("alter table t__bkp set tblproperties ('vacuum_max_snapshot_age_seconds'='0')")
    n_files = len(db.objects("t/"))
    db.run("optimize t__bkp rewrite data using bin_pack")
    db.run("vacuum t__bkp")
    assert len(db.objects("t/")) < n_files
    assert db.run("select id, title from t__bkp order by id") == rows
    assert ("  'vacuum_max_snapshot_age_seconds'='0')",) in db.run("show create table t__bkp")
    db.run("drop table t__bkp")
    assert db.objects("t/") == {}


def test_iceberg_table_by_its_columns(db: Database) -> None:
    db.run(
        "create table t (id int, ts timestamp, s struct<a:int,b:array<string>>, n decimal(10,2) "
        "comment 'money') comment 'tab' partitioned by (bucket(4, id), day(ts)) "
        f"location '{db.folder}/t/' tblproperties ('table_type'='ICEBERG', "
        "'write_compression'='zstd', 'optimize_rewrite_delete_file_threshold'='10')"
    )
    db.run(
        "insert into t values (1, timestamp '2024-01-01 00:00:00.123456', row(1, array['z']), 1.5)"
    )
    assert db.run("select * from t") == [
        ("1", "2024-01-01 00:00:00.123456", "{a=1, b=[z]}", "1.50")
    ]
    assert db.columns("t") == {
        "id": "int",
        "ts": "timestamp",
        "s": "struct<a:int,b:array<string>>",
        "n": "decimal(10,2)",
    }


def test_limit_of_partitions(db: Database) -> None:
    def query(start: int, n: int) -> str:
        return f"select n, n as p from unnest(sequence({start}, {start + n - 1})) as u (n)"

    with pytest.raises(Failed, match="HIVE_TOO_MANY_OPEN_PARTITIONS"):
        db.run(hive(db, "h", query(1, 101), "partitioned_by=ARRAY['p'],"))
    db.run(hive(db, "h", query(1, 100), "partitioned_by=ARRAY['p'],"))
    with pytest.raises(Failed, match="HIVE_TOO_MANY_OPEN_PARTITIONS"):
        db.run(f"insert into h {query(101, 101)}")
    db.run(f"insert into h {query(101, 30)}")
    assert db.run("select count(*), count(distinct p) from h") == [("130", "130")]
    with pytest.raises(Failed, match="ICEBERG_TOO_MANY_OPEN_PARTITIONS"):
        db.run(iceberg(db, "i", query(1, 101), "partitioning=ARRAY['p'],"))
    with pytest.raises(Failed, match="TOO_MANY_OPEN_PARTITIONS"):
        db.run(
            f"unload ({query(1, 101)}) to '{db.folder}/u/' "
            "with (format='parquet', partitioned_by=ARRAY['p'])"
        )


def test_unload(db: Database) -> None:
    query = (
        "select id, name, cast(null as double) as nothing, array[1.5, null] as numbers, "
        "cast(row(1, 'a') as row(k integer, v varchar)) as r, date '2024-01-02' as day "
        "from (values (1, 'x'), (2, null)) as t (id, name)"
    )
    done = db.execution(f"unload ({query}) to '{db.folder}/json/' with (format = 'JSON')")
    assert (done["StatementType"], done["SubstatementType"]) == ("DML", "UNLOAD")
    written = db.objects("json/")
    lines = b"".join(gzip.decompress(body) for body in written.values()).splitlines()
    records = sorted((json.loads(line) for line in lines), key=lambda record: record["id"])
    assert all(key.endswith(".gz") for key in written)
    assert records[1] == {
        "id": 2,
        "name": None,
        "nothing": None,
        "numbers": [1.5, None],
        "r": {"k": 1, "v": "a"},
        "day": "2024-01-02",
    }
    with pytest.raises(Failed, match="HIVE_PATH_ALREADY_EXISTS"):
        db.run(f"unload ({query}) to '{db.folder}/json/' with (format = 'JSON')")
    for file_format, more in (("PARQUET", ", compression = 'snappy'"), ("ORC", ""), ("AVRO", "")):
        folder = f"{file_format.lower()}_1"
        db.run(
            f"unload (select 1 as id, 'p' as p) to '{db.folder}/{folder}/' with "
            f"(format = '{file_format}'{more}, partitioned_by = ARRAY['p'])"
        )
        assert [key.split("/")[1] for key in db.objects(folder)] == ["p=p"]
    db.run(
        f"unload (select 1 as a, 'x' as b) to '{db.folder}/text/' with "
        "(format='TEXTFILE', field_delimiter=',')"
    )
    assert [gzip.decompress(body) for body in db.objects("text/").values()] == [b"1,x\n"]
    assert db.run("show tables") == []


@pytest.mark.parametrize(
    "serde", ["org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe"]
)
def test_json_lines(db: Database, serde: str) -> None:
    first = {"id": 1, "tags": ["a", "b"], "m": {"x": 1.5}, "s": {"k": 2, "V": "q"}}
    db.put("j/a.json", json.dumps(first).encode() + b'\n{"ID": 2}\n')
    db.put("j/b.json.gz", gzip.compress(b'{"id": 3, "more": 1}\n'))
    db.run(
        "create external table if not exists j (`id` int, tags array<string>, m map<string,"
        f"double>, s struct<k:int,v:string>) row format serde '{serde}' "
        f"location '{db.folder}/j/'"
    )
    assert db.run("select * from j order by id") == [
        ("1", "[a, b]", "{x=1.5}", "{k=2, v=q}"),
        ("2", None, None, None),
        ("3", None, None, None),
    ]


def test_csv_and_delimited_text(db: Database) -> None:
    db.put("c/a.csv", b'a,b\n1,"x, y"\n2,\n')
    db.run(
        "create external table c (`a` string, b string) row format serde "
        f"'org.apache.hadoop.hive.serde2.OpenCSVSerDe' location '{db.folder}/c/' "
        "tblproperties ('skip.header.line.count'='1')"
    )
    assert db.run("select * from c order by a") == [("1", "x, y"), ("2", "")]
    db.put("t/a.tsv", b"1\tone\t1|2\n2\t\t3\n")
    db.run(
        r"create external table t (a int, b string, n array<int>) row format delimited fields "
        r"terminated by '\t' escaped by '\\' collection items terminated by '|' lines terminated "
        rf"by '\n' null defined as '' location '{db.folder}/t/'"
    )
    assert db.run("select * from t order by a") == [("1", "one", "[1, 2]"), ("2", None, "[3]")]


@pytest.mark.parametrize("stored_as", ["parquet", "orc", "avro", "textfile"])
def test_partitioned_external_table(db: Database, stored_as: str) -> None:
    db.run(
        "create external table t (a int, b string, at timestamp) partitioned by (p string, q int) "
        f"stored as {stored_as} location '{db.folder}/t/'"
    )
    db.run("insert into t values (1, 'x', timestamp '2024-01-01 10:00:00.123', 'p 1', 7)")
    row = ("1", "x", "2024-01-01 10:00:00.123", "p 1", "7")
    assert db.run("select * from t") == [row]
    assert db.run("show partitions t") == [("p=p 1/q=7",)]
    db.run("alter table t drop partition (p='p 1')")
    assert db.run("select * from t") == []
    found = db.run("msck repair table t")
    assert ("Repair: Added partition to metastore t:p=p 1/q=7",) in found
    assert db.run("select * from t") == [row]
    db.run(f"alter table t add if not exists partition (p='z', q=9) location '{db.folder}/no/'")
    assert db.run("show partitions t") == [("p=p 1/q=7",), ("p=z/q=9",)]
    with pytest.raises(Failed, match="Partition already exists: t p=p 1/q=7"):
        db.run("alter table t partition (p='z', q=9) rename to partition (p='p 1', q=7)")
    db.run("alter table t partition (p='z', q=9) rename to partition (p='y', q=8)")
    db.run(f"alter table t partition (p='y', q=8) set location '{db.folder}/none/'")
    assert db.run("show partitions t") == [("p=p 1/q=7",), ("p=y/q=8",)]
    assert db.run("select * from t") == [row]
    db.run("alter table t add columns (c bigint)")
    assert db.run("select c, a from t") == [(None, "1")]
    described = [row[0] for row in db.run("describe t")]
    assert [str(line).split("\t")[0].strip() for line in described[:6]] == [
        *("a", "b", "at", "c", "p", "q")
    ]


def test_a_null_among_partitions(db: Database) -> None:
    db.run(hive(db, "t", "select * from (values (1, 7), (2, null)) as v (a, q)", PARTITIONED))
    assert db.run("select a from t where q > 1") == [("1",)]
    assert db.run("select a from t where q <> 8") == [("1",)]
    assert db.run("select a from t where q is null") == [("2",)]


def test_what_a_table_shows_makes_it_again(db: Database) -> None:
    db.run(
        "create external table t (a int comment 'it\\'s', s struct<k:int>) comment 'tab' "
        "partitioned by (p string) row format serde 'org.openx.data.jsonserde.JsonSerDe' with "
        f"serdeproperties ('ignore.malformed.json'='true') location '{db.folder}/t/' "
        "tblproperties ('classification'='json')"
    )
    shown = "\n".join(str(row[0]) for row in db.run("show create table t"))
    kept = ("PartitionKeys", "StorageDescriptor", "Parameters", "TableType")
    before = db.glue.get_table(DatabaseName=db.name, Name="t")["Table"]
    db.run("drop table t")
    db.run(shown)
    after = db.glue.get_table(DatabaseName=db.name, Name="t")["Table"]
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}


def test_doubles_are_written_as_java_does(db: Database) -> None:
    numbers = (
        "0e0, -0e0, 1e-3, 9.99e-4, 1e7, 9999999e0, 1e23, 2e-3, 4.9e-324, 1.7976931348623157e308, "
        "0.1e0, 123456.789e0"
    )
    # Trino's JSON has a number in Java's own words.
    rows = db.run(
        "select x, array[x], json_format(cast(x as json)) "
        f"from unnest(array[{numbers}]) with ordinality as u (x, n) order by n"
    )
    assert [(text, listed) for text, listed, _ in rows] == [(j, f"[{j}]") for *_, j in rows]
    assert [text for text, *_ in rows[:5]] == ["0.0", "-0.0", "0.001", "9.99E-4", "1.0E7"]


def test_parameters(db: Database) -> None:
    assert db.run("select ?, ? + 1", "'it''s'", "2") == [("it's", "3")]
    name = f"q_{uuid4().hex[:8]}"
    db.run(f"prepare {name} from select ? as a")
    assert db.run(f"execute {name} using 'x'") == [("x",)]
    db.run(f"deallocate prepare {name}")
    with pytest.raises(Failed, match="was not found"):
        db.run(f"execute {name} using 'x'")


def test_explain(db: Database) -> None:
    plan = db.run("explain select 1")
    assert len(plan) > 3
    assert db.run("explain (type validate) select 1") == [("true",)]
    db.run(hive(db, "t", "select 1 as id"))
    assert len(db.run("explain insert into t select 2")) > 3
    with pytest.raises(Failed, match="mismatched input 'insert'"):
        db.run("explain analyze insert into t select 2")
    assert db.run("select id from t") == [("1",)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1,\n  nope", r"COLUMN_NOT_FOUND: line 2:3: Column 'nope' cannot be resolved"),
        (
            "create table x with (format = 'parquet') as select nope",
            r"COLUMN_NOT_FOUND: line 1:52: Column 'nope' cannot be resolved",
        ),
        ("create view x as\nselect nope", r"COLUMN_NOT_FOUND: line 2:8: Column 'nope'"),
        ("select any_value(1)", r"FUNCTION_NOT_FOUND: line 1:8: Function 'any_value'"),
        ("create or replace table x as select 1 as a", r"mismatched input 'table'"),
        ("truncate table x", r"Queries of this type are not supported"),
        (
            "create table x as select timestamp '2024-01-01 00:00:00.123456' as t",
            r"Incorrect timestamp precision for timestamp\(6\)",
        ),
    ],
)
def test_errors(db: Database, query: str, message: str) -> None:
    with pytest.raises(Failed, match=message):
        db.run(query)


def test_iceberg_takes_only_what_athena_takes(db: Database) -> None:
    with pytest.raises(Failed, match=r"precision \(3\) not supported for Iceberg"):
        db.run(iceberg(db, "t", "select timestamp '2024-01-01 00:00:00.123' as t"))
    for kind, value in (
        ("smallint", "cast(1 as smallint)"),
        (r"time\(6\)", "time '10:00:00.123456'"),
        ("uuid", "uuid()"),
    ):
        with pytest.raises(Failed, match=f"Type not supported for Iceberg: {kind}"):
            db.run(iceberg(db, "t", f"select {value} as t"))
    db.run(hive(db, "h", "select 1 as a"))
    with pytest.raises(Failed, match="Modifying Hive table rows"):
        db.run("delete from h where a = 1")
    with pytest.raises(Failed, match="RENAME TO is only supported for Iceberg"):
        db.run("alter table h rename to g")
