"""Which function carries out which statement. What is not in the table, Athena does not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from local_aws.gateway.engine import Context, Outcome, QueryFailed
from local_aws.gateway.sql import (
    alter_table,
    ctas,
    databases,
    external_tables,
    iceberg_tables,
    maintenance,
    queries,
    rules,
    show,
    unload,
    views,
)
from local_aws.gateway.sql.errors import (
    not_reproduced,
    not_supported,
    refusal,
    syntax_error,
)
from local_aws.gateway.sql.prepared import STATEMENTS, PreparedStatement
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import read_table_name
from local_aws.gateway.sql.tokens import (
    Dialect,
    Kind,
    Token,
    Unterminated,
    position,
    tokenize,
)

CarryOut = Callable[[Reader, Context], Outcome]


@dataclass(frozen=True)
class _Form:
    """A statement: the words it starts with, who parses it on Athena, and what carries it out."""

    head: tuple[str, ...]
    dialect: Dialect
    carry_out: CarryOut


def _create_table_as(reader: Reader, context: Context) -> Outcome:
    """CREATE TABLE [IF NOT EXISTS] name [WITH (…)] AS query."""
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = read_table_name(reader, context)
    return ctas.create_table_as(reader, context, name, if_not_exists)


def _prepare(reader: Reader, context: Context) -> Outcome:
    """PREPARE name FROM statement."""
    name = reader.name()
    reader.expect("FROM")
    query = reader.rest.strip()
    _check_preparable(query)
    STATEMENTS.put(PreparedStatement(context.work_group, name, query))
    return Outcome("DDL", "PREPARE", None, None)


def _check_preparable(query: str) -> None:
    if _recognise(query).carry_out not in _PREPARABLE:
        raise not_supported("Prepared statements of this type are not supported")


def _execute(reader: Reader, context: Context) -> Outcome:
    """EXECUTE name [USING value, …]."""
    name = reader.name()
    parameters: list[str] = []
    if reader.accept("USING"):
        parameters.append(reader.expression(","))
        while reader.accept(","):
            parameters.append(reader.expression(","))
    reader.expect_end()
    statement = STATEMENTS.get(context.work_group, name)
    if statement is None:
        raise _not_prepared(context, name)
    # One that came by the API was not looked at before.
    _check_preparable(statement.query)
    if parameters and context.parameters:
        raise not_supported("EXECUTE takes its parameters from USING or from the request, not both")
    return execute(statement.query, replace(context, parameters=parameters or context.parameters))


def _deallocate(reader: Reader, context: Context) -> Outcome:
    """DEALLOCATE PREPARE name."""
    name = reader.name()
    reader.expect_end()
    if not STATEMENTS.remove(context.work_group, name):
        raise _not_prepared(context, name)
    return Outcome("DDL", "DEALLOCATE", None, None)


def _not_prepared(context: Context, name: str) -> QueryFailed:
    return refusal(
        "NOT_FOUND", f"PreparedStatement {name} was not found in workGroup {context.work_group}"
    )


_PREPARABLE = (queries.select, queries.insert, _create_table_as, unload.unload)


def _form(head: str, dialect: Dialect, carry_out: CarryOut) -> _Form:
    return _Form(tuple(head.split()), dialect, carry_out)


_TRINO, _HIVE = Dialect.TRINO, Dialect.HIVE
# The first form whose words a statement starts with is the one.
_FORMS = (
    _form("(", _TRINO, queries.select),
    _form("SELECT", _TRINO, queries.select),
    _form("WITH", _TRINO, queries.select),
    _form("VALUES", _TRINO, queries.select),
    _form("TABLE", _TRINO, queries.select),
    _form("INSERT", _TRINO, queries.insert),
    _form("MERGE", _TRINO, queries.merge),
    _form("UPDATE", _TRINO, queries.update),
    _form("DELETE", _TRINO, queries.delete),
    _form("EXPLAIN", _TRINO, queries.explain),
    _form("UNLOAD", _TRINO, unload.unload),
    _form("CREATE VIEW", _TRINO, views.create_view),
    _form("CREATE OR REPLACE VIEW", _TRINO, views.create_or_replace_view),
    _form("DROP VIEW", _TRINO, views.drop_view),
    _form("SHOW CREATE VIEW", _TRINO, show.show_create_view),
    _form("PREPARE", _TRINO, _prepare),
    _form("EXECUTE", _TRINO, _execute),
    _form("DEALLOCATE PREPARE", _TRINO, _deallocate),
    _form("OPTIMIZE", _TRINO, maintenance.optimize),
    _form("VACUUM", _TRINO, maintenance.vacuum),
    _form("CREATE DATABASE", _HIVE, databases.create_database),
    _form("CREATE SCHEMA", _HIVE, databases.create_database),
    _form("DROP DATABASE", _HIVE, databases.drop_database),
    _form("DROP SCHEMA", _HIVE, databases.drop_database),
    _form("ALTER DATABASE", _HIVE, databases.alter_database),
    _form("ALTER SCHEMA", _HIVE, databases.alter_database),
    _form("CREATE EXTERNAL TABLE", _HIVE, external_tables.create_external_table),
    _form("ALTER TABLE", _HIVE, alter_table.alter_table),
    _form("DROP TABLE", _HIVE, alter_table.drop_table),
    _form("MSCK REPAIR TABLE", _HIVE, maintenance.msck_repair),
    _form("SHOW DATABASES", _HIVE, show.show_databases),
    _form("SHOW SCHEMAS", _HIVE, show.show_databases),
    _form("SHOW TABLES", _HIVE, show.show_tables),
    _form("SHOW VIEWS", _HIVE, show.show_views),
    _form("SHOW COLUMNS", _HIVE, show.show_columns),
    _form("SHOW PARTITIONS", _HIVE, show.show_partitions),
    _form("SHOW TBLPROPERTIES", _HIVE, show.show_properties),
    _form("SHOW CREATE TABLE", _HIVE, show.show_create_table),
    _form("DESCRIBE", _HIVE, show.describe),
    _form("DESC", _HIVE, show.describe),
)
# CREATE TABLE is two statements: what follows the name tells which.
_CREATE_TABLE_AS = _form("CREATE TABLE", _TRINO, _create_table_as)
_CREATE_TABLE = _form("CREATE TABLE", _HIVE, iceberg_tables.create_table)

# Statements that Athena's parser knows and its engine does not carry out.
_KNOWN_AND_REFUSED = (
    "ANALYZE",
    "CALL",
    "COMMENT",
    "COMMIT",
    "DENY",
    "GRANT",
    "REFRESH",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SET",
    "START",
    "TRUNCATE",
    "USE",
)

# Statements that Athena has, by their first words.
_NOT_HERE = {
    ("USING", "EXTERNAL"): "USING EXTERNAL FUNCTION",
    ("ALTER", "VIEW"): "ALTER VIEW",
    ("CREATE", "PROTECTED"): "CREATE PROTECTED VIEW",
}

# A longer head than any statement has, in words that mean something.
_HEAD_LENGTH = 12


def execute(query: str, context: Context) -> Outcome:
    """Carry out one statement of Athena.

    Args:
        query: The statement, as the user wrote it.
        context: Database, places, parameters, and the engine to do it with.

    Raises:
        QueryFailed: Athena refuses it, or it failed.
    """
    rules.check_length(query)
    form = _recognise(query)
    if context.parameters and form.dialect is Dialect.HIVE:
        raise not_supported("Parameters are supported in queries, CTAS, INSERT and UNLOAD only")
    reader = Reader(query, form.dialect)
    if form.dialect is Dialect.TRINO:
        rules.check_query(reader)
    reader.expect(*form.head)
    return form.carry_out(reader, context)


def _recognise(query: str) -> _Form:
    head = _head(query)
    words = [token.word for token in head]
    if words[:2] == ["CREATE", "TABLE"]:
        return _CREATE_TABLE if _has_columns(head) else _CREATE_TABLE_AS
    for form in _FORMS:
        if tuple(words[: len(form.head)]) == form.head:
            return form
    raise _refused(query, head)


def _head(query: str) -> list[Token]:
    found: list[Token] = []
    try:
        for token in tokenize(query):
            if token.kind not in (Kind.SPACE, Kind.COMMENT):
                found.append(token)
            if len(found) == _HEAD_LENGTH:
                break
    except Unterminated as error:
        # Hive closes a text elsewhere than Trino; its own reader judges, once the form is known.
        if not found:
            raise syntax_error(
                *position(query, error.offset), f"{error.opening} is never closed"
            ) from None
    return found


def _has_columns(head: list[Token]) -> bool:
    """Whether a parenthesis follows the name in CREATE TABLE [IF NOT EXISTS] a.b.c."""
    place = 5 if [token.word for token in head[2:5]] == ["IF", "NOT", "EXISTS"] else 2
    place += 1
    while place < len(head) and head[place].word == ".":
        place += 2
    return place < len(head) and head[place].word == "("


def _not_here(head: list[Token]) -> str | None:
    words = tuple(token.word for token in head)
    return next((what for start, what in _NOT_HERE.items() if words[: len(start)] == start), None)


def _refused(query: str, head: list[Token]) -> QueryFailed:
    if not head:
        return syntax_error(1, 1, "mismatched input '<EOF>'. Expecting: <query>")
    if head[0].word in _KNOWN_AND_REFUSED:
        return not_supported("Queries of this type are not supported")
    if what := _not_here(head):
        return not_reproduced(what)
    # As far as some statement goes along, the parser does; it stops at the word after.
    words = [token.word for token in head]
    best, expected = 0, {form.head[0] for form in _FORMS}
    for form in (*_FORMS, _CREATE_TABLE):
        common = 0
        while common < min(len(words), len(form.head) - 1) and words[common] == form.head[common]:
            common += 1
        if common > best:
            best, expected = common, set()
        if common == best and common:
            expected.add(form.head[common])
    line, column = position(query, head[best].offset if best < len(head) else len(query))
    got = head[best].text if best < len(head) else "<EOF>"
    wanted = ", ".join(f"'{word}'" for word in sorted(expected))
    return syntax_error(line, column, f"mismatched input '{got}'. Expecting: {wanted}")
