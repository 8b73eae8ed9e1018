"""Times of records are moved in their bytes: each in its own form, and nothing else."""

import json

import pytest
from tests.support.corpus import CASES, MICROS, T

from dualsink.events.catalogue import FORMATS
from dualsink.events.formats import Format, places
from dualsink.events.model import DAY
from dualsink.events.parser import Event, parse, parse_record
from dualsink.kafka.records import Record
from dualsink.kafka.shifting import Shift

MINUTE = Shift(60, FORMATS)


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        ({"timestamp": T}, {"timestamp": "2026-11-23T10:01:00Z"}),
        ({"timestamp": "2026-11-23 10:00:00,5"}, {"timestamp": "2026-11-23 10:01:00,5"}),
        ({"time": "2026-11-23T12:00:00.123456789+02:00"}, {"time": "2026-11-23T12:01:00.123456789+02:00"}),
        ({"ts": 1_795_428_000}, {"ts": 1_795_428_060}),
        ({"ts": 1_795_428_000.25}, {"ts": 1_795_428_060.25}),
        ({"time": 1_795_428_000_123}, {"time": 1_795_428_060_123}),
        ({"time": "1795428000000000001"}, {"time": "1795428060000000001"}),
        ({"timestamp": T, "date": "2001-01-01T00:00:00Z", "t": 5}, {"timestamp": "2026-11-23T10:01:00Z"}),
        ({"log": '{"ts":"2026-11-23T10:00:00Z","msg":"m"}\n', "stream": "s", "time": T},
         {"log": '{"ts":"2026-11-23T10:01:00Z","msg":"m"}\n', "time": "2026-11-23T10:01:00Z"}),
        ({"log": "[2026-11-23 10:00:00.5Z] INFO m", "stream": "s", "time": T},
         {"log": "[2026-11-23 10:01:00.5Z] INFO m", "time": "2026-11-23T10:01:00Z"}),
        ({"log": "10:00:00 INFO m", "stream": "s", "time": T}, {"time": "2026-11-23T10:01:00Z"}),
    ],
)  # fmt: skip
def test_each_form_of_time_is_moved_in_its_own_form(fields, moved):
    fields = fields if "log" in fields else fields | {"message": "m"}
    value = json.dumps(fields).encode()
    moment = parse(value, None, -1).timestamp
    after = MINUTE.moved(value, [moment])
    assert json.loads(after) == fields | moved
    assert parse(after, None, -1).timestamp == moment + 60_000_000


@pytest.mark.parametrize(
    "unmoved",
    [
        b'{"message":"started at 2026-11-23T10:00:00Z","order":{"number":1795428000}}',
        b'{"expires":"2026-12-23T10:00:00Z","date":"2001-01-01T00:00:00Z","time":"2026-11-23T99:99:99Z","ts":5}',
        b'{"time":17954280000000000000000,"ts":"1795428000 seconds","timestamp":"no 2026-11-23T10:00:00"}',
        b"\xff\x00{",
        b'{"ts":1.795428e99}',
    ],
)
def test_what_is_no_time_of_the_event_stays(unmoved):
    assert MINUTE.moved(unmoved, [MICROS]) == unmoved


def test_no_other_byte_changes():
    value = b' { "ts" : "2026-11-23T10:00:00.5+05:30" , "n" : 1.10, "n" : 1e400, "x": "\\u0041" } '
    assert MINUTE.moved(value, [MICROS]) == value.replace(b"10:00:00", b"10:01:00")


def test_a_format_of_a_users_own_names_its_times():
    value = b'{"gw_ts":1795428000000}'
    assert MINUTE.moved(value, [MICROS]) == value
    ours = Format(name="ours", specification="", marks=("gw_ts",), time=places("gw_ts", reads="ms"))
    assert Shift(60, [ours]).moved(value, [MICROS]) == b'{"gw_ts":1795428060000}'


def test_every_event_of_the_corpus_is_moved_but_for_a_leap_second_and_times_of_no_record():
    left = []
    for case in CASES:
        event = parse(case.payload, case.key, -1)
        if not isinstance(event, Event) or len(case.payload) > 100_000:
            continue
        after = parse(MINUTE.moved(case.payload, [event.timestamp]), case.key, -1)
        assert isinstance(after, Event), case.name
        if after.timestamp - event.timestamp != 60_000_000:
            left.append(case.name)
    assert left == [
        "time kept: leap second", "future: last moment", "past: zero", "past: minus zero",
        "past: compact date reads as seconds",
    ]  # fmt: skip


@pytest.mark.parametrize("apart", [5_000_000, 5 * DAY])
def test_the_events_of_an_envelope_are_moved_together(apart):
    logs = [{"timeUnixNano": str((MICROS + n) * 1_000), "body": {"stringValue": "m"}} for n in (0, apart)]
    value = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]}).encode()
    record = Record(b"", value, None, (MICROS, MICROS + apart))
    moved = MINUTE.record(record)
    assert moved.times == (MICROS + 60_000_000, MICROS + apart + 60_000_000)
    assert tuple(event.timestamp for event in parse_record(moved.value, None, -1)) == moved.times


def test_a_record_without_events_stays():
    record = Record(b"", b'{"time":"2026-11-23T10:00:00Z"}', None)
    assert MINUTE.record(record) is record


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        ({"date": "2026-11-23", "time": "23:59:30"}, {"date": "2026-11-24", "time": "00:00:30"}),
        ({"Time": "23:59:30,250", "Date": "2026/11/23"}, {"Time": "00:00:30,250", "Date": "2026/11/24"}),
        ({"date": "23/Nov/2026", "time": "10:00:00.5"}, {"date": "23/Nov/2026", "time": "10:01:00.5"}),
        ({"date": "2026-11-23", "time": "23:59:30Z"}, {"date": "2026-11-24", "time": "00:00:30Z"}),
        ({"date": "2026-11-23", "time": "23:59:30.5 +0100"}, {"date": "2026-11-24", "time": "00:00:30.5 +0100"}),
        ({"date": "2026-11-23", "time": "23:59"}, {"date": "2026-11-24", "time": "00:00"}),
        ({"date": "2026/11/23", "time": "23:59"}, {"date": "2026/11/24", "time": "00:00"}),
        ({"time": "235930", "date": "20261123"}, {"time": "000030", "date": "20261124"}),
        ({"date": "20261123", "time": "2359"}, {"date": "20261124", "time": "0000"}),
        ({"date": "Nov 23 2026", "time": "23:59:30"}, {"date": "Nov 24 2026", "time": "00:00:30"}),
        ({"date": "Nov 9 2026", "time": "23:59:30"}, {"date": "Nov 10 2026", "time": "00:00:30"}),
        ({"date": "23 Nov 2026", "time": "23:59:30"}, {"date": "24 Nov 2026", "time": "00:00:30"}),
    ],
)
def test_a_date_and_a_clock_time_in_two_fields_move_as_one(fields, moved):
    value = json.dumps({**fields, "message": "m"}).encode()
    event = parse(value, None, -1)
    after = MINUTE.moved(value, [event.timestamp])
    assert json.loads(after) == {**moved, "message": "m"}
    assert parse(after, None, -1).timestamp == event.timestamp + 60_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"date": "2001-01-01", "time": "10:00:00"},
        {"date": "20261399", "time": "10:00:00"},
        {"date": "20261123", "time": "10000"},
    ],
)
def test_a_pair_that_is_not_the_events_time_stays(fields):
    value = json.dumps(fields).encode()
    assert MINUTE.moved(value, [MICROS]) == value


@pytest.mark.parametrize("other", [{"message": "2026-11-23 10:00:00 paid"}, {"message": "m", "end": T}])
def test_a_pair_moves_with_another_time_of_its_row(other):
    value = json.dumps({"date": "2026-11-23", "time": "10:00:00", **other}).encode()
    after = MINUTE.moved(value, [MICROS])
    assert b"10:00:00" not in after
    assert parse(after, None, -1).timestamp == parse(value, None, -1).timestamp + 60_000_000


def test_a_pair_beside_the_time_of_the_event_stays():
    fields = {"timestamp": "2026-11-23T10:00:00.5Z", "date": "2026-11-23", "time": "10:00:00", "message": "m"}
    after = MINUTE.moved(json.dumps(fields).encode(), [MICROS + 500_000])
    assert json.loads(after) == fields | {"timestamp": "2026-11-23T10:01:00.5Z"}


@pytest.mark.parametrize(
    ("time", "moved"),
    [
        ("Mon Nov  2 23:59:30 2026", "Tue Nov  3 00:00:30 2026"),
        ("Mon Nov 2 23:59:30 2026", "Tue Nov 3 00:00:30 2026"),
        ("Mon Nov 02 23:59:30 2026", "Tue Nov 03 00:00:30 2026"),
        ("Mon Nov  9 23:59:30.000001 2026", "Tue Nov 10 00:00:30.000001 2026"),
        ("Nov  3 2026 10:00:00", "Nov  3 2026 10:01:00"),
        ("Nov 3 2026 10:00:00.5", "Nov 3 2026 10:01:00.5"),
        ("Tue, 3 Nov 2026 10:00:00 GMT", "Tue, 3 Nov 2026 10:01:00 GMT"),
        ("3-Nov-2026 10:00:00", "3-Nov-2026 10:01:00"),
        ("2026/11/03 10:00", "2026/11/03 10:01"),
        ("20261103 100000", "20261103 100100"),
    ],
)
def test_a_day_of_one_digit_is_moved_in_its_width(time, moved):
    value = json.dumps({"time": time, "message": "m"}).encode()
    moment = parse(value, None, -1).timestamp
    after = MINUTE.moved(value, [moment])
    assert json.loads(after)["time"] == moved
    assert parse(after, None, -1).timestamp == moment + 60_000_000


def test_the_second_time_of_a_load_balancer_moves_with_the_first():
    fields = {"time": T, "elb": "app/shop", "elb_status_code": "200", "request_creation_time": "2026-11-23T09:59:59.9Z"}
    after = json.loads(MINUTE.moved(json.dumps(fields).encode(), [MICROS]))
    assert after["request_creation_time"] == "2026-11-23T10:00:59.9Z"
