"""Contenders: raw `_bulk`, dualsink and the usual tutorial code.

Each takes the same events on the same servers.
"""

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

from dualsink.events.model import Refusal
from dualsink.events.parser import parse_record
from dualsink.kafka import topic
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.opensearch.documents import bulk_lines, source
from dualsink.settings import Settings
from dualsink_workbench.bench import loading, rig
from dualsink_workbench.bench.meter import Meter
from dualsink_workbench.servers.stack import LocalServers

CHUNK = 5_000
CLIENTS = 2


@dataclass(frozen=True)
class Result:
    """Result of a contender.

    `warm` leaves out its start and first batches; CPU is in µs an event, memory in bytes.
    """

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
        """Events a second from start to end, nothing left out."""
        return self.events / self.seconds


# -- raw _bulk ---------------------------------------------------------------------------------------


def raw_bulk(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """Send ready-made bodies of the topic's documents: the ceiling.

    Two threads send; `cold` batches are not counted.
    """
    chunk = min(CHUNK, settings.max_offsets_per_trigger)
    ready = list(_bodies(settings, chunk))
    warm_up = -(-cold * settings.max_offsets_per_trigger // chunk)
    with Meter(rig.pids(servers)) as meter, closing(index.connect(Cluster.of(settings))) as client:

        def send(body: bytes) -> None:
            answer = client.transport.perform_request("POST", "/_bulk", params={"filter_path": "errors"}, body=body)
            if answer["errors"]:
                raise RuntimeError("the node refused documents of the raw _bulk contender")

        start = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(send, ready[:warm_up]))
            warm = time.monotonic()
            list(pool.map(send, ready[warm_up:]))
        end = time.monotonic()
        time.sleep(0.3)
    events, warm_events = _documents(ready), _documents(ready[warm_up:])
    return Result(
        "raw _bulk", events, end - start, warm_events, end - warm, _per_event(meter, warm, end, warm_events),
        peak_memory=meter.peak(),
    )  # fmt: skip


def _bodies(settings: Settings, lot: int) -> Iterator[bytes]:
    """Build `_bulk` bodies of `chunk` documents each.

    The documents are those that dualsink makes of the topic's records.
    """
    topic_id = topic.topic_id(Topic.of(settings))
    lines = (line for record in loading.records(settings) for line in _lines(settings, record, topic_id))
    while body := b"".join(islice(lines, lot)):
        yield body


def _lines(settings: Settings, record: ConsumerRecord, topic_id: str) -> Iterator[bytes]:
    """Yield the documents of a record.

    Raises RuntimeError for a refused event.
    """
    events = parse_record(record.value, record.key, record.timestamp * 1000)
    for position, event in enumerate(events):
        if isinstance(event, Refusal):
            raise RuntimeError(f"the parser refuses a record of the topic: {event.detail}")
        place = (record.topic, topic_id, record.partition, record.offset, position, len(events), record.timestamp)
        document = source(event, record.value)
        yield bulk_lines(b"create", settings.opensearch_index, event.timestamp, document, *place)


def _documents(bodies: list[bytes]) -> int:
    return sum(body.count(b"\n") // 2 for body in bodies)


# -- pipelines as programs ---------------------------------------------------------------------------


def dualsink(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """Run `python -m dualsink stream` over the topic.

    Its first `cold` batches do not count as warm.
    """
    params = rig.params_file(settings, folder / "params.json")
    command = [sys.executable, "-m", "dualsink", "stream", "--params", params]
    return program("dualsink", command, settings, servers, folder, cold)


def tutorial(settings: Settings, servers: LocalServers, folder: Path, cold: int) -> Result:
    """Run the usual code of tutorials, see `tutorial`."""
    params = rig.params_file(settings, folder / "params.json")
    command = [sys.executable, "-m", "dualsink_workbench.bench.tutorial", params]
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
    """Run a process that writes `batches.jsonl` to the run folder.

    Raises RuntimeError if that is not a good one.
    """
    start = time.monotonic()
    with (folder / "output.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        with Meter(rig.pids(servers), process.pid) as meter:
            status = process.wait()
    end = time.monotonic()
    if status:
        raise RuntimeError(f"{name} ended with status {status}: see {folder / 'output.log'}")
    return _result(name, settings, start, end, meter, cold)


def _result(name: str, settings: Settings, start: float, end: float, meter: Meter, cold: int) -> Result:
    batches = [_Batch.read(line) for line in (settings.run_path / "batches.jsonl").read_text().splitlines()]
    events = sum(batch.events for batch in batches)
    first, last = batches[cold - 1].ended, batches[-1].ended
    warm = sum(batch.events for batch in batches[cold:])
    legs = {leg: sum(b.legs.get(leg, 0.0) for b in batches[cold:]) / warm * 1e6 for leg in batches[-1].legs}
    return Result(
        name, events, end - start, warm, last - first, _per_event(meter, first, last, warm),
        {leg: round(spent, 2) for leg, spent in legs.items()}, meter.peak(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Batch:
    """Line of batches.jsonl: events, end (`time.monotonic`), CPU seconds by leg."""

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
