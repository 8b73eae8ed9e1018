"""Archive's side of the explorer, without Spark.

PyIceberg reads, DuckDB filters and counts. A search reads twice: first the columns that filter and count, then all
columns of the few rows that are shown.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
from pyiceberg.table import StaticTable

from dualsink.events.model import IDENTITY
from dualsink.events.strict_json import read_exactly
from dualsink.iceberg import reader
from dualsink.iceberg.reader import Slice
from dualsink.notebook.explorer import cancellation, lucene
from dualsink.notebook.explorer.answers import FIELDS, Answer, Search
from dualsink.notebook.explorer.lucene import Condition

_LIGHT = ("timestamp", "level", "service", *IDENTITY)
_KEPT = ", ".join(f'"{name}"' for name in _LIGHT)
_ORDER = ("timestamp", "partition", "offset", "position")
LONGEST = 30
"""Seconds after which a search is given up."""


def _sorted(table: str, oldest: bool) -> str:
    return "ORDER BY " + ", ".join(f'{table}."{name}" {"ASC" if oldest else "DESC"}' for name in _ORDER)


@contextmanager
def opened(longest: float = LONGEST) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for one search.

    Raises ServiceUnavailable if the block takes longer than `longest` seconds, Cancelled if its question is cancelled:
    whatever step it is at, and at the latest when the file that PyIceberg reads has been read.
    """
    late = f"The archive took longer than {longest:g} s to answer: narrow the time range or the search."
    with (
        cancellation.limited(longest, late) as limit,
        duckdb.connect() as database,
        limit.ending(database.interrupt),
    ):
        yield database


def find(database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], wanted: Search) -> Answer:
    """Answer a search with both times from some slices.

    Raises SettingsError for what the archive cannot be asked.
    """
    _keep(database, table, slices, lucene.condition(wanted.text))
    levels, services = _chosen("level", wanted.levels), _chosen("service", wanted.services)
    both = _all(levels, services)
    total = _ask(database, f"SELECT count(*) FROM found WHERE {both.sql}", both.values)[0][0]
    return Answer(
        total,
        _page(database, table, both, wanted) if total else [],
        _counted(database, "level", services),
        _counted(database, "service", levels),
        _bars(database, both, wanted.step),
    )


def where(wanted: Search) -> Condition:
    """Return the whole condition of a search with both times.

    Raises SettingsError for what the archive cannot be asked.
    """
    bounds = {"start": wanted.start, "end": wanted.end}
    within = Condition("timestamp >= $start AND timestamp < $end", bounds)
    chosen = (_chosen("level", wanted.levels), _chosen("service", wanted.services))
    return _all(within, lucene.condition(wanted.text), *chosen)


def trace(
    database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], trace_id: str, size: int
) -> Answer:
    """Return the first `size` events of a trace."""
    _keep(database, table, slices, Condition("trace_id = $trace", {"trace": trace_id}, {"trace_id"}))
    events = _page(database, table, Condition("TRUE"), Search(size=size, oldest=True))
    return Answer(len(events), events)


def _keep(database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], asked: Condition) -> None:
    """Create the table `found` of the rows that match.

    It has the columns by which events are counted and sorted.
    """
    rows = reader.rows(table, slices, {*_LIGHT, *asked.columns})
    database.register("archived", rows)
    _ask(database, f"CREATE TABLE found AS SELECT {_KEPT} FROM archived WHERE {asked.sql}", asked.values)


def _ask(database: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None) -> list[tuple]:
    """Run a statement and fetch all of its rows.

    A result that is not read to its end keeps its connection. Raises the reason if the question has ended.
    """
    cancellation.current().check()
    return database.execute(sql, values).fetchall()


def _chosen(column: str, values: tuple[str, ...]) -> Condition:
    return (
        Condition(f"list_contains(${column}s, {column})", {f"{column}s": list(values)}) if values else Condition("TRUE")
    )


def _all(*conditions: Condition) -> Condition:
    values = {name: value for condition in conditions for name, value in condition.values.items()}
    return Condition(" AND ".join(condition.sql for condition in conditions), values)


def _counted(database: duckdb.DuckDBPyConnection, column: str, where: Condition) -> Counter[str]:
    counts = f"SELECT {column}, count(*) FROM found WHERE {column} IS NOT NULL AND {where.sql} GROUP BY {column}"
    return Counter(dict(_ask(database, counts, where.values)))


def _bars(database: duckdb.DuckDBPyConnection, where: Condition, step: timedelta) -> Counter[tuple[datetime, str]]:
    width = step // timedelta(microseconds=1)
    bars = f"SELECT epoch_us(timestamp) // {width}, level, count(*) FROM found WHERE {where.sql} GROUP BY ALL"
    return Counter(
        {
            (datetime.fromtimestamp(bar * width / 1e6, UTC), level): count
            for bar, level, count in _ask(database, bars, where.values)
        }
    )


def _page(
    database: duckdb.DuckDBPyConnection, table: StaticTable, where: Condition, wanted: Search
) -> list[dict[str, Any]]:
    """Return one page of `found` as whole events, in order.

    They are looked up by identity.
    """
    order = _sorted("found", wanted.oldest)
    page = f"CREATE TABLE page AS SELECT * FROM found WHERE {where.sql} {order} LIMIT {wanted.size:d}"
    _ask(database, page, where.values)
    ((first, last),) = _ask(database, "SELECT min(timestamp), max(timestamp) FROM page")
    if first is None:
        return []
    rows = reader.rows(table, [Slice(first, last + timedelta(microseconds=1))], FIELDS)
    database.register("whole", rows)
    names = ", ".join(f'whole."{name}"' for name in FIELDS)
    same = " AND ".join(f'whole."{name}" = page."{name}"' for name in IDENTITY)
    found = _ask(database, f"SELECT {names} FROM whole JOIN page ON {same} {_sorted('page', wanted.oldest)}")
    return [_event(dict(zip(FIELDS, row, strict=True))) for row in found]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    attributes = read_exactly(row["attributes"]) if row["attributes"] else None
    arrived = round(row["kafka_timestamp"].timestamp() * 1000)
    moment = row["timestamp"].astimezone(UTC)
    return row | {"timestamp": moment, "kafka_timestamp": arrived, "attributes": attributes, "tier": "archive"}
