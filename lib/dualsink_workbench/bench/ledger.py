"""Cost of a ledger with one new day."""

import time
from datetime import timedelta
from typing import Any

import psutil
from pyspark.sql import SparkSession

from dualsink.kafka.topic import Topic
from dualsink.operations import sealing, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench import kafka_retention
from dualsink_workbench.bench import loading, rig
from dualsink_workbench.bench.shapes import seeds
from dualsink_workbench.servers.stack import LocalServers


def measure(
    spark: SparkSession, servers: LocalServers, settings: Settings, events: int, days: int, new: int
) -> dict[str, Any]:
    """Archive and seal past days, then add a new one.

    `events` are of `days` days, `new` are of today. Kafka has forgotten what is sealed. `storage_bytes` is what the
    local S3 server read meanwhile.
    """
    storage = psutil.Process(rig.pids(servers)["s3"])

    def timed(name: str, everything: bool) -> dict[str, Any]:
        before, start = storage.io_counters().read_chars, time.monotonic()
        book, sealed = sealing.validate(spark, settings, everything)
        book.check()
        read = storage.io_counters().read_chars - before
        figures = {"seconds": round(time.monotonic() - start, 2), "storage_bytes": read}
        return {"ledger": name, "not_read": book.sealed_events, "sealed_now": len(sealed), **figures}

    setup.create_all(spark, settings)
    loading.fill_topic(spark, settings, events, seeds, -(-events // days), timedelta(days=1))
    query.run(spark, settings)
    ledgers = [timed("the first one, Kafka has all", False)]
    kafka_retention.apply(Topic.of(settings))
    loading.fill_topic(spark, settings, new, seeds)
    query.run(spark, settings)
    # The one that reads everything comes last: it would seal what the other one is to find new.
    ledgers += [timed("one new day", False), timed("everything (--all)", True)]
    return {"events": events, "days": days, "new": new, "ledgers": ledgers}
