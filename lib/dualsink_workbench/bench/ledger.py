"""Cost of a ledger with one new day."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
from pyspark.sql import SparkSession

from dualsink import words
from dualsink.kafka.topic import Topic
from dualsink.operations import sealing, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink.stream.sink import BatchReport
from dualsink_workbench import kafka_retention
from dualsink_workbench.bench import loading, rig
from dualsink_workbench.bench.shapes import seeds
from dualsink_workbench.servers.stack import LocalServers


def measure(
    spark: SparkSession,
    servers: LocalServers,
    settings: Settings,
    events: int,
    days: int,
    new: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Archive and seal past days, then add a new one.

    `events` are of `days` days, `new` are of today. Kafka has forgotten what is sealed. `storage_bytes` is what the
    local S3 server read meanwhile. `say` receives progress lines.
    """
    storage = psutil.Process(rig.pids(servers)["s3"])

    def tell(batch: BatchReport, waiting: int | None) -> None:
        say(f"batch {batch.batch_id}: {words.count(batch.events, 'event')}, {waiting} wait")

    def archive(count: int, days: int, step: timedelta = timedelta(0)) -> None:
        say(f"archiving {words.count(count, 'event')} of {words.count(days, 'day')}")
        loading.fill_topic(spark, settings, count, seeds, -(-count // days), step)
        query.run(spark, settings, tell)

    def timed(name: str, everything: bool) -> dict[str, Any]:
        say(f"ledger: {name}")
        before, start = storage.io_counters().read_chars, time.monotonic()
        book, sealed = sealing.validate(spark, settings, everything)
        book.check()
        read = storage.io_counters().read_chars - before
        figures = {"seconds": round(time.monotonic() - start, 2), "storage_bytes": read}
        return {"ledger": name, "not_read": book.sealed_events, "sealed_now": len(sealed), **figures}

    setup.create_all(spark, settings)
    archive(events, days, timedelta(days=1))
    ledgers = [timed("the first one, Kafka has all", False)]
    kafka_retention.apply(Topic.of(settings))
    archive(new, 1)
    # The one that reads everything comes last: it would seal what the other one is to find new.
    ledgers += [timed("one new day", False), timed("everything (--all)", True)]
    return {"events": events, "days": days, "new": new, "ledgers": ledgers}
