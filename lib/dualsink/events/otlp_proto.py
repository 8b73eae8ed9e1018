"""OTLP as protobuf, the OpenTelemetry Collector's default on Kafka (`otlp_proto`).

A log record becomes the object that OTLP/JSON would hold, with plain values.
"""

import base64
import math
from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from dualsink.events.draft import keep
from dualsink.events.model import Reason, Refused
from dualsink.events.otel import Log


def is_envelope(value: bytes) -> bool:
    """Return whether bytes are an export request with log records.

    Text that begins with a newline is none.
    """
    try:
        return any(scope.log_records for logs in _envelope(value).resource_logs for scope in logs.scope_logs)
    except DecodeError:
        return False


def records(value: bytes) -> Iterator[Log]:
    """Yield every log record of an export request.

    Raises Refused (invalid_protobuf).
    """
    try:
        envelope = _envelope(value)
    except DecodeError:
        raise Refused(Reason.INVALID_PROTOBUF, f"{len(value)} bytes are no OTLP export request") from None
    for resource_logs in envelope.resource_logs:
        resource = _resource(resource_logs)
        for scope_logs in resource_logs.scope_logs:
            named = {"scope": _scope(scope_logs), "resource": resource}
            around = {name: value for name, value in named.items() if value}
            for log in scope_logs.log_records:
                yield Log(_record(log), around)


def _envelope(value: bytes) -> Message:
    return ExportLogsServiceRequest.FromString(value)


def _resource(logs: Message) -> dict[str, Any]:
    resource = logs.resource
    found = _attributes(resource.attributes)
    if not isinstance(found, dict):
        found = {"attributes": found}
    if resource.dropped_attributes_count:
        keep(found, "droppedAttributesCount", resource.dropped_attributes_count)
    if logs.schema_url:
        keep(found, "schemaUrl", logs.schema_url)
    return found


def _scope(logs: Message) -> dict[str, Any]:
    scope = logs.scope
    named = {
        "name": scope.name, "version": scope.version, "attributes": _attributes(scope.attributes),
        "droppedAttributesCount": scope.dropped_attributes_count, "schemaUrl": logs.schema_url,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}


def _record(log: Message) -> dict[str, Any]:
    """Return a log record as an object.

    Fields that have their default are absent, as protobuf defines it.
    """
    record: dict[str, Any] = {}
    if number := log.time_unix_nano:
        record["timeUnixNano"] = number
    if number := log.observed_time_unix_nano:
        record["observedTimeUnixNano"] = number
    if number := log.severity_number:
        record["severityNumber"] = number
    if text := log.severity_text:
        record["severityText"] = text
    if kind := log.body.WhichOneof("value"):
        record["body"] = _value(log.body, kind)
    if identity := log.trace_id:
        record["traceId"] = identity.hex()
    if identity := log.span_id:
        record["spanId"] = identity.hex()
    if flags := log.flags:
        record["flags"] = flags
    if dropped := log.dropped_attributes_count:
        record["droppedAttributesCount"] = dropped
    if name := log.event_name:
        record["eventName"] = name
    if pairs := log.attributes:
        record["attributes"] = _attributes(pairs)
    return record


def _attributes(pairs: Collection[Message]) -> dict[str, Any] | list[dict[str, Any]]:
    """Return pairs as an object.

    As a list of objects if a key occurs twice.
    """
    found = {}
    for pair in pairs:
        value = pair.value
        found[pair.key] = _value(value, value.WhichOneof("value"))
    if len(found) == len(pairs):
        return found
    return [{"key": p.key, "value": _value(p.value, p.value.WhichOneof("value"))} for p in pairs]


def _value(value: Message, kind: str | None) -> Any:
    if kind == "string_value":
        return value.string_value
    if kind == "array_value":
        return [_value(item, item.WhichOneof("value")) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    plain = getattr(value, kind) if kind else None
    return str(plain) if isinstance(plain, float) and not math.isfinite(plain) else plain
