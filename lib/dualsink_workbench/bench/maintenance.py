"""Effect of maintenance on a day of small batches.

Sizes, file counts and the seconds of a question, before and after.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from dualsink.kafka import generator, producer
from dualsink.kafka.topic import Topic
from dualsink.operations import maintenance, setup
from dualsink.settings import Settings
from dualsink.stream import query


def measure(spark: SparkSession, settings: Settings, events: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Stream `events` events of yesterday and maintain the tables.

    `before` and `after` are the archive's figures.
    """
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    setup.create_all(spark, settings)
    producer.produce(generator.generate(events, 7, 0.0, noon), Topic.of(settings))
    query.run(spark, settings)
    done = maintenance.run(spark, maintenance.Upkeep.of(settings), say=say)
    return {"before": _archive(done.before, settings), "after": _archive(done.after, settings)}


def _archive(measured: maintenance.Measured, settings: Settings) -> dict[str, Any]:
    return asdict(measured.tables[settings.archive_table]) | {"seconds_of_a_question": measured.query_seconds}
