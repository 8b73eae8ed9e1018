"""Every declaration: its example is recognised and typed, and the page of formats is written from it."""

import json

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP

from dualsink.events.catalogue import FORMATS
from dualsink.events.formats import Format
from dualsink.events.parser import Event, Parser

PARSER = Parser()


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_the_example_of_a_format_is_recognised_and_typed(format: Format):
    value = format.example.encode()
    assert format.name in PARSER.formats_of(value)
    outcomes = PARSER.parse_record(value, None, KAFKA_TIMESTAMP)
    assert all(isinstance(outcome, Event) for outcome in outcomes), outcomes
    assert abs(outcomes[0].timestamp - 1_795_428_000_000_000) < 10_000_000_000, outcomes[0]


def test_names_are_unique_and_specifications_addresses():
    assert len({format.name for format in FORMATS}) == len(FORMATS)
    assert [f.name for f in FORMATS if not f.specification.startswith("https://") and f.name != "dualsink"] == []


OWN = {"timestamp": "2026-11-23T10:00:00.123456Z", "level": "WARN", "service": "shop", "message": "read before"}


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_no_format_claims_a_record_that_has_our_own_columns(format: Format):
    value = json.dumps(json.loads(format.example) | OWN).encode()
    assert set(PARSER.formats_of(value)) <= {"dualsink"}
    (event,) = PARSER.parse_record(value, None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert (event.timestamp, event.level, event.service, event.message) == (
        1_795_428_000_123_456, "WARN", "shop", "read before",
    )  # fmt: skip


ORDINARY = [
    {"event_id": 7, "platform": "ios"},
    {"label": "premium", "type": "card", "action": "charge"},
    {"date_create": "yesterday", "action": "user_login"},
    {"object": "card", "type": "visa", "created": "long ago"},
    {"event": {"name": "charge"}, "metadata": {"version": 3}},
    {"detail": {"title": "Dune", "severity": 9}, "source": "books"},
    {"Severity": {"Label": "HIGH"}, "Title": "a book"},
    {"flow": {"verdict": "good"}, "node": {"kind": "leaf"}},
    {"exceptions": [], "outcome": "won"},
    {"uid": "u1", "proto": "tcp"},
    {"query_name": "top ten", "query_type": "sql"},
    {"schemaVersion": 2, "accountId": 7},
    {"resourceId": 7, "rule": "first", "priority": 1},
    {"g": 1, "f": "a", "c": 2},
    {"result": {"message": "ignored"}, "info": {"message": "ignored"}},
    {"at": "checkout", "sev": "x", "ns": "shop"},
    {"messages": ["a"], "levelValue": 3},
    {"task_uuid": "t", "task_level": [1], "message_type": "x"},
    {"line": "7", "labels": {"a": "b"}, "source": "card", "tag": "x"},
    {"events": [{"message": "ignored"}], "Events": ["a"]},
    {"event": {"message": "ignored", "level": "error"}},
]
"""Fields of ordinary records that some format knows as well."""


@pytest.mark.parametrize("fields", ORDINARY, ids=lambda fields: "-".join(fields))
def test_an_ordinary_record_is_claimed_by_no_format(fields: dict[str, object]):
    value = json.dumps({"when": OWN["timestamp"], "lvl": "warn", "msg": "card refused", "app": "pay"} | fields).encode()
    assert PARSER.formats_of(value) == ()
    (event,) = PARSER.parse_record(value, None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert (event.level, event.service, event.message) == ("WARN", "pay", "card refused")
