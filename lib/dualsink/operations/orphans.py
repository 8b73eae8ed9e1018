"""Orphans: rows and documents of no event, in the quarantine.

A document or a row goes there before it is deleted elsewhere, by an audited commit. No command parses it again: what it
was, only a person can say.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import QUARANTINE_COLUMNS
from dualsink.iceberg import data_files, quarantine, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import shapes
from dualsink.ledger import documents
from dualsink.opensearch import reindex
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import audit_log
from dualsink.operations.audit_log import Entry

_SAME = ["key", "value"]


@dataclass(frozen=True)
class Deed:
    """Deed for the archive's audit log: by whom and why."""

    spark: SparkSession
    archive: Archive
    who: str
    reason: str

    def entries(self, table: str, days: Mapping[Any, int], before: int | None) -> list[Entry]:
        """Return an entry for each day, all of one id."""
        name = uuid.uuid4().hex
        of_day = sorted(days.items())
        return [Entry(name, self.who, "rescuing", table, day, n, 0, "", self.reason, before) for day, n in of_day]


def keep(deed: Deed, orphans: DataFrame) -> DataFrame:
    """Keep what `rows` made in the quarantine.

    Those that are there already, of a run that was cut short, are not added again. Returns the ones that are there now,
    with all their columns.
    """
    spark, archive = deed.spark, deed.archive
    _, shape = shapes(archive)
    before = snapshots.current(spark, shape.table)
    known = _kept(snapshots.as_of(spark, shape.table, before))
    new = orphans.select(*QUARANTINE_COLUMNS).join(known, _SAME, "left_anti").dropDuplicates(_SAME)
    layout = data_files.layout(spark, shape.table, QUARANTINE_COLUMNS, shape.day)
    files = data_files.write(new, archive.storage, layout)
    if files:
        today = {r.day: r["count"] for r in new.groupBy(F.to_date(shape.day).alias("day")).count().collect()}
        commit = partial(data_files.commit, spark, shape.table, files)
        audit_log.carry_out(spark, archive, deed.entries(shape.table, today, before), commit)
    return orphans.join(_kept(snapshots.pinned(spark, shape.table)), _SAME, "left_semi")


def move_documents(deed: Deed, hot: HotTier, found: DataFrame) -> int:
    """Move documents into the quarantine; returns how many are gone.

    They are as `documents.named` gives them, with their `trouble`. One that has changed meanwhile stays in OpenSearch,
    too.
    """
    orphans = rows(found, F.concat_ws("/", *documents.PLACE), F.col("source"), F.col("trouble"))
    gone = keep(deed, orphans).select(*documents.PLACE, "if_seq_no", "if_primary_term")
    return reindex.delete(gone, hot)


def rows(found: DataFrame, key: Column, value: Column, trouble: Column) -> DataFrame:
    """Return the quarantine's rows of orphans, and their other columns.

    `key` is the place where each was, `value` what it was, as JSON; the coordinates are those that it claims.
    """
    made = {
        "key": key.cast("binary"),
        "value": value.cast("binary"),
        "headers": F.array().cast(QUARANTINE_COLUMNS["headers"]),
        "stage": F.lit(quarantine.ORPHAN),
        "reason": F.lit(quarantine.ORPHAN),
        "detail": trouble,
        "quarantined_at": F.current_timestamp(),
        "resolved_at": F.lit(None).cast("timestamp"),
    }
    return found.withColumns(made)


def _kept(table: DataFrame) -> DataFrame:
    return table.where(quarantine.unresolved(quarantine.ORPHAN)).select(*_SAME)
