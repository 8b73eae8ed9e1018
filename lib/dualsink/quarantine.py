"""Records that could not be typed, or that OpenSearch refused for good: kept whole, with the reason."""

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import archive
from dualsink.archive import OffsetRange
from dualsink.settings import Settings
from dualsink.tables import QUARANTINE_COLUMNS

# A record's stage says which store lacks it: `parse` both, `hot` only OpenSearch.
PARSE, HOT = "parse", "hot"


def unresolved(stage: str) -> Column:
    """Condition: a quarantined record of this stage that no re-drive has brought home."""
    return (F.col("stage") == stage) & F.col("resolved_at").isNull()


def unparsed(rows: DataFrame) -> DataFrame:
    """Quarantine rows of the records that the parser refused; `rows` as in rows.ROW_SCHEMA."""
    return _complete(rows.where("reason IS NOT NULL"), PARSE)


def refused(records: DataFrame, refusals: Iterable[tuple]) -> DataFrame:
    """Quarantine rows of the documents that OpenSearch refused.

    `records` is the batch as the Kafka source gives it, `refusals` holds (topic, partition, offset, reason, detail).
    """
    schema = "topic string, partition int, offset long, reason string, detail string"
    named = records.sparkSession.createDataFrame(list(refusals), schema)
    raw = records.withColumnRenamed("timestamp", "kafka_timestamp")
    return _complete(raw.join(F.broadcast(named), ["topic", "partition", "offset"]), HOT)


def _complete(rows: DataFrame, stage: str) -> DataFrame:
    stamped = (
        rows.withColumn("stage", F.lit(stage))
        .withColumn("quarantined_at", F.current_timestamp())
        .withColumn("resolved_at", F.lit(None).cast("timestamp"))
    )
    return stamped.select(*QUARANTINE_COLUMNS)


def append(spark: SparkSession, settings: Settings, rows: DataFrame, ranges: tuple[OffsetRange, ...]) -> None:
    """Append the rows that the table does not hold yet: a replayed record is quarantined once."""
    held = spark.table(settings.quarantine_table)
    archive.append(archive.without_held(rows, held, ranges, "stage"), settings.quarantine_table)
