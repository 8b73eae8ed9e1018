"""What maintenance does to a day of small batches: sizes, file counts, the seconds of a question, before and after."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from dualsink import checks, generator, kafka, maintenance, stream
from dualsink.settings import Settings


def measure(spark: SparkSession, settings: Settings, events: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Stream `events` events of yesterday noon and look after the tables; `before` and `after` are of the archive."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    checks.create_all(spark, settings)
    kafka.produce(generator.generate(events, 7, 0.0, noon), settings)
    stream.run(spark, settings)
    before = maintenance.measure(spark, settings)
    for step in maintenance.carry_out(spark, settings, maintenance.plan(spark, settings)):
        say(str(step))
    after = maintenance.measure(spark, settings)
    return {"before": _archive(before, settings), "after": _archive(after, settings)}


def _archive(measured: maintenance.Measured, settings: Settings) -> dict[str, Any]:
    return asdict(measured.tables[settings.archive_table]) | {"seconds_of_a_question": measured.query_seconds}
