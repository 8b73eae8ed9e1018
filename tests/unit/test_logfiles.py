"""Files of real and of awkward shapes become records; what cannot be read is named."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from corpus import KAFKA_TIMESTAMP, T, record
from dualsink.errors import InputError
from dualsink.events import Event, Refusal, parse
from dualsink.logfiles import count, read, shift

DATA = Path(__file__).parents[1] / "data"
NOW = datetime(2026, 11, 23, 22, 0, 0, 123_456, tzinfo=UTC)


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path: Path) -> list[bytes]:
    return [record.value for record in read(path, None)]


def events(path: Path, shift_to: datetime | None = None) -> list[Event]:
    outcomes = [parse(record.value, record.key, KAFKA_TIMESTAMP) for record in read(path, shift_to)]
    assert all(isinstance(outcome, Event) for outcome in outcomes), outcomes
    return outcomes


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# -- real files


def test_online_boutique_rows_are_typed():
    found = {event.service: event for event in events(DATA / "online_boutique.csv")}
    assert len(found) == 10
    assert all(event.trace_id and event.span_id and event.host.startswith("33.33.33.") for event in found.values())
    assert {event.level for event in found.values()} == {"INFO", "UNKNOWN"}
    assert found["cartservice"].level == "UNKNOWN"
    assert found["adservice"].message.startswith("TraceID: 04c87ec97bae041b1b15b3c7676a43cc SpanID: ")
    assert found["recommendationservice"].timestamp == 1_661_145_522_908_318
    kept = json.loads(found["currencyservice"].attributes)
    assert (kept["hostname"], kept["kubernetes"]["container_name"]) == ("currencyservice-cf787dd48-vpjrd", "server")


def test_train_ticket_rows_are_typed():
    found = events(DATA / "train_ticket.csv")
    assert [event.level for event in found].count("ERROR") == 2
    assert {event.level for event in found} == {"INFO", "WARN", "ERROR"}
    assert all(event.service.startswith("ts-") and event.trace_id and event.span_id for event in found)
    first = found[0]
    assert (first.timestamp, first.service, first.host) == (1_674_982_284_968_139, "ts-user-service", "33.33.33.76")
    assert json.loads(first.attributes)["logger"] == "u.c.UserController#48"


@pytest.mark.parametrize("name", ["online_boutique.csv", "train_ticket.csv"])
def test_shifting_moves_all_times_by_one_distance(name):
    before, after = events(DATA / name), events(DATA / name, NOW)
    assert max(event.timestamp for event in after) == micros(NOW)
    assert len({b.timestamp - a.timestamp for a, b in zip(before, after, strict=True)}) == 1
    blank = {"timestamp": 0, "attributes": None}
    assert [e._replace(**blank) for e in before] == [e._replace(**blank) for e in after]


def test_keys_are_services():
    assert {record.key for record in read(DATA / "train_ticket.csv", None)} >= {b"ts-user-service", b"ts-order-service"}


# -- NDJSON


def test_lines_go_as_they_are(tmp_path):
    lines = [record(), b'{"broken": ', b"\xff\xfe", b" " + record(message="x") + b" "]
    path = write(tmp_path, "a.ndjson", b"\xef\xbb\xbf" + lines[0] + b"\r\n\n  \n" + b"\n".join(lines[1:]))
    found = list(read(path, None))
    assert [r.value for r in found] == lines
    assert [r.key for r in found] == [b"shop", b"", b"", b"shop"]
    assert count(path) == 4


def test_the_content_tells_ndjson_whatever_the_name(tmp_path):
    assert values(write(tmp_path, "log.txt", record())) == [record()]
    assert values(write(tmp_path, "log.csv", record() + b"\n")) == [record()]


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.ndjson", "a"])
def test_gzip_is_told_by_its_content(tmp_path, name):
    assert values(write(tmp_path, name, gzip.compress(record() + b"\n"))) == [record()]


# -- CSV


def test_rows_become_objects(tmp_path):
    path = write(tmp_path, "a.csv", f'\ufeffTimestamp,Level,Message,Extra\n{T},warn,"a, ""b""\nc",\n')
    event = events(path)[0]
    assert (event.level, event.message, event.attributes) == ("WARN", 'a, "b"\nc', '{"Extra":""}')
    assert count(path) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(tmp_path, delimiter):
    rows = [("time", "message"), (T, "m")]
    assert events(write(tmp_path, "a.csv", "\n".join(map(delimiter.join, rows))))[0].message == "m"


def test_cells_beyond_the_header_are_kept_and_missing_ones_left_out(tmp_path):
    path = write(tmp_path, "a.csv", f"timestamp,message\n{T},m,x,y\n{T}\n\n")
    first, second = [parse(value, None, KAFKA_TIMESTAMP) for value in values(path)]
    assert first.attributes == '{"_extra_cells":["x","y"]}'
    assert second == Refusal("missing_message", second.detail)


def test_doubled_and_empty_column_names_get_numbers(tmp_path):
    assert json.loads(values(write(tmp_path, "a.csv", "a,a,\n1,2,3\n"))[0]) == {"a": "1", "a_2": "2", "column_3": "3"}


def test_a_row_that_is_no_utf8_reaches_the_quarantine_with_its_bytes(tmp_path):
    value = values(write(tmp_path, "a.csv", f"timestamp,message\n{T},".encode() + b"\xfcber\n"))[0]
    assert b"\xfcber" in value
    assert parse(value, None, KAFKA_TIMESTAMP).reason == "invalid_utf8"


def test_a_huge_cell_is_read(tmp_path):
    assert len(events(write(tmp_path, "a.csv", f"timestamp,message\n{T},{'x' * 1_000_000}\n"))[0].message) == 1_000_000


def test_a_log_column_that_is_no_container_json_is_a_message(tmp_path):
    path = write(tmp_path, "a.csv", f"Timestamp,PodName,Log\n{T},web-7d9c4f8b6d-x2x4z,{{broken\n{T},web-0,plain\n")
    assert [(event.service, event.message) for event in events(path)] == [("web", "{broken"), ("web", "plain")]


def test_a_rows_time_is_kept_where_it_says_something_else(tmp_path):
    log = json.dumps({"log": "m\n", "stream": "stdout", "time": T}).replace('"', '""')
    path = write(tmp_path, "a.csv", f'Timestamp,TimeUnixNano,Team,Log\n{T},17,red,"{log}"\n')
    assert json.loads(events(path)[0].attributes) == {"stream": "stdout", "Team": "red", "TimeUnixNano": "17"}


# -- moving times


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
    after = shift(value, 60_000_000)
    assert json.loads(after) == fields | moved
    moment = parse(value, None, -1).timestamp
    assert parse(after, None, -1).timestamp == moment + 60_000_000


@pytest.mark.parametrize("time", [T, "2026-11-23T10:00:00.123Z", 1_795_428_000, 1_795_428_000_123, "1795428000.5"])
def test_a_distance_of_microseconds_is_kept_by_coarser_forms(time):
    value = record(timestamp=time)
    assert parse(shift(value, 1_000_001), None, -1).timestamp == parse(value, None, -1).timestamp + 1_000_001


def test_otlp_envelopes_are_moved():
    log = {"timeUnixNano": "1795428000000000001", "body": {"stringValue": "m"}}
    value = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).encode()
    assert b'"1795428000000001001"' in shift(value, 1)


def test_refused_records_are_left_alone_and_do_not_count_as_newest(tmp_path):
    lines = [record(), b"{broken", record(timestamp="9000-01-01T00:00:00Z")]
    found = [r.value for r in read(write(tmp_path, "a.ndjson", b"\n".join(lines)), NOW)]
    assert found[1:] == lines[1:]
    assert parse(found[0], None, -1).timestamp == micros(NOW)


# -- files that cannot be read


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"), (b"\n \n", "empty"), (gzip.compress(b""), "empty"), (b"\x00\x01\x02\x03" * 100, "binary"),
        (record().decode().encode("utf-16"), "UTF-16"), (b"PK\x03\x04zip", "zip"), (b"PAR1....", "Parquet"),
        (b'[{"a": 1},\n {"a": 2}]', "one JSON object a line"), (b'{\n "a": 1\n}', "one JSON object a line"),
        (b"just words\nand more\n", "neither"), (gzip.compress(record() * 9)[:-9], "damaged"),
    ],
)  # fmt: skip
def test_unreadable_files_are_named_with_the_reason(tmp_path, content, reason):
    path = write(tmp_path, "input", content)
    with pytest.raises(InputError, match=reason) as error:
        list(read(path, None))
    assert str(path) in str(error.value)


def test_missing_files_and_folders_are_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "missing.csv", None)
    with pytest.raises(InputError, match="folder"):
        read(tmp_path, None)
