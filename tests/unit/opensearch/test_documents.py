"""The bulk lines of an event: id and index are the rules' own, and a verbatim record is its document."""

import json
from datetime import UTC, datetime

import pytest

from dualsink.events.model import Event, VerbatimEvent, document_id, index_name
from dualsink.events.parser import parse
from dualsink.events.strict_json import read_exactly
from dualsink.opensearch.documents import WHOLE, attributes_of, bulk_lines, source

TOPIC_ID = "kC0YVm9lT0OrQ9nqj1Yb3w"
ARRIVED = int(datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp() * 1_000_000)
RECORD = {
    "log_id": "log_000001", "timestamp": "2026-11-24T09:59:59.123456Z", "level": "INFO", "service": "cart",
    "host": "cart-1", "message": 'say "hi"\tä', "trace_id": "t1", "span_id": "s1",
}  # fmt: skip


def lines(value: bytes) -> tuple[dict, dict]:
    event = parse(value, None, ARRIVED)
    body = source(event, value)
    made = bulk_lines(b"create", "logs", event.timestamp, body, "a.topic", TOPIC_ID, 3, 42, 5, 7, ARRIVED // 1000)
    action, document, rest = made.split(b"\n")
    assert rest == b""
    return json.loads(action), json.loads(document)


def test_id_and_index_are_those_of_the_rules():
    action, _ = lines(json.dumps(RECORD).encode())
    event = parse(json.dumps(RECORD).encode(), None, ARRIVED)
    expected = {"_index": index_name("logs", event.timestamp), "_id": document_id(TOPIC_ID, 3, 42, 5)}
    assert action == {"create": expected}


def test_a_verbatim_record_becomes_the_document_that_its_event_would_become():
    value = json.dumps(RECORD, ensure_ascii=False).encode()
    event = parse(value, None, ARRIVED)
    assert type(event) is VerbatimEvent
    assert json.loads(source(event, value)) == json.loads(source(Event(*event)))
    assert lines(value)[1] == RECORD | {
        "topic": "a.topic", "topic_id": TOPIC_ID, "partition": 3, "offset": 42, "position": 5, "positions": 7,
        "kafka_timestamp": ARRIVED // 1000,
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


# -- attributes that no index can take -----------------------------------------------------------------

EDGE = 32_700 - len("e=")


def attributes(tree: dict) -> str:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def event_with(tree: dict) -> Event:
    return Event("l", 0, "INFO", "s", "h", "m", None, None, None, attributes(tree))


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        ({"e": "x" * EDGE, "a": 1}, None),
        ({"e": "x" * (EDGE + 1), "a": 1}, {"a": 1}),
        ({"e": "\u00e4" * (EDGE // 2 + 1), "a": 1}, {"a": 1}),
        ({"a": {"b": {"c": "x" * 40_000, "d": None}}}, {"a": {"b": {"d": None}}}),
        ({"a": ["x" * 40_000, "y", {"b": "x" * 40_000}]}, {"a": ["y", {}]}),
        ({"k" * 40_000: 1, "a": 1}, {"a": 1}),
        ({"k" * 40_000: {}, "a": 1}, {"a": 1}),
        ({"k" * 20_000: {"k" * 20_000: 1, "l": 2}}, {"k" * 20_000: {"l": 2}}),
        ({f"k{i}": "x" * 100 for i in range(1_000)}, None),
        ({"a": ["x" * 20_000] * 3}, None),
    ],
    ids=["at the edge", "over it", "bytes count", "nested", "list", "key", "object", "path", "many", "sum"],
)  # fmt: skip
def test_an_immense_attribute_is_left_out_of_the_index_alone(tree, part):
    document = json.loads(source(event_with(tree)))
    assert document["attributes"] == (tree if part is None else part)
    assert document.get(WHOLE) == (None if part is None else attributes(tree))
    assert attributes_of(read_exactly(source(event_with(tree)))) == (tree if part is None else attributes(tree))


def test_a_number_in_the_indexed_part_stays_as_it_was_written():
    text = f'{{"n":1.50,"big":123456789012345678901234567890,"e":"{"x" * 40_000}"}}'
    body = source(Event("l", 0, "INFO", "s", "h", "m", None, None, None, text))
    assert b'"attributes":{"n":1.50,"big":123456789012345678901234567890}' in body
    assert attributes_of(read_exactly(body)) == text


def test_a_document_whose_indexed_part_was_altered_is_not_the_archives():
    document = json.loads(source(event_with({"e": "x" * 40_000, "a": 1})))
    assert attributes_of(document | {"attributes": {"a": 2}}) == {"a": 2}
