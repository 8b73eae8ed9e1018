"""What must hold for any bytes: the parser never raises, always says the same, and loses nothing."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.corpus import KAFKA_TIMESTAMP, T, record

from dualsink.events.model import Refused
from dualsink.events.parser import (
    LEVELS,
    MAX_FIELD,
    Event,
    Parser,
    Reason,
    Refusal,
    normalise_level,
    parse,
    parse_time,
)
from dualsink.events.strict_json import read_json

GENERAL = Parser(fast=False)
thorough = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))

NAMES = (
    "timestamp", "@timestamp", "time", "ts", "level", "severity", "severityNumber", "severityText", "message", "msg",
    "body", "log", "stream", "service", "service.name", "host", "hostname", "kubernetes", "pod_name", "trace_id",
    "traceId", "span_id", "stack_trace", "error", "resource", "resourceLogs", "scopeLogs", "logRecords", "attributes",
    "timeUnixNano", "key", "value", "stringValue", "logger", "logger_name", "log_id", "level_original", "name", "id",
)  # fmt: skip
# Log lines, and what must be found of them wherever they are taken apart.
LINES = {'{"msg":"inner"}': ("inner",), "16:51:24.967 INFO a.B#1 text": ("16:51:24.967", "INFO", "a.B#1", "text")}
SAMPLES = (T, "INFO", "purple", "17", "2026-11-23T12:00:00.123456789+02:00", *LINES)
PLAIN = (record(), record(trace_id="t", stack_trace='a\n"b"'), record(level="INFO", message="é", host="h", log_id="1"))
texts = st.text(max_size=20) | st.sampled_from(SAMPLES)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = st.sampled_from(NAMES) | st.text(max_size=8)
trees = st.recursive(scalars, lambda t: st.lists(t, max_size=4) | st.dictionaries(keys, t, max_size=5), max_leaves=20)
objects = st.dictionaries(keys, trees, max_size=10)
unknown_names = st.text(max_size=8).map("unknown {}".format)
events = st.builds(lambda more: {"timestamp": T, "message": "m"} | more, objects)


def encode(value: Any) -> bytes:
    """JSON as a sender may write it; surrogates cannot be written as UTF-8 and become escapes."""
    return json.dumps(value, ensure_ascii=True).encode()


def checked(value: bytes | None, key: bytes | None = b"key") -> Event | Refusal:
    """The parser's outcome, after everything that must always hold; with its fast path it is what it is without."""
    outcome = parse(value, key, KAFKA_TIMESTAMP)
    assert outcome == parse(value, key, KAFKA_TIMESTAMP) == without_fast_path(value, key)
    if isinstance(outcome, Refusal):
        assert outcome.reason in set(Reason) - {Reason.PARSER_ERROR}, outcome
        assert 0 < len(outcome.detail) <= 300
    else:
        _check_event(outcome)
    return outcome


def without_fast_path(value: bytes | None, key: bytes | None) -> Event | Refusal:
    """The outcome of the general path."""
    return GENERAL.parse(value, key, KAFKA_TIMESTAMP)


def _check_event(event: Event) -> None:
    assert type(event.timestamp) is int
    assert 0 <= event.timestamp <= KAFKA_TIMESTAMP + 86_400_000_000
    assert event.level in LEVELS
    assert event.message
    texts = [value for value in event if value is not None and value != event.timestamp]
    assert all(type(text) is str and text.encode() for text in texts)
    short = (event.service, event.host, event.log_id, event.trace_id, event.span_id)
    assert all(len(text) <= MAX_FIELD for text in short if text is not None)
    assert event.attributes is None or isinstance(orjson.loads(event.attributes), dict)


def leaves(value: Any) -> list[Any]:
    """All scalars of a tree."""
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in leaves(child)]
    return [leaf for child in value for leaf in leaves(child)] if isinstance(value, list) else [value]


def is_kept(leaf: Any, event: Event, attributes: list[Any]) -> bool:
    """True where a leaf can be found in the event: in a field, in the attributes, as its time or its level."""
    if leaf is None or leaf == "" or any(type(leaf) is type(other) and leaf == other for other in attributes):
        return True
    text = leaf if isinstance(leaf, str) else json.dumps(leaf)
    fields = [field for field in event[5:6] + event[:1] + event[3:5] + event[6:9] if field]
    return text in fields or _is_time_or_level(leaf, event) or _is_in_text(text, leaf, event)


def _is_time_or_level(leaf: Any, event: Event) -> bool:
    if event.level != "UNKNOWN" and event.level in (normalise_level(leaf), normalise_level(leaf, "otel")):
        return True
    try:
        return parse_time(leaf).micros == event.timestamp or parse_time(leaf, "ns").micros == event.timestamp
    except Refused:
        return False


def _is_in_text(text: str, leaf: Any, event: Event) -> bool:
    """A container's line loses its line end and may be taken apart; a structured body is its own JSON text."""
    if text.rstrip("\r\n") in ("", event.message):
        return True
    if leaf in LINES:
        whole = json.dumps(event, ensure_ascii=False)
        return all(part in whole for part in LINES[leaf])
    return event.message.startswith(("{", "[")) and json.dumps(leaf, ensure_ascii=False) in event.message


def numbered(tree: Any, numbers: Iterator[int]) -> Any:
    """A tree with a text of its own in the place of every scalar, but for times and what is empty."""
    if isinstance(tree, dict):
        return {name: numbered(child, numbers) for name, child in tree.items()}
    if isinstance(tree, list):
        return [numbered(child, numbers) for child in tree]
    return tree if tree in (None, "", T) else f"leaf {next(numbers)}!"


@thorough
@given(st.binary(max_size=200), st.none() | st.binary(max_size=20))
def test_any_bytes_get_a_verdict(value, key):
    checked(value, key)


@thorough
@given(trees)
def test_any_json_gets_a_verdict(value):
    checked(encode(value))


@thorough
@given(st.text(alphabet='{}[]":,\\u0de tfn1.-+E \n', max_size=60))
def test_anything_like_json_gets_a_verdict(text):
    checked(text.encode())


@thorough
@given(st.data(), st.sampled_from([*PLAIN, record(x={"y": [1, 2.5]})]))
def test_a_mutated_event_gets_a_verdict(data, value):
    mutated = bytearray(value)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated)))
        mutated[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    checked(bytes(mutated))


@thorough
@given(events)
def test_every_leaf_of_an_accepted_object_is_kept(fields):
    event = checked(encode(fields))
    if isinstance(event, Event):
        attributes = leaves(json.loads(event.attributes)) if event.attributes else []
        assert [leaf for leaf in leaves(fields) if not is_kept(leaf, event, attributes)] == []


@thorough
@given(events)
def test_every_one_of_many_different_leaves_is_kept_to_the_letter(fields):
    fields = numbered(fields, itertools.count())
    event = checked(encode(fields))
    if isinstance(event, Event):
        whole = json.dumps(event, ensure_ascii=False)
        assert [leaf for leaf in leaves(fields) if leaf and leaf != T and leaf not in whole] == []


@thorough
@given(st.dictionaries(unknown_names, trees, min_size=1, max_size=6))
def test_unknown_fields_are_the_attributes_to_the_letter(unknown):
    event = checked(encode({"timestamp": T, "message": "m"} | unknown))
    if isinstance(event, Event):
        assert json.loads(event.attributes) == unknown


@thorough
@given(st.dictionaries(st.sampled_from(NAMES[:1] + ("level", "service", "host", "message", "trace_id", "log_id")),
                       texts | st.none()))  # fmt: skip
def test_the_fast_path_gives_what_the_general_one_gives(fields):
    checked(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace"))


LINE_FIELDS = st.fixed_dictionaries(
    {"level": texts | st.sampled_from(["warn", "NOTICE"]), "msg": texts | st.just("sent")},
    optional={name: texts | st.sampled_from([T, "17"]) for name in (
        "time", "ts", "trace_id", "span_id", "service", "host", "logger", "logger_name", "stack_trace", "log_id",
        "stream", "kubernetes", "level_original", "timestamp_original", "hostname", "container_service", "",
    )},
)  # fmt: skip
ENVELOPES = st.fixed_dictionaries(
    {"time": st.sampled_from([T, "2026-11-23T10:00:00.123456789Z", "2026-11-23T10:00:00", "1999-01-01T00:00:00Z"])},
    optional={
        "stream": st.just("stdout"), "trace_id": texts, "logger": texts, "stack_trace": texts, "service": texts,
        "log_time": texts,
        "kubernetes": st.dictionaries(st.sampled_from(("pod_name", "host", "container_name", "labels")), texts),
    },
)  # fmt: skip


@thorough
@given(LINE_FIELDS | st.fixed_dictionaries({"level": st.just("warn"), "msg": st.just("m"), "time": st.just(T)}),
       ENVELOPES)  # fmt: skip
@example({"level": "warn", "msg": "m", "": "x"}, {"time": T})
def test_the_fast_path_of_lines_gives_what_the_general_one_gives(line, envelope):
    checked(encode({"log": json.dumps(line) + "\n", "stream": "stdout"} | envelope))


# Parts of text lines as loggers and runtimes write them; all combinations of them are lines.
LINE_PARTS = (
    ("", "16:51:24.967 ", "[2026-11-23T09:59:59Z] ", "2026-11-23 09:59:59,123 ", "2026-13-45 10:00:00 - ",
     "2026-11-23T09:59:59.123456789Z stdout F ", "  ", "2026/11/23 10:00:00 "),
    ("", "INFO  ", "[main] WARN ", "[ERROR] ", "shop.pay - ERROR - ", "info: ", "level=warn ", "@cee:", "purple "),
    ("", "- ", "[shop,4bf92f3577b34da6,00f067aa0ba902b7] ", "1 --- [pay] [main] ", "[http-8080] "),
    ("", "a.b.C#12 ", "shop.Pay : ", "[x] - "),
    ("", "paid", "TraceID: 4bf92f3577b34da6a3ce929d0e0e4736 SpanID: 00f067aa0ba902b7 paid", '{"msg":"m"}', "{", "a\nb",
     "java.lang.Error: x\n\tat a.B.c(B.java:1)", "\n\tat a.B.c(B.java:1)", "\u0661 \u0130\u017f", '"'),
)  # fmt: skip
AROUND: tuple[dict[str, Any], ...] = (
    {"time": T},
    {"time": T, "trace_id": "4bf92f3577b34da6", "stack_trace": "java.lang.Error: y", "log_time": "x", "logger": "a"},
    {"time": "2026-11-23T10:00:00.123456789Z", "kubernetes": {"pod_name": "pay-0", "host": "node-3"}},
)


@pytest.mark.parametrize("around", AROUND)
def test_the_fast_path_of_text_lines_gives_what_the_general_one_gives(around):
    lines = map("".join, itertools.product(*LINE_PARTS))
    values = [encode({"log": line + "\n", "stream": "stdout"} | around) for line in lines]
    differing = [v for v in values if parse(v, None, KAFKA_TIMESTAMP) != without_fast_path(v, None)]
    assert differing == []


@thorough
@given(texts, ENVELOPES)
def test_the_fast_path_of_envelopes_gives_what_the_general_one_gives(line, envelope):
    checked(encode({"log": line + "\n", "stream": "stdout"} | envelope))


@thorough
@given(trees, st.booleans())
def test_strict_reading_agrees_with_the_standard_library(value, compact):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":") if compact else None)
    try:
        read = read_json(text.encode("utf-8", "surrogatepass"))
    except Refused as refused:
        assert refused.reason in (Reason.TOO_DEEP, Reason.INVALID_UTF8, Reason.NUMBER_OUT_OF_RANGE)
    else:
        assert json.loads(orjson.dumps(read, default=lambda n: orjson.Fragment(n.text))) == json.loads(text)


@thorough
@given(objects, st.data())
def test_a_doubled_key_is_always_found(fields, data):
    name = data.draw(st.text(max_size=5))
    pair = f"{json.dumps(name)}: {json.dumps(data.draw(trees))}"
    more = "".join(f", {json.dumps(k)}: {json.dumps(v)}" for k, v in fields.items() if k != name)
    text = "{" + pair + more + ", " + pair + "}"
    assert parse(text.encode(), None, KAFKA_TIMESTAMP).reason in (Reason.DUPLICATE_KEY, Reason.INVALID_UNICODE)


@thorough
@given(scalars | trees)
def test_any_value_has_a_level(value):
    assert normalise_level(value) in LEVELS
