"""Acknowledgement: lost records that a person answers for.

Nothing is changed but the audit log. The ledger holds again, and goes on saying how many records that were.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from dualsink import words
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.events.reading import Reading
from dualsink.iceberg import markers, snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.markers import Run
from dualsink.iceberg.tables import check_tables
from dualsink.kafka.topic import Topic
from dualsink.ledger import accounts, kafka_side
from dualsink.ledger.tables import Tables
from dualsink.operations import audit_log
from dualsink.operations import plan as plan_of
from dualsink.operations.audit_log import Entry
from dualsink.settings import Settings


@dataclass(frozen=True)
class Step(plan_of.Step):
    """Step for one partition: `acknowledge`."""

    topic: str
    topic_id: str
    partition: int
    records: int
    offsets: tuple[Run, ...]

    @property
    def target(self) -> str:
        """The partition and how many of its records."""
        return f"{self.topic}-{self.partition}, {words.count(self.records, 'record')}"

    def about(self) -> dict[str, Any]:
        """Return partition, count and offsets as JSON types."""
        values = {"topic": self.topic, "topic_id": self.topic_id, "partition": self.partition}
        return {**values, "records": self.records, "offsets": [list(run) for run in self.offsets]}


@dataclass(frozen=True)
class Acknowledged(plan_of.Result):
    """Result: what was acknowledged; with `dry_run`, what is lost."""

    dry_run: bool
    who: str
    steps: list[Step]

    @property
    def records(self) -> int:
        """Number of lost records."""
        return sum(step.records for step in self.steps)

    @property
    def fact(self) -> str:
        """Number of records that somebody answers for now."""
        if not self.steps:
            return "no record is lost that nobody answers for: nothing to acknowledge"
        fact = f"{words.count(self.records, 'lost record')} acknowledged by {self.who}"
        return plan_of.unless_planned(fact, self.dry_run)

    def lines(self) -> list[str]:
        """Return the partitions."""
        return [str(step) for step in self.steps]

    def as_dict(self) -> dict[str, Any]:
        """Return the same as JSON types."""
        return {"records": self.records, "who": self.who, "steps": [step.as_dict() for step in self.steps]}


def run(
    spark: SparkSession, settings: Settings, count: int, reason: str, who: str, dry_run: bool = False
) -> Acknowledged:
    """Acknowledge what is lost, if it is `count` records.

    Given twice, it finds nothing lost. A dry run changes nothing. Raises SettingsError without a reason,
    LedgerMismatch if another number is lost.
    """
    if not reason.strip():
        raise SettingsError("An acknowledgement needs a reason: --reason TEXT.")
    archive = Archive.of(settings)
    steps = plan(spark, Topic.of(settings), Reading.of(settings), archive)
    done = Acknowledged(dry_run, who, steps)
    if steps and done.records != count:
        raise LedgerMismatch(
            f"The ledger finds {words.count(done.records, 'lost record')}, not {count:,}: nothing was acknowledged.\n  "
            + "\n  ".join(done.lines())
        )
    work = None if dry_run else partial(execute, spark, archive, who=who, reason=reason)
    return Acknowledged(dry_run, who, plan_of.carry_out(steps, work, plan_of.quietly))


def plan(spark: SparkSession, topic: Topic, reading: Reading, archive: Archive) -> list[Step]:
    """List the partitions of which records are lost."""
    check_tables(spark, archive)
    found = kafka_side.take(topic, reading, Tables.pinned(spark, archive), named=False)
    return [
        Step(
            topic.name, topic_id, partition, loss.records, tuple(loss.offsets),
            verb="acknowledge", reason=f"nothing holds them, at offsets {_told(loss.offsets)}",
        )
        for (topic_id, partition), loss in found.losses.items()
    ]  # fmt: skip


def _told(offsets: list[Run]) -> str:
    told = ", ".join(markers.text(run) for run in offsets[:_SHOWN])
    return f"{told} and others" if len(offsets) > _SHOWN else told


_SHOWN = 5


def execute(spark: SparkSession, archive: Archive, steps: list[Step], who: str, reason: str) -> list[Step]:
    """Enter all steps into the audit log at once."""
    if steps:
        lost = {(step.topic_id, step.partition): (step.records, list(step.offsets)) for step in steps}
        entry = Entry(
            uuid.uuid4().hex, who, accounts.ACKNOWLEDGED, archive.table, datetime.now(UTC).date(),
            sum(step.records for step in steps), 0, "", reason, snapshots.current(spark, archive.table),
            records=accounts.written(lost),
        )  # fmt: skip
        audit_log.append(spark, archive, entry)
    return steps
