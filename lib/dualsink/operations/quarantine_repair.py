"""Repair of the quarantine's own rows.

They are records that wait for a re-drive. Of several rows that hold the same bytes of a record one stays, and bytes
that Kafka contradicts become Kafka's. A row holds its whole record, whatever position it claims. What claims to be a
record and is none becomes an orphan where it is (see `table_repair`).
"""

from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dualsink.events.model import RECORD
from dualsink.events.records import RECORD_COLUMNS
from dualsink.iceberg import quarantine
from dualsink.iceberg.tables import shapes
from dualsink.kafka.topic import Incarnation
from dualsink.ledger import digest, kafka_side
from dualsink.ledger.foreign import NO_POSITION, PLACED, Judge
from dualsink.operations import table_repair
from dualsink.operations.legal_holds import Holds
from dualsink.operations.table_repair import KEY, Fault, Rows, Table

_BYTES = [name for name in RECORD_COLUMNS if name not in RECORD]
"""Columns of a row that are its record's."""


def mend(judge: Judge, holds: Holds, incarnation: Incarnation, who: str, dry_run: bool = False) -> Rows:
    """Remove copies, replace altered rows, set foreign ones apart.

    Of this topic's records that wait, in one commit, which `who` answers for in the audit log. Raises as
    `archive_repair.mend` does.
    """
    archive, spark = judge.tables.names, judge.tables.archive.sparkSession
    _, shape = shapes(archive)
    _, base = judge.tables.snapshots
    if base is None:
        return Rows()
    table, position = Table(spark, archive, "quarantine", shape, base), judge.position
    waiting = table.rows().where(position.own()).where(quarantine.unresolved(quarantine.PARSE))
    if waiting.isEmpty():
        return Rows()
    records = kafka_side.records_between(spark, judge.topic, position.topic_id, position.kafka)
    found = _faults(waiting, judge, records).persist()
    try:
        rows = Rows(table_repair.steps(table.name, found), table_repair.names(found))
        if not dry_run and rows.removed + rows.replaced:
            begun = table_repair.entries(table, holds, rows.steps, who)
            troubles = found.where("trouble IS NOT NULL").select("file", "pos", "trouble")
            right = partial(_right, records=records, troubles=troubles)
            table_repair.replace(table, found, right, begun, incarnation.verify)
        return rows
    finally:
        found.unpersist()


def _faults(waiting: DataFrame, judge: Judge, records: DataFrame) -> DataFrame:
    """Rows at fault: IDENTITY, `day`, `digest`, `file`, `pos`, `fault`.

    `trouble` is why one is of no record.
    """
    columns = [*KEY, "topic", "day", "digest", "file", "pos", "fault", "trouble"]
    rows = waiting.withColumns(
        {
            "digest": digest.of_bytes(),
            "day": F.to_date("quarantined_at"),
            "held": F.lit(False),
            "placed": F.expr(PLACED),
        }
    )
    foreign = judge.of(rows, records).where(F.col("trouble") != NO_POSITION)
    others = rows.join(foreign.select("file", "pos"), ["file", "pos"], "left_anti").withColumns(_position())
    known = records.select(*RECORD, digest.of_bytes().alias("truth"))
    found = table_repair.faults(others, known, RECORD).withColumn("trouble", F.lit(None).cast("string"))
    strange = foreign.withColumn("fault", F.lit(Fault.ALTERED))
    return found.select(*columns).unionByName(strange.select(*columns))


def _position() -> dict[str, Column]:
    """Return a row's place in its record.

    One that claims an impossible place waits whole.
    """
    return {name: F.expr(f"IF({PLACED}, {name}, {whole})") for name, whole in (("position", 0), ("positions", 1))}


def _right(altered: DataFrame, records: DataFrame, troubles: DataFrame) -> DataFrame:
    """Return rows with the bytes of their records.

    As far as Kafka has them; those of no record as orphans, as they are.
    """
    of_kafka = records.select(*RECORD, F.lit(True).alias("there"), *(F.col(n).alias(f"kafka_{n}") for n in _BYTES))
    rows = altered.withColumns(_position()).join(of_kafka, list(RECORD), "left").join(troubles, ["file", "pos"], "left")
    known = {n: F.when(F.col("there"), F.col(f"kafka_{n}")).otherwise(F.col(n)) for n in _BYTES}
    apart = F.col("trouble").isNotNull()
    return rows.withColumns(
        {
            **known,
            "stage": F.when(apart, quarantine.ORPHAN).otherwise(F.col("stage")),
            "detail": F.coalesce("trouble", "detail"),
        }
    )
