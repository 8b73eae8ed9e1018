"""Quarantine: untypable or refused records, whole, with the reason."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import COORDINATES, IDENTITY, QUARANTINE_COLUMNS, Refusal

# A record's stage says which store lacks it: `parse` both, `hot` only OpenSearch. An `orphan` is no record, but a
# document that OpenSearch held without one: `value` is its JSON, `key` its place, the coordinates what it said itself.
PARSE, HOT, ORPHAN = "parse", "hot", "orphan"


def of_records() -> Column:
    """Return the condition that a row holds a record."""
    return F.col("stage") != ORPHAN


def unresolved(stage: str) -> Column:
    """Return the condition that a record is still unresolved.

    It is of this stage, and no re-drive has resolved it.
    """
    return (F.col("stage") == stage) & F.col("resolved_at").isNull()


STAGED = (*IDENTITY, "positions", "stage")
"""Columns that name a row of the quarantine."""


def resolve(spark: SparkSession, table: str, done: DataFrame) -> None:
    """Mark rows of the quarantine as resolved, by STAGED."""
    # A checkpoint: Spark 4.1 cannot plan a merge whose source reads its own target.
    done.localCheckpoint().createOrReplaceTempView("dualsink_resolved")
    same = " AND ".join(f"q.{name} = r.{name}" for name in STAGED)
    spark.sql(f"""
        MERGE INTO {table} q USING dualsink_resolved r
        ON {same} AND q.resolved_at IS NULL WHEN MATCHED THEN UPDATE SET q.resolved_at = current_timestamp()
    """)


def rows(
    coordinates: pa.RecordBatch, records: pa.RecordBatch, stage: str, refusals: Sequence[Refusal], moment: datetime
) -> pa.RecordBatch:
    """Build quarantine rows for refused events.

    They have COORDINATES, and `key`, `value` and `headers` of their records.
    """
    count, utc = len(records), pa.timestamp("us", tz="UTC")
    columns = {name: coordinates[name] for name in COORDINATES} | {
        "key": records["key"],
        "value": records["value"],
        "headers": records["headers"],
        "stage": pa.array([stage] * count),
        "reason": pa.array([refusal.reason for refusal in refusals]),
        "detail": pa.array([refusal.detail for refusal in refusals]),
        "quarantined_at": pa.array([moment] * count, utc),
        "resolved_at": pa.nulls(count, utc),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in QUARANTINE_COLUMNS], list(QUARANTINE_COLUMNS))
