"""The parser on the seed's shape: fields, limits, times, levels and the services it names."""

import json

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP, MICROS, T, record

from dualsink.events.model import Refused
from dualsink.events.parser import DAY, LEVELS, Event, Reason, Refusal, normalise_level, parse, parse_time
from dualsink.events.strict_json import Number, read_json

FULL = {
    "log_id": "log_000001", "timestamp": "2026-11-23T10:00:00.123456Z", "level": "ERROR", "service": "shop",
    "host": "h1", "message": 'Order "7" failed', "stack_trace": "E: x\n\tat a.B.c(B.java:1)", "trace_id": "t",
    "span_id": "s",
}  # fmt: skip


def typed(value: bytes, key: bytes | None = b"key") -> Event:
    outcome = parse(value, key, KAFKA_TIMESTAMP)
    assert isinstance(outcome, Event), outcome
    return outcome


def test_every_field_of_the_seeds_shape_is_typed():
    event = typed(json.dumps(FULL).encode())
    assert event._asdict() == FULL | {"timestamp": MICROS + 123_456, "attributes": None}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_spaces_between_tokens_make_no_difference(separators):
    assert typed(json.dumps(FULL, separators=separators).encode()) == typed(json.dumps(FULL, indent=2).encode())


def test_unknown_fields_become_compact_json_in_their_order():
    event = typed(record(b=[1, 2.50], a={"ü": None}))
    assert event.attributes == '{"b":[1,2.5],"a":{"ü":null}}'


def test_numbers_keep_their_text():
    event = typed(record()[:-1] + b', "a": 1.10, "b": 123456789012345678901234567890, "c": 1e5, "d": -0.0}')
    assert event.attributes == '{"a":1.10,"b":123456789012345678901234567890,"c":1e5,"d":-0.0}'


def test_an_event_up_to_a_day_ahead_is_accepted():
    assert typed(record(timestamp=KAFKA_TIMESTAMP + DAY)).timestamp == KAFKA_TIMESTAMP + DAY


@pytest.mark.parametrize("extra", [{}, {"x": 1}])
def test_an_event_more_than_a_day_ahead_is_refused(extra):
    outcome = parse(record(timestamp="2026-11-25T00:00:00.000001Z", **extra), None, KAFKA_TIMESTAMP)
    assert outcome[0] == Reason.TIMESTAMP_IN_FUTURE


def test_without_a_kafka_timestamp_no_event_is_in_the_future():
    assert isinstance(parse(record(timestamp="9000-01-01T00:00:00Z"), None, -1), Event)


def test_nanoseconds_are_cut_off_and_retained():
    event = typed(record(timestamp="2026-11-23T10:00:00.123456789Z"))
    assert event.timestamp == MICROS + 123_456
    assert json.loads(event.attributes) == {"timestamp_original": "2026-11-23T10:00:00.123456789Z"}


@pytest.mark.parametrize(
    ("number", "micros"),
    [
        (99_999_999_999, 99_999_999_999_000_000), (100_000_000_000, 100_000_000_000_000),
        (99_999_999_999_999, 99_999_999_999_999_000), (100_000_000_000_000, 100_000_000_000_000),
        (99_999_999_999_999_999, 99_999_999_999_999_999), (100_000_000_000_000_000, 100_000_000_000_000),
    ],
)  # fmt: skip
def test_the_unit_of_an_epoch_number_is_told_from_its_size(number, micros):
    assert parse_time(number).micros == parse_time(str(number)).micros == micros


def test_a_unit_can_be_given():
    assert parse_time(5, "ns").micros == 0
    assert not parse_time(5, "ns").exact
    assert parse_time("7000", "ns").micros == 7


def test_a_long_fraction_is_never_rounded_to_exact():
    assert parse_time("1795428000.0000000000000000000000001") == (MICROS, False, True)


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_what_is_no_scalar_is_no_time(value):
    with pytest.raises(Refused) as refused:
        parse_time(value)
    assert refused.value.reason == Reason.WRONG_TYPE


@pytest.mark.parametrize("name", LEVELS)
def test_canonical_levels_stay(name):
    assert normalise_level(name) == normalise_level(name.lower()) == name


def test_severity_numbers_of_opentelemetry_go_by_fours():
    expected = [level for level in LEVELS[:6] for _ in range(4)]
    assert [normalise_level(number, "otel") for number in range(1, 25)] == expected
    assert normalise_level(0, "otel") == normalise_level(25, "otel") == "UNKNOWN"


def test_syslog_priorities_are_read_as_such():
    levels = [normalise_level(number, "syslog") for number in range(9)]
    assert levels == ["FATAL"] * 3 + ["ERROR", "WARN", "INFO", "INFO", "DEBUG", "UNKNOWN"]


def test_a_number_without_a_scheme_is_told_by_its_value():
    numbers = (3, 6, 9, 17, 10, 20, 30, 40, 50, 60, 20_000, 35)
    expected = "ERROR INFO INFO ERROR TRACE DEBUG INFO WARN ERROR FATAL INFO UNKNOWN"
    assert " ".join(map(normalise_level, numbers)) == expected


@pytest.mark.parametrize("level", ["purple", " "])
def test_an_unrecognised_level_is_kept(level):
    event = typed(record(level=level))
    assert (event.level, json.loads(event.attributes)) == ("UNKNOWN", {"level_original": level})


def test_details_never_hold_content():
    secret = "hunter2-very-secret"
    values = [
        record(message={"password": secret}), record(timestamp=secret), record(service=secret * 100),
        record(message=secret)[:-3], record(message=secret) + b"x", record(level=[secret]),
        b'{"message":"' + secret.encode() + b'\\ud800"}', json.dumps(secret).encode(),
    ]  # fmt: skip
    outcomes = [parse(value, secret.encode(), KAFKA_TIMESTAMP) for value in values]
    assert all(isinstance(outcome, Refusal) and secret not in outcome.detail for outcome in outcomes)


def test_a_detail_names_the_doubled_key_in_a_safe_form():
    refusal = parse(b'{"\\n\\u202e' + b"k" * 500 + b'":1,"\\n\\u202e' + b"k" * 500 + b'":1}', None, KAFKA_TIMESTAMP)
    assert refusal.reason == Reason.DUPLICATE_KEY
    assert refusal.detail.isascii() and refusal.detail.isprintable() and len(refusal.detail) < 200


def test_reasons_are_plain_strings():
    refusal = parse(None, None, 0)
    assert refusal == ("null_value", "the record has no value (a tombstone)")
    assert type(refusal.reason) is str


def test_a_number_that_is_not_exact_remembers_its_text():
    assert read_json(b"[1.0, 1.00, 18446744073709551616]") == [1.0, Number("1.00"), Number("18446744073709551616")]


def test_the_time_of_the_corpus_is_what_it_says():
    assert parse_time(T) == (MICROS, True, True)
