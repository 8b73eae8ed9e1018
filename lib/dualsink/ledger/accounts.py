"""Accounts of records that are gone from the tables.

The audit log says who answers for it: what the archive's retention has erased, and what a person has acknowledged as
lost.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.markers import Run

COLUMN = "records"
ERASED, ACKNOWLEDGED = "retired", "acknowledged"


@dataclass(frozen=True)
class Account:
    """Records of one partition that were erased or are acknowledged.

    `acknowledged` counts those that are lost and answered for, `ranges` are their offsets.
    """

    erased: int = 0
    acknowledged: int = 0
    ranges: tuple[Run, ...] = ()


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
    for row in log.where(known).select("action", COLUMN).collect():
        for topic_id, partitions in json.loads(row[COLUMN]).items():
            for partition, told in partitions.items():
                place = topic_id, int(partition)
                found[place] = _added(found.get(place, Account()), row.action, told)
    return found


def _added(account: Account, action: str, told: Mapping[str, Any]) -> Account:
    if action == ERASED:
        return Account(account.erased + told["count"], account.acknowledged, account.ranges)
    ranges = (*account.ranges, *((first, last) for first, last in told["ranges"]))
    return Account(account.erased, account.acknowledged + told["count"], ranges)
