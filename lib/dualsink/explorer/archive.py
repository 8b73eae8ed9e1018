"""The archive's side of the explorer: PyIceberg reads, DuckDB filters and counts, no Spark is started.

A search reads twice: first the columns that filter and count, then all columns of the few rows that are shown.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import orjson
from pyiceberg.table import StaticTable

from dualsink import lake, lucene
from dualsink.explorer.answers import COORDINATES, FIELDS, Answer, Search
from dualsink.lake import Slice
from dualsink.lucene import Condition

_LIGHT = ("timestamp", "level", "service", *COORDINATES)
_KEPT = ", ".join(f'"{name}"' for name in _LIGHT)
_NEWEST_FIRST = 'ORDER BY timestamp DESC, partition DESC, "offset" DESC'


def find(table: StaticTable, slices: Sequence[Slice], wanted: Search) -> Answer:
    """The answer to a search with both times, over some slices of the archive.

    Raises SettingsError for what the archive cannot be asked.
    """
    asked = lucene.condition(wanted.text)
    with duckdb.connect() as database:
        _keep(database, table, slices, asked)
        levels, services = _chosen("level", wanted.levels), _chosen("service", wanted.services)
        both = _all(levels, services)
        total = _ask(database, f"SELECT count(*) FROM found WHERE {both.sql}", both.values)[0][0]
        return Answer(
            total,
            _newest(database, table, both, wanted.size) if total else [],
            _counted(database, "level", services),
            _counted(database, "service", levels),
            _bars(database, both, wanted.step),
        )


def trace(table: StaticTable, slices: Sequence[Slice], trace_id: str, size: int) -> Answer:
    """The first `size` events of a trace within some slices."""
    asked = Condition("trace_id = $trace", {"trace": trace_id}, {"trace_id"})
    with duckdb.connect() as database:
        _keep(database, table, slices, asked)
        events = _newest(database, table, Condition("TRUE"), size)
    return Answer(len(events), events)


def _keep(database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], asked: Condition) -> None:
    """The rows that answer, with the columns that are counted and sorted by, as the table `found`."""
    rows = lake.rows(table, slices, {*_LIGHT, *asked.columns})
    database.register("archived", rows)
    _ask(database, f"CREATE TABLE found AS SELECT {_KEPT} FROM archived WHERE {asked.sql}", asked.values)


def _ask(database: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None) -> list[tuple]:
    """All rows at once: a result that is not read to its end keeps its connection."""
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


def _newest(
    database: duckdb.DuckDBPyConnection, table: StaticTable, where: Condition, size: int
) -> list[dict[str, Any]]:
    """Whole events, newest first: those of `found` that are shown are looked up by their coordinates."""
    page = f"CREATE TABLE page AS SELECT * FROM found WHERE {where.sql} {_NEWEST_FIRST} LIMIT {size:d}"
    _ask(database, page, where.values)
    ((first, last),) = _ask(database, "SELECT min(timestamp), max(timestamp) FROM page")
    if first is None:
        return []
    rows = lake.rows(table, [Slice(first, last + timedelta(microseconds=1))], FIELDS)
    database.register("whole", rows)
    names = ", ".join(f'whole."{name}"' for name in FIELDS)
    same = " AND ".join(f'whole."{name}" = page."{name}"' for name in COORDINATES)
    order = _NEWEST_FIRST.replace("ORDER BY timestamp", "ORDER BY page.timestamp").replace(
        " partition", " page.partition"
    )
    found = _ask(database, f"SELECT {names} FROM whole JOIN page ON {same} {order}")
    return [_event(dict(zip(FIELDS, row, strict=True))) for row in found]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    attributes = orjson.loads(row["attributes"]) if row["attributes"] else None
    arrived = round(row["kafka_timestamp"].timestamp() * 1000)
    moment = row["timestamp"].astimezone(UTC)
    return row | {"timestamp": moment, "kafka_timestamp": arrived, "attributes": attributes, "tier": "archive"}
