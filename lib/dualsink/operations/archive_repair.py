"""Repair of the archive's own rows.

Exact copies go, what Kafka contradicts becomes what Kafka has, and a row of no event goes to the orphans of the
quarantine. The archive is the record, but Kafka's bytes are the truth while they exist (see `table_repair`).
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from dualsink.events.model import ARCHIVE_COLUMNS, document_id_sql
from dualsink.events.reading import Reading
from dualsink.iceberg.tables import shapes
from dualsink.kafka.topic import Incarnation
from dualsink.ledger import kafka_side
from dualsink.ledger.digest import digested
from dualsink.ledger.foreign import Judge
from dualsink.operations import orphans, table_repair
from dualsink.operations.legal_holds import Holds
from dualsink.operations.orphans import Deed
from dualsink.operations.table_repair import KEY, Fault, Rows, Table

_REASON = "rows of the archive that are no events of the topic"


def mend(
    judge: Judge, reading: Reading, holds: Holds, incarnation: Incarnation, who: str, dry_run: bool = False
) -> Rows:
    """Remove copies and foreign rows, replace altered ones.

    A row is altered if it differs from Kafka's record, foreign as `judge` says. Only this topic's rows; in one commit,
    which `who` answers for in the audit log. Raises FilesChanged, and changes nothing, if somebody else rewrites the
    files or Kafka drops the records meanwhile, CheckpointError if the topic is created again meanwhile, ShapeMismatch
    for a table with columns of somebody else's.
    """
    archive, spark = judge.tables.names, judge.tables.archive.sparkSession
    shape, _ = shapes(archive)
    # As it was before Kafka was asked: what another driver adds since is of records that came later.
    base, _ = judge.tables.snapshots
    if base is None:
        return Rows()
    table = Table(spark, archive, "archive", shape, base)
    position = judge.position
    records = kafka_side.records_between(spark, judge.topic, position.topic_id, position.kafka)
    right = kafka_side.parsed(records, reading).where("timestamp IS NOT NULL")
    found = _faults(table.rows().where(position.own()), judge, records, right, holds).persist()
    try:
        rows = Rows(table_repair.steps(table.name, found), table_repair.names(found))
        if not dry_run and rows.removed + rows.replaced:
            if rows.orphaned:
                orphans.keep(Deed(spark, archive, who, _REASON), _orphans(table, found))
            begun = table_repair.entries(table, holds, rows.steps, who)
            table_repair.replace(
                table, found, lambda altered: right.join(altered, KEY, "left_semi"), begun, incarnation.verify
            )
        return rows
    finally:
        found.unpersist()


def _held(holds: Holds) -> Column:
    held = [hold.of_event() for hold in holds.holds]
    return reduce(lambda a, b: a | b, held, F.lit(False))


def _faults(rows: DataFrame, judge: Judge, records: DataFrame, right: DataFrame, holds: Holds) -> DataFrame:
    """Rows at fault: IDENTITY, `day`, `digest`, `file`, `pos`, `fault`."""
    places, columns = ["file", "pos"], [*KEY, "topic", "day", "digest", "file", "pos", "fault", "trouble"]
    rows = rows.withColumn("held", _held(holds))
    foreign = judge.of(rows, records).persist()
    strange = digested(foreign, *places, "held", "trouble")
    strange = strange.withColumn("fault", F.when(F.col("held"), Fault.HELD).otherwise(Fault.FOREIGN))
    known = digested(right).select(*KEY, "positions", F.col("digest").alias("truth"))
    others = digested(rows, *places, "held").withColumn("placed", F.lit(True))
    others = others.join(foreign.select(*places), places, "left_anti")
    found = table_repair.faults(others, known, [*KEY, "positions"]).withColumn("trouble", F.lit(None).cast("string"))
    return found.select(*columns).unionByName(strange.select(*columns))


def _orphans(table: Table, found: DataFrame) -> DataFrame:
    """Return foreign rows as orphans of the quarantine."""
    foreign = found.where(F.col("fault") == Fault.FOREIGN).select("file", "pos", "trouble")
    rows = table.rows().join(foreign, ["file", "pos"])
    key = F.concat_ws("/", F.lit(table.shape.table), F.expr(document_id_sql()))
    value = F.to_json(F.struct(*ARCHIVE_COLUMNS))
    return orphans.rows(rows, key, value, F.col("trouble"))
