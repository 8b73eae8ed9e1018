"""Accounts of records that are gone from the tables.

The audit log says who answers for it: what the archive's retention has erased, and what a person has acknowledged as
lost. An older snapshot may have brought records back since: those nobody answers for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.markers import Run

COLUMN = "records"
ERASED, ACKNOWLEDGED = "retired", "acknowledged"


@dataclass(frozen=True)
class Erasure:
    """Records of a table's day and a partition, erased.

    `ends` are their first and last offset, None in an entry of an older version.
    """

    table: str
    day: date
    records: int
    ends: Run | None


@dataclass(frozen=True)
class Account:
    """Records of one partition that were erased or are acknowledged.

    `acknowledged` counts those that are lost and answered for, `ranges` are their offsets.
    """

    erasures: tuple[Erasure, ...] = ()
    acknowledged: int = 0
    ranges: tuple[Run, ...] = ()

    @property
    def erased(self) -> int:
        """Records that were erased; what was erased twice counts once."""
        found: dict[tuple[str, date], list[Erasure]] = {}
        for erasure in sorted(self.erasures, key=lambda each: each.ends or (-1, -1)):
            of_day = found.setdefault((erasure.table, erasure.day), [])
            again = of_day and erasure.ends and of_day[-1].ends and erasure.ends[0] <= of_day[-1].ends[1]
            if again:
                erasure = max(of_day.pop(), erasure, key=lambda each: each.records)
            of_day.append(erasure)
        return sum(erasure.records for of_day in found.values() for erasure in of_day)


Place = tuple[str, int]
"""Topic id and partition."""


def written(counts: Mapping[Place, tuple[int, list[Run]]]) -> str:
    """Format counts and offsets by place for the audit log."""
    entries: dict[str, dict[str, Any]] = {}
    for (topic_id, partition), (count, ranges) in sorted(counts.items()):
        entries.setdefault(topic_id, {})[str(partition)] = {"count": count, "ranges": ranges}
    return json.dumps(entries)


def read(spark: SparkSession, archive: Archive) -> dict[Place, Account]:
    """Read the accounts of all entries, by place."""
    if not spark.catalog.tableExists(archive.audit):
        return {}
    log = snapshots.pinned(spark, archive.audit)
    if COLUMN not in log.columns:
        return {}
    found: dict[Place, Account] = {}
    known = F.col(COLUMN).isNotNull() & F.col("action").isin(ERASED, ACKNOWLEDGED)
    for row in log.where(known).select("action", "table_name", "day", COLUMN).collect():
        for topic_id, partitions in json.loads(row[COLUMN]).items():
            for partition, told in partitions.items():
                place = topic_id, int(partition)
                found[place] = _added(found.get(place, Account()), row, told)
    return found


def _added(account: Account, row: Row, told: Mapping[str, Any]) -> Account:
    runs = [(first, last) for first, last in told["ranges"]]
    if row.action == ERASED:
        erasure = Erasure(row.table_name, row.day, told["count"], runs[0] if runs else None)
        return replace(account, erasures=(*account.erasures, erasure))
    ranges = (*account.ranges, *runs)
    return replace(account, acknowledged=account.acknowledged + told["count"], ranges=ranges)
