"""Digests of events: hashes of coordinates and content.

They are alike of rows, documents and what Kafka has. docs/audit.md has the recipe for others, docs/recompute.py follows
it.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dualsink.events.model import COORDINATES, DOCUMENT_COLUMNS

VERSION = 2
"""Digests are comparable within a version: 1 passed over nulls, so a value was equal to itself in another column."""


def of_event(columns: Collection[str]) -> Column:
    """Return the hash of an event's content.

    A column that is not among `columns` counts as null.
    """
    return F.expr(_hash(_marked(name) if name in columns else "true" for name in DOCUMENT_COLUMNS))


def _hash(values: Iterable[str]) -> str:
    return f"xxhash64({', '.join(values)})"


def _marked(name: str) -> str:
    """Return whether a column is null, then its value.

    The hash itself passes over nulls.
    """
    return f"`{name}` IS NULL, `{name}`"


def of_bytes() -> Column:
    """Return the hash of a record's bytes and Kafka's metadata."""
    marked = [_marked(name) for name in ("topic", "kafka_timestamp", "key", "value")]
    return F.expr(_hash([*marked, "coalesce(headers, array())"]))


def of_refusal() -> Column:
    """Return the hash of a position that holds no event.

    Of its coordinates and the column `bytes`.
    """
    return F.expr(_hash(_marked(name) for name in (*COORDINATES, "bytes")))


def digested(rows: DataFrame, *more: str) -> DataFrame:
    """Select COORDINATES, event day (UTC) and `digest`.

    Of rows of the archive or of documents.
    """
    day, digest = F.to_date("timestamp").alias("day"), of_event(rows.columns).alias("digest")
    return rows.select(*COORDINATES, day, digest, *more)


def on_days(days: Iterable[date], first: date | None = None, column: str = "timestamp") -> Column:
    """Condition: a time on one of some days (UTC).

    Or on any from `first` on. Iceberg skips files by its literals.
    """
    later = [f"`{column}` >= {_midnight(first)}"] if first else []
    runs = _runs(day for day in days if not first or day < first)
    between = [f"(`{column}` >= {_midnight(begin)} AND `{column}` < {_midnight(end)})" for begin, end in runs]
    return F.expr(" OR ".join([*later, *between]) or "false")


def _runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Merge consecutive days into ranges, their ends excluded."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        begin = runs.pop()[0] if runs and runs[-1][1] == day else day
        runs.append((begin, day + timedelta(days=1)))
    return runs


def _midnight(day: date) -> str:
    return f"TIMESTAMP '{day} 00:00:00Z'"


def sum_of(condition: str = "true") -> list[Column]:
    """Return the aggregates `events` and `digest` of a group.

    The number of rows that meet an SQL condition, and the sum of their hashes, which no order changes: an integer of up
    to 20 digits.
    """
    return [F.expr(f"count_if({condition}) AS events"), F.expr(f"sum({_PART}) FILTER (WHERE {condition}) AS digest")]


_PART = "CAST(xxhash64(digest) AS DECIMAL(20, 0))"


# -- sums --------------------------------------------------------------------------------------------


def sums(rows: DataFrame, by: str) -> DataFrame:
    """Events and digest of every group."""
    return rows.groupBy(by).agg(*sum_of())


def equal(one: Any, other: Any) -> bool:
    """Compare two sums, each None if its side has nothing."""
    if one is None or other is None:
        return one is other
    return (one.events, one.digest) == (other.events, other.digest)


def by_day(rows: DataFrame) -> dict[str, tuple[int, int]]:
    """Sum up the archive's rows by event day (UTC).

    Events and digest, as statement 2 has them.
    """
    return {str(row.day): (row.events, int(row.digest)) for row in sums(digested(rows), "day").collect()}


def taken_away(then: DataFrame, before: DataFrame, after: DataFrame, day: str) -> int:
    """Count rows of `then` that a change took away.

    Of an event day: those that were there `before` it and not `after` it, with that content.
    """
    one, other, left = (digested(rows).where(F.col("day") == day) for rows in (then, before, after))
    return one.intersectAll(other).exceptAll(left).count()


def lost_by_day(then: DataFrame, now: DataFrame, days: Sequence[str]) -> dict[str, int]:
    """Count rows of `then` that `now` lacks, by event day.

    On the given days; a row with another content is lacking.
    """
    on_days = F.col("day").cast("string").isin(list(days))
    one, other = (digested(rows).where(on_days) for rows in (then, now))
    return {str(row.day): row["count"] for row in one.exceptAll(other).groupBy("day").count().collect()}
