"""A made-up chain on Athena that gets new and restated weeks, and what its readers see."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import requests
from click.testing import CliRunner

from salescast.cli import cli
from salescast.simulate.command import DEFAULT_END
from salescast.sql_text import quoted_text
from support.comparison import compare
from support.warehouse import REPOSITORY, Athena

WEEKS_MADE, WEEKS_AT_FIRST = 160, 130
FIRST_WEEK = DEFAULT_END - timedelta(weeks=WEEKS_MADE - 1)
N_STORES, N_DEPARTMENTS = 2, 3
N_SERIES = N_STORES * N_DEPARTMENTS
HORIZON = 8
# Commands that build all tables.
BUILDING = ("build", "run", "backtest")

Tables = dict[str, list[Path]]


@dataclass
class Shop:
    """The chain; `n_weeks` are landed.

    first_run_printed: what `salescast run` printed that made its first forecasts.
    is_behind: whether something has landed since the last build that was finished.
    """

    athena: Athena
    n_weeks: int = 0
    first_run_printed: str = field(default="", repr=False)
    restated: int = field(default=0, repr=False)
    is_behind: bool = False

    def command(self, *arguments: str | Path, code: int = 0, **variables: str) -> str:
        """Give a command; returns what it printed."""
        result = CliRunner(env={**self.athena.environment, **variables}).invoke(
            cli, [str(each) for each in arguments]
        )
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "unexpected" not in result.output
        on_athena = variables.get("SALESCAST_TARGET", "athena") == "athena"
        if code == 0 and on_athena and arguments[0] in BUILDING:
            self.is_behind = False
        return result.output

    def build_if_behind(self) -> None:
        """Build the tables if something has landed since they were built."""
        if self.is_behind:
            self.command("build")

    def land(self, rows: str) -> None:
        """Land the rows of a query on `chain`, all made-up sales, as one more file."""
        folder = self.athena.folder / "source"
        if not folder.exists():
            self._make_chain(folder)
        n_files = len(list(folder.glob("sales_*.csv")))
        to = quoted_text(str(folder / f"sales_{n_files}.csv"))
        duckdb.sql(f"copy (with {self._chain} {rows}) to {to} (header)")
        self.command("ingest", folder, "--mapping", folder / "shop.yml", "--yes")
        self.is_behind = True

    def _make_chain(self, folder: Path) -> None:
        """Everything but the sales into the folder, which are landed some weeks at a time."""
        self.command(
            *("simulate", self._made, "--weeks", str(WEEKS_MADE)),
            *("--stores", str(N_STORES), "--departments", str(N_DEPARTMENTS)),
        )
        folder.mkdir(parents=True)
        for name in ("related.csv", "stores.csv", "departments.csv"):
            shutil.copyfile(self._made / name, folder / name)
        text = (REPOSITORY / "mappings" / "demo.yml").read_text(encoding="utf-8")
        assert text.count("sales.csv*") == 1
        (folder / "shop.yml").write_text(text.replace("sales.csv*", "sales_*.csv"))

    def land_weeks(self, n: int, *, restate: bool = False) -> None:
        """Land the next weeks of all series, with `restate` a past week of all series too."""
        first = self.last_week + timedelta(days=1)
        self.n_weeks += n
        assert self.n_weeks <= WEEKS_MADE
        rows = [f"select * from chain where date between '{first}' and '{self.last_week}'"]
        # A row that is rejected, in each landing.
        rows.append("(select * replace ('soon' as date) from chain limit 1)")
        if restate:
            # One of the weeks that the backtest has forecast, so that its errors change too.
            self.restated += 1
            last = FIRST_WEEK + timedelta(weeks=WEEKS_AT_FIRST - 1 - self.restated % HORIZON)
            changed = f"cast(try_cast(sales as double) + {self.restated} as varchar)"
            rows.append(
                f"select * replace ({changed} as sales) from chain"
                f" where date between '{last - timedelta(days=6)}' and '{last}'"
            )
        self.land(" union all ".join(rows))

    @property
    def _made(self) -> Path:
        """Folder of the chain's files."""
        return self.athena.folder / "made"

    @property
    def _chain(self) -> str:
        sales = quoted_text(str(self._made / "sales.csv.gz"))
        return f"chain as (select * from read_csv({sales}, all_varchar = true))"

    @property
    def last_week(self) -> date:
        """The newest landed week."""
        return FIRST_WEEK + timedelta(weeks=self.n_weeks - 1)

    def names(self) -> list[str]:
        """Public tables, as `schema.table`."""
        path = self.athena.folder / "dbt" / "target" / "manifest.json"
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"].values()
        return sorted(
            f"{node['schema']}.{node['name']}"
            for node in nodes
            if node["resource_type"] == "model" and node["config"]["access"] == "public"
        )

    def tables(self) -> Tables:
        """Everything that readers see, as files."""
        return {name: self.athena.unload(f"select * from {name}") for name in self.names()}

    @contextmanager
    def faults(self, **wanted: Any) -> Iterator[None]:
        """Athena fails in some way while the block runs."""
        url = f"{self.athena.stack.gateway_url}/faults"
        answer = requests.post(url, json=wanted, timeout=10)
        assert answer.ok, answer.text
        try:
            yield
        finally:
            requests.delete(url, timeout=10)

    def build_on_duckdb(self, home: Path) -> None:
        """Build the same lake on DuckDB, in a home of its own."""
        self.athena.fetch_lake(home / "lake")
        own = {
            "SALESCAST_TARGET": "dev",
            "SALESCAST_HOME": str(home),
            "SALESCAST_LAKE": str(home / "lake"),
        }
        self.command("build", **own)

    def differences_from_duckdb(self, home: Path) -> dict[str, list[str]]:
        """Build the same lake on DuckDB; what differs, by table."""
        self.build_on_duckdb(home)
        tables = self.tables()
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
            found = {name: compare(connection, name, files) for name, files in tables.items()}
        return {name: problems for name, problems in found.items() if problems}


def differences(a: Tables, b: Tables) -> dict[str, list[str]]:
    """What differs between two states of all tables."""
    assert a.keys() == b.keys()
    found = {}
    with duckdb.connect() as connection:
        for name, files in a.items():
            if not files:
                found |= {name: ["empty before, not after"]} if b[name] else {}
                continue
            paths = ", ".join(quoted_text(str(path)) for path in files)
            if problems := compare(connection, f"read_parquet([{paths}])", b[name]):
                found[name] = problems
    return found


class Reader(threading.Thread):
    """Reads every public table again and again; tells what it saw as counts and checksums."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(name="reader", daemon=True)
        self._athena = shop.athena
        self._queries = {name: _digest_sql(shop.athena, name) for name in shop.names()}
        self._seen: list[tuple[str, str]] = []
        self.n_reads = 0
        self._ended = threading.Event()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.is_set():
            for name in self._queries:
                try:
                    self._seen.append((name, self.digest(name)))
                except Exception as error:
                    self._seen.append((name, f"{type(error).__name__}: {error}"))
                time.sleep(0.8)

    def digest(self, name: str) -> str:
        """Number of rows and a checksum of all values of a table."""
        ((_, *rest),) = self._athena.rows(self._queries[name])
        return str(rest)

    def digests(self) -> dict[str, str]:
        """All tables as they are now."""
        rows = self._athena.rows(" union all ".join(self._queries.values()))
        return {str(name): str(rest) for name, *rest in rows}

    def halves(self, before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str]]:
        """What was read since it was asked last and is neither state, as table and digest."""
        seen, self._seen = self._seen, []
        assert {name for name, _ in seen} == set(self._queries), "a table was never read"
        self.n_reads += len(seen)
        return [each for each in seen if each[1] not in (before[each[0]], after[each[0]])]


def _digest_sql(athena: Athena, name: str) -> str:
    """Doubles are cut to singles: their last digits depend on the order in which they are added."""
    schema, table = name.split(".")
    found = athena.client("glue").get_table(DatabaseName=schema, Name=table)["Table"]
    columns = [
        f"cast({each['Name']} as real)" if each["Type"] == "double" else each["Name"]
        for each in found["StorageDescriptor"]["Columns"]
    ]
    return f"select '{name}', count(*), checksum(row({', '.join(columns)})) from {name}"
