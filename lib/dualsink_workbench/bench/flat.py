"""Cost of an event over a long backlog, by tenths."""

import shutil
import time
from typing import Any

import numpy as np

from dualsink.errors import PlatformError
from dualsink.settings import Settings
from dualsink_workbench.bench import loading, rig
from dualsink_workbench.bench.meter import Meter
from dualsink_workbench.servers.stack import LocalServers

BYTES_AN_EVENT = 1_000
"""Disk that an event may need while it is in Kafka and in both stores, segments being merged included."""
_TENTHS = 10
_SPARK = ("spark", "workers", "driver")


def measure(servers: LocalServers, settings: Settings, events: int) -> dict[str, Any]:
    """Stream a backlog of `events` and measure its tenths.

    The stream is a process of its own.
    """
    _check_disk(settings, events)
    rig.with_spark(settings, lambda spark, settings: loading.prepare(spark, settings, events))
    with rig.started(settings, "stream") as stream, Meter(rig.pids(servers), stream.process.pid) as meter:
        stream.wait()
    batches = rig.batches(settings)
    if (taken := sum(batch["events"] for batch in batches)) != events:
        raise RuntimeError(f"the stream took {taken} of {events} events")
    tenths = _tenths(batches, meter)
    limits = {"events": events, "batch": settings.max_offsets_per_trigger, "batches": len(batches)}
    return limits | {"tenths": tenths, "last_to_second": _ratios(tenths)}


def _check_disk(settings: Settings, events: int) -> None:
    free = shutil.disk_usage(settings.data_path).free
    if free < events * BYTES_AN_EVENT:
        raise PlatformError(
            f"{events:,} events may need {events * BYTES_AN_EVENT / 1e9:.0f} GB, {settings.data_path} has "
            f"{free / 1e9:.0f} GB free: take fewer."
        )


def _tenths(batches: list[dict[str, Any]], meter: Meter) -> list[dict[str, Any]]:
    """Measure each tenth; a batch takes its events evenly.

    The first tenth holds Spark's first batch.
    """
    taken = np.cumsum([0, *(batch["events"] for batch in batches)])
    ended = [batch["ended"] for batch in batches]
    edges = np.interp(
        np.linspace(0, taken[-1], _TENTHS + 1), taken, [ended[0] - sum(batches[0]["seconds"].values()), *ended]
    )
    each = taken[-1] / _TENTHS
    return [_tenth(batches, meter, each, *edges[i : i + 2]) for i in range(_TENTHS)]


def _tenth(batches: list[dict[str, Any]], meter: Meter, events: float, start: float, end: float) -> dict[str, Any]:
    """Measure one tenth: rate, CPU, memory and commit times.

    Events a second, CPU in µs an event and largest resident bytes by process, seconds of the archive's commits.
    """
    since_boot = time.monotonic() - time.time()
    first, last = start + since_boot, end + since_boot
    commits = [batch["seconds"]["commit"] for batch in batches if start < batch["ended"] <= end + 0.001]
    return {
        "rate": round(events / (end - start)),
        "cpu_per_event": {role: round(cpu / events * 1e6, 2) for role, cpu in meter.cpu(first, last).items()},
        "memory": meter.peak(first, last),
        "commit_seconds": rig.quantiles(commits) if commits else None,
    }


def _ratios(tenths: list[dict[str, Any]]) -> dict[str, float]:
    """Return the last tenth's figures as multiples of the second's."""
    second, last = tenths[1], tenths[-1]
    cpu = [sum(tenth["cpu_per_event"].values()) for tenth in (second, last)]
    ratios = {"rate": last["rate"] / second["rate"], "cpu_per_event": cpu[1] / cpu[0]}
    known = [role for role in _SPARK if role in second["memory"] and role in last["memory"]]
    ratios |= {f"memory_{role}": last["memory"][role] / second["memory"][role] for role in known}
    if second["commit_seconds"] and last["commit_seconds"]:
        ratios["commit_p50"] = last["commit_seconds"]["p50"] / second["commit_seconds"]["p50"]
    return {name: round(value, 3) for name, value in ratios.items()}
