"""The retention policy as a property of the archive table: each state of the table says under which one it stood."""

from typing import Any

import orjson
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dualsink.settings import Settings

PROPERTY = "dualsink.policy"
_PARAMETERS = ("hot_days", "snapshot_days", "archive_years", "quarantine_years")


def of(settings: Settings) -> dict[str, Any]:
    """The parameters that say how long something is kept."""
    return {name: getattr(settings, name) for name in _PARAMETERS}


def record(spark: SparkSession, settings: Settings) -> None:
    """Write the policy into the archive's properties, where it is not there already."""
    wanted = orjson.dumps(of(settings), option=orjson.OPT_SORT_KEYS).decode()
    properties = spark.sql(f"SHOW TBLPROPERTIES {settings.archive_table}")
    if properties.where((F.col("key") == PROPERTY) & (F.col("value") == wanted)).isEmpty():
        spark.sql(f"ALTER TABLE {settings.archive_table} SET TBLPROPERTIES ('{PROPERTY}' = '{wanted}')")


def read(text: str | None) -> dict[str, Any] | None:
    """The policy of a property's value; None where the table did not say."""
    return orjson.loads(text) if text else None
