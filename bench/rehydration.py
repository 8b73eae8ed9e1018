"""What putting a day of the archive back into OpenSearch costs, and how fast it goes."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from bench import loading, rig
from bench.meter import Meter
from dualsink import checks, rehydration
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings

_ROUNDS = 2


def measure(spark: SparkSession, servers: LocalServers, settings: Settings, events: int) -> dict[str, Any]:
    """Put `events` events of each of some days into the archive alone, bring each day back, and tell of each.

    Spark is new to the first of them. A day is 24 hours, and so parts of two days of the calendar.
    """
    checks.create_all(spark, settings)
    return {"rounds": [_round(spark, servers, settings, events, number) for number in range(_ROUNDS)]}


def _round(spark: SparkSession, servers: LocalServers, settings: Settings, events: int, number: int) -> dict[str, Any]:
    ago = settings.hot_days + 2 + 2 * number
    end = datetime.now(UTC) - timedelta(days=ago)
    loading.fill_day(spark, settings, events, ago)
    wanted = rehydration.Range(end - timedelta(days=1, minutes=10), end + timedelta(minutes=10))
    began = time.monotonic()
    with Meter(rig.pids(servers), os.getpid()) as meter:
        done = rehydration.rehydrate(spark, settings, wanted)
    ended = time.monotonic()
    done.proof.check()
    if done.created != events:
        raise RuntimeError(f"{done.created} of {events} events were put back")
    cpu = {role: round(spent / events * 1e6, 2) for role, spent in meter.cpu(began, ended).items()}
    return {
        "events": events, "rate": round(done.rate), "sending_seconds": done.seconds,
        "seconds": round(ended - began, 3), "cpu_per_event": cpu,
    }  # fmt: skip
