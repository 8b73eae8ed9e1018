"""Cost and speed of a rehydration."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from dualsink.iceberg.archive import Archive
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import rehydration, setup
from dualsink.settings import Settings
from dualsink_workbench.bench import loading, rig
from dualsink_workbench.bench.meter import Meter
from dualsink_workbench.servers.stack import LocalServers

_ROUNDS = 2


def measure(spark: SparkSession, servers: LocalServers, settings: Settings, events: int) -> dict[str, Any]:
    """Archive days of `events` events, then rehydrate and measure each.

    Spark is new to the first of them. A day is 24 hours, and so parts of two days of the calendar.
    """
    setup.create_all(spark, settings)
    return {"rounds": [_round(spark, servers, settings, events, number) for number in range(_ROUNDS)]}


def _round(spark: SparkSession, servers: LocalServers, settings: Settings, events: int, number: int) -> dict[str, Any]:
    ago = settings.hot_days + 2 + 2 * number
    end = datetime.now(UTC) - timedelta(days=ago)
    loading.fill_day(spark, settings, events, ago)
    span = rehydration.Range(end - timedelta(days=1, minutes=10), end + timedelta(minutes=10))
    start = time.monotonic()
    with Meter(rig.pids(servers), os.getpid()) as meter:
        done = rehydration.rehydrate(spark, Archive.of(settings), HotTier.of(settings), span)
    ended = time.monotonic()
    done.proof.check()
    if done.created != events:
        raise RuntimeError(f"{done.created} of {events} events were put back")
    cpu = {role: round(spent / events * 1e6, 2) for role, spent in meter.cpu(start, ended).items()}
    return {
        "events": events, "rate": round(done.rate), "sending_seconds": done.seconds,
        "seconds": round(ended - start, 3), "cpu_per_event": cpu,
    }  # fmt: skip
