"""Records as people send them: every right value of `tests/data/log_shapes.ndjson`, one by one."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP

from dualsink.events.parser import Event, Parser, Refusal, parse, parse_record

FILE = Path(__file__).parents[2] / "data" / "log_shapes.ndjson"
CASES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
GENERAL = Parser(fast=False)
RECORDS = [case for case in CASES if case["kind"] not in ("reader", "store")]


def value_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["input_base64"]) if "input_base64" in case else case["input"].encode()


def differences(event: Event, expected: dict[str, Any]) -> dict[str, Any]:
    """Fields of an event that are not what is expected, and attributes that are missing."""
    attributes = json.loads(event.attributes or "{}")
    wrong = {f"attrs:{name}": None for name in expected.get("attrs", ()) if name not in attributes}
    fields = {name: right for name, right in expected.items() if name not in ("attrs", "note", "events")}
    return wrong | {name: getattr(event, name) for name, right in fields.items() if not is_right(event, name, right)}


def is_right(event: Event, name: str, right: Any) -> bool:
    found = getattr(event, name)
    if isinstance(right, dict) and "any" in right:
        return found in right["any"]
    if isinstance(right, dict) and "contains" in right:
        return found is not None and right["contains"] in found
    return found == right


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: case["name"])
def test_a_record_gets_its_right_values(case):
    value, key, expected = value_of(case), (case.get("key") or "").encode() or None, case["expected"]
    if "reject" in expected:
        outcome = parse(value, key, KAFKA_TIMESTAMP)
        assert isinstance(outcome, Refusal), outcome
        assert outcome.reason in expected["reject"]
    else:
        outcomes = parse_record(value, key, KAFKA_TIMESTAMP)
        assert len(outcomes) == expected.get("events", len(outcomes))
        for outcome in outcomes:
            assert isinstance(outcome, Event), outcome
            assert differences(outcome, expected) == {}, outcome


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: case["name"])
def test_both_ways_of_reading_agree(case):
    value = value_of(case)
    assert list(parse_record(value, None, KAFKA_TIMESTAMP)) == list(GENERAL.parse_record(value, None, KAFKA_TIMESTAMP))
