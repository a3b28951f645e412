"""The published marts file: its schemas, the tables the report needs, and rows of a query."""

from __future__ import annotations

from math import isfinite
from typing import Any

import duckdb

from salescast.warehouse.marts import REPORT_TABLES

Row = dict[str, Any]
NAIVE = "snaive_52"
HORIZON_BANDS = ["1-4", "5-13", "14-26", "27+"]


class Marts:
    """Queries on the published file; `{marts}` and `{reports}` in the SQL name its schemas."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        """Take an open connection and the prefix of the schemas."""
        self._connection = connection
        self._schemas = {"marts": f"{schema}_marts", "reports": f"{schema}_reports"}
        self._quoted = {
            key: '"' + name.replace('"', '""') + '"' for key, name in self._schemas.items()
        }

    def rows(self, sql: str, **parameters: Any) -> list[Row]:
        """All rows of a query, by column name."""
        cursor = self._connection.execute(sql.format(**self._quoted), parameters)
        names = [column[0] for column in cursor.description or []]
        return [
            # JSON and number formats know no NaN: what is not finite is shown as missing.
            {
                name: None if isinstance(value, float) and not isfinite(value) else value
                for name, value in zip(names, values, strict=True)
            }
            for values in cursor.fetchall()
        ]

    def row(self, sql: str, **parameters: Any) -> Row:
        """The first row of a query that has one."""
        return self.rows(sql, **parameters)[0]

    def missing_tables(self) -> list[str]:
        """Tables that the report needs and the file does not hold."""
        found = {
            (row["table_schema"], row["table_name"])
            for row in self.rows("select table_schema, table_name from information_schema.tables")
        }
        return [
            f"{self._schemas[key]}.{table}"
            for key, tables in REPORT_TABLES.items()
            for table in tables
            if (self._schemas[key], table) not in found
        ]
