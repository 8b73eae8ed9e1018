"""The bulk lines of an event: id and index are the rules' own, and a verbatim record is its document."""

import json
from datetime import UTC, datetime

import pytest

from dualsink.documents import bulk_lines, document_id, index_name, source
from dualsink.events import Event, VerbatimEvent, parse

ARRIVED = int(datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp() * 1_000_000)
RECORD = {
    "log_id": "log_000001", "timestamp": "2026-11-24T09:59:59.123456Z", "level": "INFO", "service": "cart",
    "host": "cart-1", "message": 'say "hi"\tä', "trace_id": "t1", "span_id": "s1",
}  # fmt: skip


def lines(value: bytes) -> tuple[dict, dict]:
    event = parse(value, None, ARRIVED)
    made = bulk_lines(b"create", "logs", event.timestamp, source(event, value), "a.topic", 3, 42, ARRIVED // 1000)
    action, document, rest = made.split(b"\n")
    assert rest == b""
    return json.loads(action), json.loads(document)


def test_id_and_index_are_those_of_the_rules():
    action, _ = lines(json.dumps(RECORD).encode())
    event = parse(json.dumps(RECORD).encode(), None, ARRIVED)
    expected = {"_index": index_name("logs", event.timestamp), "_id": document_id("a.topic", 3, 42, ARRIVED // 1000)}
    assert action == {"create": expected}


def test_a_verbatim_record_becomes_the_document_that_its_event_would_become():
    value = json.dumps(RECORD, ensure_ascii=False).encode()
    event = parse(value, None, ARRIVED)
    assert type(event) is VerbatimEvent
    assert json.loads(source(event, value)) == json.loads(source(Event(*event)))
    assert lines(value)[1] == RECORD | {
        "topic": "a.topic", "partition": 3, "offset": 42, "kafka_timestamp": ARRIVED // 1000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(RECORD, indent=1).encode(),
        json.dumps(RECORD).encode() + b" ",
        json.dumps(RECORD | {"level": "info"}).encode(),
        json.dumps(RECORD | {"timestamp": "2026-11-24T09:59:59.123456"}).encode(),
        json.dumps(RECORD | {"more": "x"}).encode(),
        json.dumps(RECORD | {"host": None}).encode(),
    ],
    ids=["line breaks", "trailing blank", "level in other letters", "no zone", "unknown field", "null"],
)
def test_any_other_record_is_written_anew(value):
    event = parse(value, None, ARRIVED)
    assert type(event) is Event
    assert source(event, value) == source(event)
    assert lines(value)[1]["level"] == "INFO"
