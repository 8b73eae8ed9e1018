"""What is compared: raw `_bulk`, dualsink, and the usual tutorial code, each on the same events and servers."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from kafka.consumer.fetcher import ConsumerRecord

from bench import loading, rig
from bench.meter import Meter
from dualsink import search
from dualsink.documents import bulk_lines, source
from dualsink.events import parse
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings

LOT = 5_000
CLIENTS = 2


@dataclass(frozen=True)
class Result:
    """What a contender did. `warm` leaves out its start and first batches; CPU is in µs an event, memory in bytes."""

    name: str
    events: int
    seconds: float
    warm_events: int
    warm_seconds: float
    cpu_per_event: dict[str, float]
    legs_per_event: dict[str, float] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Events a second when warm."""
        return self.warm_events / self.warm_seconds

    @property
    def overall_rate(self) -> float:
        """Events a second with everything from its start to its end."""
        return self.events / self.seconds


# -- raw _bulk ---------------------------------------------------------------------------------------


def raw_bulk(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """The ceiling: ready-made bodies of the topic's documents, from two threads; `cold` batches are not counted."""
    lot = min(LOT, settings.max_offsets_per_trigger)
    ready = list(_bodies(settings, lot))
    warm_up = -(-cold * settings.max_offsets_per_trigger // lot)
    with Meter(rig.pids(servers)) as meter, closing(search.connect(settings)) as client:

        def send(body: bytes) -> None:
            answer = client.transport.perform_request("POST", "/_bulk", params={"filter_path": "errors"}, body=body)
            if answer["errors"]:
                raise RuntimeError("the node refused documents of the raw _bulk contender")

        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(send, ready[:warm_up]))
            warm = time.monotonic()
            list(pool.map(send, ready[warm_up:]))
        end = time.monotonic()
        time.sleep(0.3)
    events, warm_events = _documents(ready), _documents(ready[warm_up:])
    return Result(
        "raw _bulk", events, end - began, warm_events, end - warm, _per_event(meter, warm, end, warm_events),
        peak_memory=meter.peak(),
    )  # fmt: skip


def _bodies(settings: Settings, lot: int) -> Iterator[bytes]:
    """`_bulk` bodies of `lot` documents each, which are those that dualsink makes of the topic's records."""
    lines = (_line(settings, record) for record in loading.records(settings))
    while body := b"".join(islice(lines, lot)):
        yield body


def _line(settings: Settings, record: ConsumerRecord) -> bytes:
    event = parse(record.value, record.key, record.timestamp * 1000)
    place = (record.topic, record.partition, record.offset, record.timestamp)
    return bulk_lines(b"create", settings.opensearch_index, event.timestamp, source(event, record.value), *place)


def _documents(bodies: list[bytes]) -> int:
    return sum(body.count(b"\n") // 2 for body in bodies)


# -- pipelines as programs ---------------------------------------------------------------------------


def dualsink(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """`python -m dualsink stream` over the topic; its first `cold` batches are not counted as warm."""
    params = rig.params_file(settings, folder / "params.json")
    command = [sys.executable, "-m", "dualsink", "stream", "--params", params]
    return program("dualsink", command, settings, servers, folder, cold)


def tutorial(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """The usual code of tutorials, see bench/tutorial.py."""
    params = rig.params_file(settings, folder / "params.json")
    command = [sys.executable, "-m", "bench.tutorial", params]
    return program("usual tutorial code", command, settings, servers, folder, cold)


def program(
    name: str,
    command: list[str],
    settings: Settings,
    servers: LocalServers,
    folder: Path,
    cold: int,
    environment: Mapping[str, str] = os.environ,
) -> Result:
    """A process that writes `batches.jsonl` to the settings' run folder, from its start to its end.

    Raises RuntimeError where that is not a good one.
    """
    began = time.monotonic()
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        with Meter(rig.pids(servers), process.pid) as meter:
            status = process.wait()
    end = time.monotonic()
    if status:
        raise RuntimeError(f"{name} ended with status {status}: see {folder / 'output.log'}")
    return _result(name, settings, began, end, meter, cold)


def _result(name: str, settings: Settings, began: float, end: float, meter: Meter, cold: int) -> Result:
    batches = [_Batch.read(line) for line in (settings.run_path / "batches.jsonl").read_text().splitlines()]
    events = sum(batch.events for batch in batches)
    first, last = batches[cold - 1].ended, batches[-1].ended
    warm = sum(batch.events for batch in batches[cold:])
    legs = {leg: sum(b.legs.get(leg, 0.0) for b in batches[cold:]) / warm * 1e6 for leg in batches[-1].legs}
    return Result(
        name, events, end - began, warm, last - first, _per_event(meter, first, last, warm),
        {leg: round(spent, 2) for leg, spent in legs.items()}, meter.peak(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Batch:
    """A line of batches.jsonl: events, when it ended (`time.monotonic`), CPU seconds by leg."""

    events: int
    ended: float
    legs: dict[str, float]

    @classmethod
    def read(cls, line: str) -> "_Batch":
        fields = json.loads(line)
        age = time.time() - datetime.fromisoformat(fields["timestamp"]).timestamp()
        return cls(fields["events"], time.monotonic() - age, fields.get("cpu_seconds", {}))


def _per_event(meter: Meter, start: float, end: float, events: int) -> dict[str, float]:
    return {role: round(seconds / events * 1e6, 2) for role, seconds in meter.cpu(start, end).items()}
