"""OTLP: bytes of the SDK's own encoder, the same as JSON, one event each, and both paths alike."""

import gzip
import json
import zlib

import pyarrow as pa
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from tests.support.corpus import KAFKA_TIMESTAMP, MICROS

from dualsink.events.parser import Event, Parser, Refusal

FAST, GENERAL = Parser(), Parser(fast=False)


def readable(body, severity=SeverityNumber.INFO, nanos=MICROS * 1_000, **attributes):
    record = LogRecord(
        timestamp=nanos, observed_timestamp=MICROS * 1_000 + 5, severity_number=severity,
        severity_text=severity.name, body=body, attributes=attributes,
    )  # fmt: skip
    resource = Resource({"service.name": "cart", "host.name": "h", "telemetry.sdk.language": "python"})
    return ReadableLogRecord(record, resource, InstrumentationScope("lib", "1"))


def encoded(*records) -> ExportLogsServiceRequest:
    return encode_logs(list(records))


def outcomes(value: bytes):
    found = FAST.parse_record(value, b"key", KAFKA_TIMESTAMP)
    assert list(found) == list(GENERAL.parse_record(value, b"key", KAFKA_TIMESTAMP))
    return found


def test_every_record_of_the_sdks_encoder_is_an_event():
    value = encoded(
        readable("paid", order=7), readable("refused", SeverityNumber.ERROR, exception="x")
    ).SerializeToString()
    first, second = outcomes(value)
    assert first[:9] == (None, MICROS, "INFO", "cart", "h", "paid", None, None, None)
    assert json.loads(first.attributes) == {
        "observedTimeUnixNano": MICROS * 1_000 + 5, "scope": {"name": "lib", "version": "1"},
        "resource": {"telemetry.sdk.language": "python"}, "order": 7,
    }  # fmt: skip
    assert (second.level, second.message) == ("ERROR", "refused")


@pytest.mark.parametrize("body", ["text", 7, True, 1.5, ["a", 1], {"a": {"b": "c"}}, b"raw", float("nan")])
def test_any_body_and_attribute_is_kept_and_reads_alike(body):
    value = encoded(readable(body, value=body if not isinstance(body, bytes) else "x")).SerializeToString()
    [event] = outcomes(value)
    assert isinstance(event, Event), event
    assert event.message


def test_json_and_protobuf_say_the_same():
    message = encoded(
        readable("a", order="7"), readable("b", SeverityNumber.WARN2), readable("c", nanos=MICROS * 1000 + 7)
    )
    as_json = json.dumps(MessageToDict(message, use_integers_for_enums=True)).encode()
    for ours, theirs in zip(outcomes(message.SerializeToString()), outcomes(as_json), strict=True):
        assert ours[:9] == theirs[:9]


def test_a_record_that_cannot_be_read_leaves_the_others_alone():
    message = encoded(readable("good"), readable("bad"), readable("good too"))
    message.resource_logs[0].scope_logs[0].log_records[1].ClearField("body")
    first, second, third = outcomes(message.SerializeToString())
    assert (first.message, third.message) == ("good", "good too")
    assert isinstance(second, Refusal) and second.reason == "missing_message"


def test_bytes_that_are_no_envelope_are_refused():
    value = encoded(readable("a")).SerializeToString()
    [refusal] = outcomes(value[:-3])
    assert refusal.reason == "invalid_protobuf"
    assert outcomes(b"\nplain text")[0].reason == "invalid_json"
    [refusal] = Parser(record_format="otlp_proto").parse_record(b'{"a":1}', None, KAFKA_TIMESTAMP)
    assert refusal.reason == "invalid_protobuf"


@pytest.mark.parametrize("length", [9, 10, 13, 32, 91, 123])
def test_an_envelope_whose_length_looks_like_text_is_read(length):
    message = encoded(readable("a"))
    body = message.resource_logs[0].scope_logs[0].log_records[0].body
    while message.resource_logs[0].ByteSize() < length:
        body.string_value += "a"
    assert all(isinstance(outcome, Event) for outcome in outcomes(message.SerializeToString()))


def _zstd(value: bytes) -> bytes:
    return pa.compress(value, codec="zstd", asbytes=True)


@pytest.mark.parametrize("pack", [gzip.compress, _zstd], ids=["gzip", "zstd"])
def test_compressed_values_are_unpacked(pack):
    value = encoded(readable("a"), readable("b")).SerializeToString()
    assert [event.message for event in outcomes(pack(value))] == ["a", "b"]
    assert outcomes(pack(b'{"time":"2026-11-23T10:00:00Z","msg":"m"}'))[0].message == "m"
    assert outcomes(pack(value)[:-9])[0].reason == "invalid_utf8"


def test_a_value_that_unpacks_to_too_much_is_refused():
    bomb = zlib.compressobj(9, wbits=31)
    value = b"".join([*(bomb.compress(bytes(1 << 20)) for _ in range(65)), bomb.flush()])
    assert outcomes(value)[0].reason == "too_large"


def test_events_of_an_array_have_what_stands_beside_it():
    value = {
        "messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/pay", "logStream": "s", "owner": "1",
        "logEvents": [
            {"id": "1", "timestamp": MICROS // 1_000, "message": '{"level":"error","msg":"refused"}'},
            {"id": "2", "timestamp": MICROS // 1_000, "message": "paid"},
            {"id": "3", "message": "no time"},
        ],
    }  # fmt: skip
    first, second, third = FAST.parse_record(json.dumps(value).encode(), None, KAFKA_TIMESTAMP)
    assert (first.level, first.message, first.service) == ("ERROR", "refused", "pay")
    assert json.loads(second.attributes)["logStream"] == "s"
    assert third.reason == "missing_timestamp"


def test_an_array_holds_the_records_of_its_envelopes():
    log = {"timeUnixNano": str(MICROS * 1_000), "body": {"stringValue": "x"}}
    logs = {"scopeLogs": [{"logRecords": [log, {"body": {"stringValue": "no time"}}]}]}
    value = [{"time": MICROS // 1_000, "msg": "m"}, {"resourceLogs": [logs]}, {"resourceLogs": 7}, logs]
    found = FAST.parse_record(json.dumps(value).encode(), None, KAFKA_TIMESTAMP)
    kinds = [outcome.message if isinstance(outcome, Event) else outcome.reason for outcome in found]
    assert kinds == ["m", "x", "missing_timestamp", "wrong_type", "x", "missing_timestamp"]


def test_what_surrounds_records_is_whole_in_each():
    log = {"timeUnixNano": str(MICROS * 1_000), "severityNumber": 9, "body": {"stringValue": "x"}, "spanId": "own"}
    value = {"resourceLogs": [{"scopeLogs": [{"logRecords": [log, log]}]}], "mdc": {"span": {"id": "theirs"}}}
    for event in outcomes(json.dumps(value).encode()):
        assert event.span_id == "own"
        assert json.loads(event.attributes) == {"mdc": {"span": {"id": "theirs"}}}
