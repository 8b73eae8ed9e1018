"""Records that could not be typed, or that OpenSearch refused for good: kept whole, with the reason."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from dualsink.events import Refusal
from dualsink.tables import COORDINATES, QUARANTINE_COLUMNS

# A record's stage says which store lacks it: `parse` both, `hot` only OpenSearch.
PARSE, HOT = "parse", "hot"


def unresolved(stage: str) -> Column:
    """Condition: a quarantined record of this stage that no re-drive has brought home."""
    return (F.col("stage") == stage) & F.col("resolved_at").isNull()


def rows(records: pa.RecordBatch, stage: str, refusals: Sequence[Refusal], moment: datetime) -> pa.RecordBatch:
    """Rows of the quarantine for refused records (COORDINATES, `key`, `value`, `headers`), with their bytes."""
    count, utc = len(records), pa.timestamp("us", tz="UTC")
    columns = {name: records[name] for name in (*COORDINATES, "key", "value", "headers")} | {
        "stage": pa.array([stage] * count),
        "reason": pa.array([refusal.reason for refusal in refusals]),
        "detail": pa.array([refusal.detail for refusal in refusals]),
        "quarantined_at": pa.array([moment] * count, utc),
        "resolved_at": pa.nulls(count, utc),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in QUARANTINE_COLUMNS], list(QUARANTINE_COLUMNS))
