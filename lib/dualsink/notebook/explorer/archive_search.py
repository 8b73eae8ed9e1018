"""Archive's side of the explorer, without Spark.

PyIceberg reads, DuckDB filters and counts. A search reads twice: first the columns that filter and count, then all
columns between the first and the last event that are shown.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import duckdb
from pyiceberg.table import StaticTable

from dualsink.events.strict_json import read_exactly
from dualsink.iceberg import reader
from dualsink.iceberg.reader import Slice
from dualsink.notebook.explorer import cancellation, lucene
from dualsink.notebook.explorer.answers import FIELDS, Answer, Search
from dualsink.notebook.explorer.lucene import Condition

_COUNTED = ("timestamp", "level", "service")
_ORDER = ("timestamp", "partition", "offset", "position")
LONGEST = 30
"""Seconds after which a search is given up."""
AT_LEAST = 250_000
"""Rows of the newest days that are read before their speed is judged."""


def _sorted(oldest: bool, names: Sequence[str] = _ORDER) -> str:
    return "ORDER BY " + ", ".join(f'"{name}" {"ASC" if oldest else "DESC"}' for name in names)


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
    asked = lucene.condition(wanted.text)
    since = _keep(database, table, slices, asked, wanted.patience)
    levels, services = _chosen("level", wanted.levels), _chosen("service", wanted.services)
    both = _all(levels, services)
    total = _ask(database, f"SELECT count(*) FROM found WHERE {both.sql}", both.values)[0][0]
    return Answer(
        total,
        _page(database, table, slices, asked, both, wanted) if total else [],
        _counted(database, "level", services),
        _counted(database, "service", levels),
        _bars(database, both, wanted.step),
        since=since,
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
    asked = Condition("trace_id = $trace", {"trace": trace_id}, {"trace_id"})
    _keep(database, table, slices, asked)
    events = _page(database, table, slices, asked, Condition("TRUE"), Search(size=size, oldest=True))
    return Answer(len(events), events)


def _keep(
    database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], asked: Condition,
    patience: float | None = None,
) -> datetime | None:  # fmt: skip
    """Create the table `found` of the rows that match.

    It has the columns by which events are counted. Their identities are not read: they never repeat, and would be most
    of what is read. With `patience` (seconds) the newest days come first, and those that would take longer are left
    out. Returns the time since when rows were read, None if all were.
    """
    _ask(database, "CREATE TABLE found (timestamp TIMESTAMPTZ, level VARCHAR, service VARCHAR)")
    if patience is None:
        _insert(database, table, slices, asked)
        return None
    ahead = [(day, rows) for day, rows in reader.days(table) if reader.within(slices, day)]
    began, read, end = time.monotonic(), 0, datetime.max.replace(tzinfo=UTC)
    while ahead:
        count = _fitting([rows for _, rows in ahead], read, time.monotonic() - began, patience)
        if not count:
            return end
        part = Slice(ahead[count - 1][0].first, end)
        _insert(database, table, reader.within(slices, part), asked)
        read += sum(rows for _, rows in ahead[:count])
        end, ahead = part.first, ahead[count:]
    return None


def _insert(database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], asked: Condition) -> None:
    database.register("archived", reader.rows(table, slices, {*_COUNTED, *asked.columns}))
    columns = ", ".join(_COUNTED)
    _ask(database, f"INSERT INTO found SELECT {columns} FROM archived WHERE {asked.sql}", asked.values)


def _fitting(rows: Sequence[int], read: int, taken: float, patience: float) -> int:
    """Count the next days that can be read in time.

    `rows` are those of each, `read` those that were read in `taken` seconds: none yet, and some are read in any case.
    """
    most = read * (patience - taken) / taken if read else AT_LEAST
    return max(sum(total <= most for total in accumulate(rows)), 0 if read else 1)


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
    database: duckdb.DuckDBPyConnection, table: StaticTable, slices: Sequence[Slice], asked: Condition,
    chosen: Condition, wanted: Search,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the chosen events that come first, whole, sorted.

    They are read between the first and the last of them.
    """
    shown = f"SELECT timestamp FROM found WHERE {chosen.sql} {_sorted(wanted.oldest, _ORDER[:1])} LIMIT {wanted.size:d}"
    ((first, last),) = _ask(database, f"SELECT min(timestamp), max(timestamp) FROM ({shown})", chosen.values)
    if first is None:
        return []
    pieces = reader.within(slices, Slice(first, last + timedelta(microseconds=1)))
    database.register("whole", reader.rows(table, pieces, {*FIELDS, *asked.columns}))
    names, both = ", ".join(f'"{name}"' for name in FIELDS), _all(asked, chosen)
    page = f"SELECT {names} FROM whole WHERE {both.sql} {_sorted(wanted.oldest)} LIMIT {wanted.size:d}"
    return [_event(dict(zip(FIELDS, row, strict=True))) for row in _ask(database, page, both.values)]


def _event(row: dict[str, Any]) -> dict[str, Any]:
    attributes = read_exactly(row["attributes"]) if row["attributes"] else None
    arrived = round(row["kafka_timestamp"].timestamp() * 1000)
    moment = row["timestamp"].astimezone(UTC)
    return row | {"timestamp": moment, "kafka_timestamp": arrived, "attributes": attributes, "tier": "archive"}
