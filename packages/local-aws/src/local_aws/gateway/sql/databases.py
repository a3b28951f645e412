"""CREATE, DROP and ALTER DATABASE (or SCHEMA), carried out on Glue."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql.errors import ddl_task_failed, semantic_exception
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import (
    TableName,
    forget_table,
    is_not_found,
    is_there_already,
    tables_in,
)


def create_database(reader: Reader, context: Context) -> Outcome:
    """CREATE DATABASE [IF NOT EXISTS] name [COMMENT …] [LOCATION …] [WITH DBPROPERTIES (…)]."""
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    database: dict[str, Any] = {"Name": reader.name()}
    if reader.accept("COMMENT"):
        database["Description"] = reader.string()
    if reader.accept("LOCATION"):
        database["LocationUri"] = reader.string()
    if reader.accept("WITH"):
        reader.expect("DBPROPERTIES")
        database["Parameters"] = string_pairs(reader)
    reader.expect_end()
    try:
        context.engine.glue.create_database(DatabaseInput=database)
    except ClientError as error:
        if not is_there_already(error):
            raise
        if not if_not_exists:
            raise ddl_task_failed(
                f"AlreadyExistsException: Database {database['Name']} already exists"
            ) from error
    return Outcome("DDL", "CREATE_DATABASE", None, None)


def drop_database(reader: Reader, context: Context) -> Outcome:
    """DROP DATABASE [IF EXISTS] name [RESTRICT | CASCADE]; files of external tables stay."""
    if_exists = reader.accept("IF", "EXISTS")
    name = reader.name()
    cascade = reader.accept("CASCADE")
    if not cascade:
        reader.accept("RESTRICT")
    reader.expect_end()
    glue = context.engine.glue
    try:
        glue.get_database(Name=name)
    except ClientError as error:
        if not is_not_found(error):
            raise
        if if_exists:
            return Outcome("DDL", "DROP_DATABASE", None, None)
        raise database_does_not_exist(name) from error
    tables = [table["Name"] for table in tables_in(context, name)]
    if tables and not cascade:
        raise ddl_task_failed(
            f"InvalidOperationException: Database {name} is not empty. One or more tables exist."
        )
    for table in tables:
        forget_table(context, TableName(name, table))
    glue.delete_database(Name=name)
    return Outcome("DDL", "DROP_DATABASE", None, None)


def alter_database(reader: Reader, context: Context) -> Outcome:
    """ALTER DATABASE name SET DBPROPERTIES (…)."""
    name = reader.name()
    reader.expect("SET", "DBPROPERTIES")
    properties = string_pairs(reader)
    reader.expect_end()
    glue = context.engine.glue
    try:
        database = glue.get_database(Name=name)["Database"]
    except ClientError as error:
        if is_not_found(error):
            raise database_does_not_exist(name) from error
        raise
    changed = {
        key: database[key] for key in ("Name", "Description", "LocationUri") if database.get(key)
    }
    changed["Parameters"] = database.get("Parameters", {}) | properties
    glue.update_database(Name=name, DatabaseInput=changed)
    return Outcome("DDL", "ALTER_DATABASE", None, None)


def database_does_not_exist(name: str) -> Exception:
    """Hive's words for a database that is not there."""
    return semantic_exception(f"[Error 10072]: Database does not exist: {name}")


def string_pairs(reader: Reader) -> dict[str, str]:
    """Read `('name' = 'value', …)`, as DBPROPERTIES, TBLPROPERTIES and SERDEPROPERTIES have it."""

    def pair() -> tuple[str, str]:
        name = reader.string()
        reader.expect("=")
        return name, reader.string()

    return dict(reader.listed(pair))
