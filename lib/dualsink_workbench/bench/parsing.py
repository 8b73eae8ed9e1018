"""CPU time of parsing by shape of record.

The seed's shape, measured in the same process, is the unit.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from dualsink.events.model import Event
from dualsink.events.parser import Parser
from dualsink.kafka import generator
from dualsink.opensearch.documents import source
from dualsink.operations.plan import Say
from dualsink.settings import Settings

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
_ARRIVED = int(NOW.timestamp()) * 1_000_000
_TIME = "2026-11-23T09:59:59.123Z"
_IDS = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}
_PER_TURN, _TURNS, _BATCH = 40, 150, 50
Work = Callable[[], Any]


@dataclass(frozen=True)
class Measured:
    """Cost of a shape, absolute and relative to the seed.

    In microseconds an event, and multiples of the seed's; `limit` is the most multiples that are promised.
    """

    shape: str
    microseconds: float
    multiple: float
    limit: float | None


def run(settings: Settings, say: Say, output: Path) -> None:
    """Measure each shape; print a table, write JSON."""
    found = measure()
    for each in found:
        limit = f" (at most {each.limit:g})" if each.limit else ""
        say(f"{each.shape:<28}{each.microseconds:6.2f} us {each.multiple:6.2f} times{limit}")
    output.write_bytes(orjson.dumps([vars(each) for each in found], option=orjson.OPT_INDENT_2))


def measure() -> list[Measured]:
    """Measure all shapes in many short turns.

    They take turns, and the least counts, which a busy machine disturbs least.
    """
    parser = Parser()

    def parsed(values: Sequence[bytes]) -> Work:
        return lambda: [parser.parse_record(value, None, _ARRIVED) for value in values]

    known = shapes()
    works = {"seed": (parsed([r.value for r in generator.generate(_PER_TURN, 1, 0, NOW)]), _PER_TURN)}
    for name, (value, _, events) in known.items():
        assert all(isinstance(o, Event) for o in parser.parse_record(value, None, _ARRIVED)), name
        times = max(_PER_TURN // events, 1)
        works[name] = (parsed([value] * times), times * events)
    [event] = parser.parse_record(known["ECS"][0], None, _ARRIVED)
    works["document of an ECS event"] = (lambda: [source(event) for _ in range(_PER_TURN)], _PER_TURN)
    costs = _least(works)
    return [Measured(n, cost, cost / costs["seed"], known[n][1] if n in known else None) for n, cost in costs.items()]


def _least(works: dict[str, tuple[Work, int]]) -> dict[str, float]:
    """Return each work's least microseconds an event."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(_TURNS):
        for name, (work, events) in works.items():
            work()  # or the caches would hold the last shape's code
            start = time.perf_counter()
            work()
            least[name] = min(least[name], (time.perf_counter() - start) / events * 1e6)
    return least


def shapes() -> dict[str, tuple[bytes, float, int]]:
    """Make the records: bytes, limit, events in each."""
    flat = {name: (_json(record), 3.0, 1) for name, record in _flat().items()}
    contained = {name: (_json(record), 5.0, 1) for name, record in _contained().items()}
    batch = _batch()
    otlp = {"OTLP JSON": (_json(_otlp_json()), 3.0, _BATCH), "OTLP protobuf": (batch, 3.0, _BATCH)}
    return flat | contained | otlp


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def _flat() -> dict[str, dict[str, Any]]:
    ecs = {
        "@timestamp": _TIME, "log.level": "ERROR", "message": "card refused", "ecs.version": "1.2.0",
        "service.name": "pay", "event.dataset": "pay.log", "process.thread.name": "main",
        "log.logger": "com.example.Pay", "trace.id": _IDS["trace_id"], "span.id": _IDS["span_id"], "user.id": "17",
    }  # fmt: skip
    return {
        "ECS": ecs,
        "pino": {"level": 30, "time": 1795427999123, "pid": 1, "hostname": "pod-1", "msg": "paid", **_IDS},
        "zap": {"level": "info", "ts": 1795427999.123456, "caller": "a.go:1", "msg": "paid", "order": 7},
        "GELF": {"version": "1.1", "host": "web-1", "short_message": "refused", "timestamp": 1795427999.123, "level": 3,
                 "_container_name": "pay", "_image_name": "r/pay:1"},
        "logstash-logback-encoder": {
            "@timestamp": _TIME, "@version": "1", "message": "slow", "logger_name": "a.B", "thread_name": "main",
            "level": "WARN", "level_value": 30000, "traceId": _IDS["trace_id"], "spanId": _IDS["span_id"],
            "appname": "pay",
        },
        "CLEF": {"@t": "2026-11-23T09:59:59.1234560Z", "@m": "refused", "@i": "a1", "@l": "Error", "Id": 7,
                 "@tr": _IDS["trace_id"], "@sp": _IDS["span_id"]},
        "Fluent Bit, merged": {"@timestamp": 1795427999.123, "stream": "stdout", "level": "error", "message": "boom",
                               "kubernetes": _KUBERNETES},
    }  # fmt: skip


_KUBERNETES = {
    "pod_name": "pay-7d9f8b6c5-x2x9k", "namespace_name": "shop", "host": "node-3", "container_name": "app",
    "labels": {"app.kubernetes.io/name": "pay"}, "container_image": "r/pay:1",
}  # fmt: skip


def _contained() -> dict[str, dict[str, Any]]:
    line = {"level": "warn", "time": _TIME, "msg": "slow", "trace_id": _IDS["trace_id"]}
    docker = {"log": json.dumps(line) + "\n", "stream": "stdout", "time": "2026-11-23T09:59:59.123456789Z"}
    return {"container JSON": docker, "container JSON in a pod": docker | {"kubernetes": _KUBERNETES}}


def _otlp_json() -> dict[str, Any]:
    def pairs(**values: str) -> list[dict[str, Any]]:
        return [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]

    logs = [
        {
            "timeUnixNano": str(_ARRIVED * 1_000 - i * 1_000), "observedTimeUnixNano": str(_ARRIVED * 1_000),
            "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": "GET /api/products/17 200 in 12 ms"},
            "attributes": pairs(status="200", thread="main"), "traceId": _IDS["trace_id"], "spanId": _IDS["span_id"],
        }
        for i in range(_BATCH)
    ]  # fmt: skip
    resource = {"attributes": [*pairs(language="java"), {"key": "service.name", "value": {"stringValue": "cart"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "lib"}, "logRecords": logs}]}]}


def _batch() -> bytes:
    """Make the records of `_otlp_json` as protobuf."""
    message = ExportLogsServiceRequest()
    logs = message.resource_logs.add()
    _add(logs.resource.attributes, (("language", "java"), ("service.name", "cart")))
    scope = logs.scope_logs.add()
    scope.scope.name = "lib"
    for i in range(_BATCH):
        log = scope.log_records.add(
            time_unix_nano=_ARRIVED * 1_000 - i * 1_000, observed_time_unix_nano=_ARRIVED * 1_000,
            severity_number=9, severity_text="INFO", trace_id=bytes.fromhex(_IDS["trace_id"]),
            span_id=bytes.fromhex(_IDS["span_id"]),
        )  # fmt: skip
        log.body.string_value = "GET /api/products/17 200 in 12 ms"
        _add(log.attributes, (("status", "200"), ("thread", "main")))
    return message.SerializeToString()


def _add(attributes: Any, pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        pair = attributes.add(key=name)
        pair.value.string_value = value
