"""Shapes of records: generated in other clothes, or real logs."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from dualsink.errors import SettingsError
from dualsink.events.reading import Reading
from dualsink.kafka import generator, log_files
from dualsink.kafka.records import Record
from dualsink.settings import project_root

Make = Callable[[int, int, datetime], Iterator[Record]]
"""Makes records of so many events by a seed, the newest at a time; fit for Spark's workers."""
OTLP_BATCH = 50
EVENTS = {"otlp": OTLP_BATCH}
"""Events in a record, of shapes that put several into one."""
NAMES = ("seed", "ecs", "container", "otlp", "mixed")
_KUBERNETES = {"namespace_name": "shop", "container_name": "app", "container_image": "registry.example/shop:1.4.2"}


def make(name: str, logs: str) -> Make:
    """Return what makes records of a shape.

    `logs` are files of real ones, with commas, for `mixed`; without any they are those of this project's tests. Raises
    SettingsError for an unknown shape, InputError for a file that cannot be read.
    """
    if name == "mixed":
        return _mixed(files(logs))
    known: dict[str, Make] = {"seed": seeds, "ecs": _ecs, "container": _container, "otlp": _otlp}
    if name not in known:
        raise SettingsError(f"No shape {name}: there are {', '.join(NAMES)}.")
    return known[name]


def files(logs: str) -> list[Path]:
    """Return files of real logs.

    Those that are named, with commas, else those of this project's tests.
    """
    named = [Path(file) for file in logs.split(",")] if logs else []
    return named or sorted((project_root() / "tests" / "data").glob("*.csv.gz"))


def seeds(events: int, seed: int, end: datetime) -> Iterator[Record]:
    """Records of the seed's own shape."""
    return generator.generate(events, seed, 0.0, end)


def _ecs(events: int, seed: int, end: datetime) -> Iterator[Record]:
    names = {
        "timestamp": "@timestamp", "level": "log.level", "service": "service.name", "host": "host.name",
        "trace_id": "trace.id", "span_id": "span.id", "stack_trace": "error.stack_trace", "log_id": "event.id",
    }  # fmt: skip
    for key, event in _events(events, seed, end):
        fields = {names.get(name, name): value for name, value in event.items()}
        yield _record(key, fields | {"ecs.version": "1.2.0", "process.thread.name": "main"})


def _container(events: int, seed: int, end: datetime) -> Iterator[Record]:
    for key, event in _events(events, seed, end):
        time, host = event.pop("timestamp"), event.pop("host")
        line = {"level": event["level"].lower(), "ts": time, "msg": event.pop("message"), **event}
        pod = {"pod_name": f"{event['service']}-7d9f8b6c5-x2x9k", "host": host, **_KUBERNETES}
        yield _record(key, {"log": _json(line) + "\n", "stream": "stdout", "time": time, "kubernetes": pod})


def _otlp(events: int, seed: int, end: datetime) -> Iterator[Record]:
    """Envelopes of OTLP_BATCH log records, as a Collector sends them."""
    logs = _events(events, seed, end)
    while some := list(islice(logs, OTLP_BATCH)):
        resource = {"attributes": _pairs({"service.name": some[0][1]["service"], "host.name": some[0][1]["host"]})}
        scope = {"scope": {"name": "bench"}, "logRecords": [_log(event) for _, event in some]}
        yield _record(some[0][0], {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]})


_SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}


def _log(event: dict[str, Any]) -> dict[str, Any]:
    micros = int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1_000_000)
    more = {"exception.stacktrace": event["stack_trace"]} if "stack_trace" in event else {}
    return {
        "timeUnixNano": str(micros * 1_000), "observedTimeUnixNano": str(micros * 1_000),
        "severityNumber": _SEVERITIES[event["level"]], "severityText": event["level"],
        "body": {"stringValue": event["message"]}, "attributes": _pairs({"thread": "main"} | more),
        "traceId": event.get("trace_id", ""), "spanId": event.get("span_id", ""),
    }  # fmt: skip


def _pairs(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]


def _mixed(logs: list[Path]) -> Make:
    """Return what repeats the records of files, moved to now."""
    now = datetime.now(UTC)
    records = [record for file in logs for record in log_files.read(file, Reading(), now)]
    if not records:
        raise SettingsError("There are no logs for the shape mixed: give files with --logs.")

    def repeated(events: int, seed: int, end: datetime) -> Iterator[Record]:
        return islice(cycle(records), events)

    return repeated


def _events(events: int, seed: int, end: datetime) -> Iterator[tuple[bytes, dict[str, Any]]]:
    return ((record.key, json.loads(record.value)) for record in generator.generate(events, seed, 0.0, end))


def _record(key: bytes, fields: dict[str, Any]) -> Record:
    return Record(key, _json(fields).encode(), None)


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))
