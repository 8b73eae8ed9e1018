"""Retention policy, recorded as a property of the archive table.

Each state of the table thus says which policy applied to it.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from pyspark.sql import SparkSession

from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.settings import Settings

PROPERTY = "dualsink.policy"
_PARAMETERS = ("hot_days", "snapshot_days", "archive_years", "quarantine_years")


def of(settings: Settings) -> dict[str, Any]:
    """Return the parameters of retention."""
    return {name: getattr(settings, name) for name in _PARAMETERS}


def record(spark: SparkSession, archive: Archive, parameters: Mapping[str, Any]) -> None:
    """Record the policy in the archive's properties, if new."""
    wanted = orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS).decode()
    if snapshots.load(spark, archive.table).properties().get(PROPERTY) != wanted:
        spark.sql(f"ALTER TABLE {archive.table} SET TBLPROPERTIES ('{PROPERTY}' = '{wanted}')")


def read(text: str | None) -> dict[str, Any] | None:
    """Parse a property's value; None for a table without policy."""
    return orjson.loads(text) if text else None
