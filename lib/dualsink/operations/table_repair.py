"""Repair of a table's own rows: faults, and the commit.

Kafka's bytes are the truth while they exist. A row is taken out only if an exact copy of it stays, or the row that
Kafka's record makes, or if it is whole in the quarantine. Rows of one event with different contents, of which Kafka
knows nothing more, stay and are told: which of them is right only a person can say.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import ShapeMismatch
from dualsink.events.model import IDENTITY
from dualsink.iceberg import data_files
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import Shape
from dualsink.ledger.book import NAMED_AT_MOST
from dualsink.operations import audit_log
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.operations.legal_holds import Holds

KEY = list(IDENTITY)


class Fault(StrEnum):
    """Fault of a row."""

    COPY = "exact copy"
    """Another row of the event has the same content: this one goes."""
    FALSE = "contradicted copy"
    """Another row of the event is what Kafka's record makes: this one goes."""
    FOREIGN = "foreign"
    """Kafka has no such event: the row goes, whole, to the orphans of the quarantine."""
    ALTERED = "altered"
    """Kafka's record makes another row, which takes its place."""
    HELD = "altered, under a legal hold"
    """Likewise, but nothing of the event may be changed."""
    AMBIGUOUS = "with several contents"
    """Rows of the event differ, and Kafka has its record no more."""


REMOVED, REPLACED = (Fault.COPY, Fault.FALSE, Fault.FOREIGN), (Fault.ALTERED,)
_ACTIONS = {"removing": REMOVED, "replacing": REPLACED}
_REASONS = {
    "removing": "exact copies, rows that Kafka's record contradicts, beside the right ones, and those of no event",
    "replacing": "Kafka's record makes another row, which has taken its place",
}


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for the rows of a table's day.

    `mend`, or `keep` if nothing of it may be changed.
    """

    table: str
    day: date
    counts: Mapping[Fault, int]

    @property
    def target(self) -> str:
        """The day of the archive or the quarantine."""
        return f"{self.table} {self.day}"

    def about(self) -> dict[str, Any]:
        """Return table, day and counts as JSON types."""
        counts = {fault.value: count for fault, count in self.counts.items()}
        return {"table": self.table, "day": str(self.day), **counts}


@dataclass(frozen=True)
class Rows:
    """Rows at fault by table and day.

    With the names of those that stay so.
    """

    steps: list[Step] = field(default_factory=list)
    left: tuple[str, ...] = ()

    def __add__(self, other: "Rows") -> "Rows":
        return Rows([*self.steps, *other.steps], (*self.left, *other.left))

    def count(self, *faults: Fault) -> int:
        """Count rows by their faults."""
        return sum(step.counts.get(fault, 0) for step in self.steps for fault in faults)

    @property
    def removed(self) -> int:
        """Rows that go."""
        return self.count(*REMOVED)

    @property
    def replaced(self) -> int:
        """Rows that others take the place of."""
        return self.count(*REPLACED)

    @property
    def orphaned(self) -> int:
        """Rows of no event, which are whole in the quarantine."""
        return self.count(Fault.FOREIGN)


@dataclass(frozen=True)
class Table:
    """Table to mend at a snapshot: `archive` or `quarantine`."""

    spark: SparkSession
    archive: Archive
    name: str
    shape: Shape
    base: int

    def rows(self) -> DataFrame:
        """Return all rows with their `file` and `pos`."""
        rows = self.spark.read.option("versionAsOf", self.base).table(self.shape.table)
        return rows.select("*", F.col("_file").alias("file"), F.col("_pos").alias("pos"))


# -- what is wrong -------------------------------------------------------------------------------------


def faults(rows: DataFrame, known: DataFrame, on: Sequence[str]) -> DataFrame:
    """Judge rows by each other and by Kafka's.

    `rows` have IDENTITY, `topic`, `day`, `digest`, `file`, `pos`, `held`, and whether they are `placed` as a row can
    be; `known` have the columns `on` and `truth`, the digest of Kafka's row. Returns those at fault, with `fault`.
    """
    judged = rows.join(known, list(on), "left")
    doubled = rows.groupBy(*KEY).count().where("count > 1").select(*KEY)
    altered = judged.where("NOT placed OR digest <> truth").select(*KEY)
    suspect = judged.join(doubled.unionAll(altered).distinct(), KEY, "left_semi")
    suspect = suspect.withColumn("is_true", F.expr("placed AND digest <=> truth"))
    event, place = Window.partitionBy(*KEY), [F.desc("placed"), F.desc("positions"), "file", "pos"]
    ranks = {
        "best": F.row_number().over(event.orderBy(F.desc("is_true"), *place)),
        "copy": F.row_number().over(Window.partitionBy(*KEY, "digest").orderBy(*place)),
        "contents": F.size(F.collect_set("digest").over(event)),
        "held": F.max("held").over(event),
    }
    return suspect.withColumns(ranks).withColumn("fault", _fault()).where("fault IS NOT NULL")


def _fault() -> Column:
    there, is_true = F.col("truth").isNotNull(), F.col("is_true")
    alone = ~there & (F.col("contents") == 1) & (F.col("copy") == 1)
    return (
        F.when(there & is_true & (F.col("best") == 1), None)
        .when(alone & F.col("placed"), None)
        .when((there & is_true) | (~there & (F.col("copy") > 1)), Fault.COPY)
        .when(~there & ~alone, Fault.AMBIGUOUS)
        .when(F.col("held"), Fault.HELD)
        .when(F.col("best") > 1, Fault.FALSE)
        .otherwise(Fault.ALTERED)
    )


def steps(table: str, found: DataFrame) -> list[Step]:
    """Return a step for each day of rows at fault."""
    days: dict[date, Counter[Fault]] = {}
    for row in found.groupBy("day", "fault").count().collect():
        days.setdefault(row.day, Counter())[Fault(row.fault)] += row["count"]
    return [_step(table, day, counts) for day, counts in sorted(days.items())]


def _step(table: str, day: date, counts: Counter[Fault]) -> Step:
    reason = ", ".join(f"{words.count(counts[fault], 'row')} {fault.value}" for fault in Fault if counts[fault])
    verb = "mend" if counts.keys() & {*REMOVED, *REPLACED} else "keep"
    return Step(table, day, counts, verb=verb, reason=reason)


def names(found: DataFrame) -> tuple[str, ...]:
    """Name rows that stay at fault, with their digests."""
    left = found.where(F.col("fault").isin(Fault.HELD, Fault.AMBIGUOUS)).orderBy(*KEY, "digest").limit(NAMED_AT_MOST)
    return tuple(
        f"{row.topic}-{row.partition}-{row.offset} position {row.position}, digest {row.digest}: {row.fault}"
        for row in left.collect()
    )


# -- doing ---------------------------------------------------------------------------------------------


def entries(table: Table, holds: Holds, planned: Iterable[Step], who: str) -> list[Entry]:
    """Return the steps' audit entries, all of one id."""
    name, policy = uuid.uuid4().hex, str(holds)
    counts = [
        (action, step.day, count)
        for step in planned
        for action, of in _ACTIONS.items()
        if (count := sum(step.counts.get(fault, 0) for fault in of))
    ]
    return [
        Entry(name, who, action, table.shape.table, day, n, 0, policy, _REASONS[action], table.base)
        for action, day, n in counts
    ]  # fmt: skip


def replace(
    table: Table, found: DataFrame, right: Callable[[DataFrame], DataFrame], begun: Sequence[Entry],
    confirm: Callable[[], None],
) -> None:  # fmt: skip
    """Write the touched files again in one commit.

    Without what goes and with what is right: `right` returns rows for those that are altered, each with all columns.
    `confirm` raises where what was read is another's by now. Raises FilesChanged, and changes nothing, if somebody else
    rewrites the files meanwhile, ShapeMismatch for a table with columns of somebody else's.
    """
    spark, shape, columns = table.spark, table.shape, list(table.shape.columns)
    if more := set(spark.table(shape.table).columns) - set(columns):
        raise ShapeMismatch(f"{shape.table} has columns of somebody else's, {sorted(more)}: no row of it is touched.")
    touched = found.where(F.col("fault").isin(*REMOVED, *REPLACED))
    files = [row.file for row in touched.select("file").distinct().collect()]
    # The files' rows of other topics, too.
    there = table.rows().where(F.col("file").isin(files))
    place = ["file", "pos"]
    stay = there.join(touched, place, "left_anti")
    altered = there.join(touched.where(F.col("fault") == Fault.ALTERED).select(*place), place, "left_semi")
    new = stay.select(*columns).unionByName(right(altered).select(*columns))
    storage = table.archive.storage
    written = data_files.write(new, storage, data_files.layout(spark, shape.table, shape.columns, shape.day))
    # Not what the files count: another engine may have deleted rows by their positions.
    rows = there.count() - touched.where(F.col("fault").isin(*REMOVED)).count()
    old = data_files.known(spark, shape.table, table.base, files)
    confirm()
    commit = partial(data_files.replace, spark, shape.table, table.base, old, written, rows)
    audit_log.carry_out(spark, table.archive, begun, commit)
