"""Files of real and of awkward shapes become records; what cannot be read is named."""

import base64
import csv
import gzip
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP, MICROS, T, record

from dualsink.errors import InputError
from dualsink.events.parser import Event, Refusal, parse
from dualsink.events.reading import Reading
from dualsink.kafka.log_files import count, read

DATA = Path(__file__).parents[2] / "data"
NOW = datetime(2026, 11, 23, 22, 0, 0, 123_456, tzinfo=UTC)


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


READING = Reading()


def values(path: Path) -> list[bytes]:
    return [record.value for record in read(path, READING)]


def events(path: Path, shift_to: datetime | None = None) -> list[Event]:
    outcomes = [parse(record.value, record.key, KAFKA_TIMESTAMP) for record in read(path, READING, shift_to)]
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
    assert 0 <= micros(NOW) - max(event.timestamp for event in after) < 1_000_000
    assert len({b.timestamp - a.timestamp for a, b in zip(before, after, strict=True)}) == 1
    blank = {"timestamp": 0, "attributes": None}
    assert [e._replace(**blank) for e in before] == [e._replace(**blank) for e in after]


def test_keys_are_services():
    assert {record.key for record in read(DATA / "train_ticket.csv", READING)} >= {
        b"ts-user-service",
        b"ts-order-service",
    }


# -- NDJSON


def test_lines_go_as_they_are(tmp_path):
    lines = [record(), b'{"broken": ', b"\xff\xfe", b" " + record(message="x") + b" "]
    path = write(tmp_path, "a.ndjson", b"\xef\xbb\xbf" + lines[0] + b"\r\n\n  \n" + b"\n".join(lines[1:]))
    found = list(read(path, READING))
    assert [r.value for r in found] == lines
    assert [r.key for r in found] == [b"shop", b"", b"", b"shop"]
    assert count(path) == 4


def test_the_content_tells_ndjson_whatever_the_name(tmp_path):
    assert values(write(tmp_path, "log.txt", record())) == [record()]
    assert values(write(tmp_path, "log.csv", record() + b"\n")) == [record()]


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.ndjson", "a"])
def test_gzip_is_told_by_its_content(tmp_path, name):
    assert values(write(tmp_path, name, gzip.compress(record() + b"\n"))) == [record()]


# -- exports of the log explorer

EXPORTED = {
    "timestamp": "2026-11-23T10:00:00.123456+00:00", "level": "ERROR", "service": "cart", "host": "cart-1",
    "message": '-1 is no "count",\nä', "stack_trace": "E: x\n\tat a.B(B.java:1)", "trace_id": "aa", "span_id": "bb",
    "log_id": "7", "attributes": {"code": 7, "log": {"logger": "a.B"}, "price": 1.5}, "topic": "t", "topic_id": "i",
    "partition": 0, "offset": 12, "position": 0, "positions": 1, "kafka_timestamp": "2026-11-23T10:00:01+00:00",
    "tier": "hot",
}  # fmt: skip
EVENT = Event(
    "7", MICROS + 123_456, "ERROR", "cart", "cart-1", '-1 is no "count",\nä', "E: x\n\tat a.B(B.java:1)", "aa", "bb",
    '{"code":7,"log":{"logger":"a.B"},"price":1.5}',
)  # fmt: skip


def test_an_export_of_the_explorer_comes_back_as_the_events_that_it_shows(tmp_path):
    lean = {name: value for name, value in EXPORTED.items() if name not in ("host", "attributes", "log_id")}
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in (EXPORTED, lean))
    found = events(write(tmp_path, "export.ndjson", lines))
    assert found == [EVENT, EVENT._replace(host=None, attributes=None, log_id=None)]


def test_an_exported_sheet_comes_back_without_its_apostrophes(tmp_path):
    shielded = EXPORTED | {"message": f"'{EXPORTED['message']}", "attributes": json.dumps(EXPORTED["attributes"])}
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerows([EXPORTED.keys(), shielded.values(), (shielded | {"attributes": None}).values()])
    assert events(write(tmp_path, "export.csv", out.getvalue())) == [EVENT, EVENT._replace(attributes=None)]


def test_a_line_among_an_export_that_is_none_goes_as_it_is(tmp_path):
    lines = [json.dumps(EXPORTED).encode(), record(x=1), b"{broken"]
    lines.append(json.dumps(EXPORTED | {"attributes": 5}).encode())
    assert values(write(tmp_path, "export.ndjson", b"\n".join(lines)))[1:] == lines[1:]


# -- text of servers

AT = "2026-11-23T10:00:00.123Z"
LINES = {
    "syslog in a file": (f"{AT} web-1 sshd[12]: Failed password", "UNKNOWN", "sshd", "Failed password"),
    "journalctl short-iso": ("2026-11-23T10:00:00+0000 web-1 systemd[1]: Started.", "UNKNOWN", "systemd", "Started."),
    "kubectl logs --timestamps": (f'{AT} {{"level":"error","msg":"refused"}}', "ERROR", "unknown", "refused"),
    "kernel": (f"{AT} web-1 kernel: out of memory", "UNKNOWN", "kernel", "out of memory"),
    "a level in front": (f"{AT} CRITICAL db: slow", "FATAL", "unknown", "db: slow"),
    "words in front": (f"{AT} Connection lost: reset by peer", "UNKNOWN", "unknown", None),
    "RFC 5424": (f'<11>1 {AT} web-1 pay - - [a@1 b="[x\\]"] refused', "ERROR", "pay", "refused"),
    "nginx": ("2026/11/23 10:00:00 [error] 12#12: *1 connect() failed", "ERROR", "unknown", None),
    "PostgreSQL": ('2026-11-23 10:00:00.123 UTC [1] ERROR:  relation "x" does not exist', "ERROR", "unknown", None),
    "MySQL": (f"{AT} 0 [Warning] [MY-010068] [Server] CA is self signed", "WARN", "unknown", None),
    "Elasticsearch": ("[2026-11-23T10:00:00,123][WARN ][o.e.x.Y ] [n1] slow", "WARN", "unknown", None),
    "Serilog": ("2026-11-23 10:00:00.123 +00:00 [ERR] refused", "ERROR", "unknown", None),
    "Monolog": ("[2026-11-23 10:00:00] production.ERROR: refused", "ERROR", "unknown", None),
    "MongoDB 4.2": ("2026-11-23T10:00:00.123+0000 I NETWORK  [listener] accepted", "INFO", "unknown", None),
    "a sentence in capitals": ("2026-11-23 10:00:00 I HAVE a dream", "UNKNOWN", "unknown", None),
    "a sentence": (f"{AT} the last line said ERROR: refused", "UNKNOWN", "unknown", None),
    "Spring Boot": (f"{AT} ERROR 1 --- [pay] [main] shop.Pay  : refused", "ERROR", "pay", "refused"),
    "logfmt": (f'ts={AT} level=warn msg="a \\"b\\" C:\\\\new\\nx" service=pay', "WARN", "pay", 'a "b" C:\\new\nx'),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_a_line_of_a_server_is_typed(tmp_path, name):
    line, level, service, message = LINES[name]
    (event,) = events(write(tmp_path, "server.log", f"{line}\n"))
    assert (event.level, event.service, event.message) == (level, service, message or line)
    assert 0 <= event.timestamp - MICROS <= 123_000


def test_a_line_of_spring_boot_names_its_trace(tmp_path):
    ids = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    line = f"{AT}  INFO 1 --- [pay] [main] [{'-'.join(ids)}] shop.Pay : paid\n"
    (event,) = events(write(tmp_path, "spring.log", line))
    assert (event.trace_id, event.span_id, event.service, event.message) == (*ids, "pay", "paid")


def test_a_line_of_spring_boot_without_an_application_has_no_thread_for_a_service(tmp_path):
    for ids in ("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", " " * 49):
        line = f"{AT}  INFO 1 --- [nio-8080-exec-1] [{ids}] shop.Pay : paid\n"
        (event,) = events(write(tmp_path, "spring.log", line))
        assert (event.service, event.message) == ("unknown", "paid")
        assert event.trace_id == (ids.strip().partition("-")[0] or None)


@pytest.mark.parametrize(
    "head, row",
    [
        ("#Version: 1.0\n#Fields: date time cs-method cs-uri-stem sc-status", "2026-11-23 10:00:00 GET /pay 500"),
        (
            "#Version: 1.0\n#Fields: date\ttime\tcs-method\tcs-uri-stem\tsc-status",
            "2026-11-23\t10:00:00\tGET\t/pay\t500",
        ),
        ("#separator \\x09\n#fields\tts\tmethod\turi\tstatus_code", "1795428000.0\tGET\t/pay\t500"),
    ],
    ids=["W3C", "W3C with tabs", "Zeek"],
)
def test_rows_under_named_fields_are_typed(tmp_path, head, row):
    (event,) = events(write(tmp_path, "access.log", f"{head}\n{row}\n"))
    assert (event.timestamp, event.message) == (MICROS, "GET /pay 500")


def test_cells_beyond_the_named_fields_are_kept(tmp_path):
    (value,) = values(write(tmp_path, "u.log", "#Fields: date time cs-method\n2026-11-23 10:00:00 GET more 1\n"))
    assert json.loads(value)["_extra_cells"] == ["more", "1"]


def test_rows_before_any_named_fields_go_as_they_are(tmp_path):
    assert values(write(tmp_path, "u.log", "#Software: IIS\nGET /pay\n")) == [b"GET /pay"]


def test_a_header_that_begins_with_a_mark_is_one_of_csv(tmp_path):
    (value,) = values(write(tmp_path, "a.csv", "#Date,Level,Message\n2026-11-23,INFO,paid\n"))
    assert json.loads(value) == {"#Date": "2026-11-23", "Level": "INFO", "Message": "paid"}


@pytest.mark.parametrize(
    "text",
    [
        "LineId,Date,Time,Level,Content\n1,2026-11-20,10:00:00,INFO,paid\n2,2026-11-20,10:00:02.5,INFO,paid\n",
        "#Fields: date time cs-method cs-uri-stem\n2026-11-20 10:00:00 GET /a\n2026-11-20 10:00:02 GET /b\n",
        "date,time,level,message\n20261120,100000,INFO,paid\n20261120,100002,INFO,2026-11-20 10:00:02 paid\n",
        "date,time,message\n2026-11-20,10:00:00+01:00,paid\n2026-11-20,10:01,paid\n",
        'date=2026-11-20 time=10:00:00 tz="-0500" msg="a"\ndate=2026-11-20 time=10:00:02 tz="-0500" msg="b"\n',
    ],
    ids=["CSV", "W3C", "CSV, digits", "CSV, zone", "FortiGate"],
)
def test_a_date_and_a_time_apart_are_moved_together(tmp_path, text):
    path = write(tmp_path, "apart.log", text)
    before, after = events(path), events(path, NOW)
    assert 0 <= micros(NOW) - max(event.timestamp for event in after) < 1_000_000
    assert len({b.timestamp - a.timestamp for a, b in zip(before, after, strict=True)}) == 1


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
    found = json.loads(values(write(tmp_path, "a.csv", "message,message,\n1,2,3\n"))[0])
    assert found == {"message": "1", "message_2": "2", "column_3": "3"}


def test_a_row_that_is_no_utf8_reaches_the_quarantine_with_its_bytes(tmp_path):
    value = values(write(tmp_path, "a.csv", f"timestamp,message\n{T},".encode() + b"\xfcber\n"))[0]
    assert b"\xfcber" in value
    assert parse(value, None, KAFKA_TIMESTAMP).reason == "invalid_utf8"


def test_an_open_quote_swallows_no_rows(tmp_path):
    rows = [f'{T},"open', f"{T},a", f'{T},"say \\"hi\\", b"', f'{T},"5" pipe"', f'{T},"c\n\nd"']
    found = values(write(tmp_path, "a.csv", "\n".join(["timestamp,message", *rows])))
    assert [json.loads(each)["message"] if each.startswith(b"{") else each.decode() for each in found] == [
        rows[0], "a", 'say "hi", b', rows[3], "c\n\nd",
    ]  # fmt: skip


@pytest.mark.parametrize("banner", ["# by a tool", "sep=,", "Export, of today\n"])
def test_a_header_may_come_behind_a_banner(tmp_path, banner):
    first, second = values(write(tmp_path, "a.csv", f"{banner}\ntimestamp,message\n{T},m\n"))
    assert (first.decode(), json.loads(second)) == (banner.strip(), {"timestamp": T, "message": "m"})


def test_cells_are_free_of_the_spaces_that_pad_them(tmp_path):
    found = values(write(tmp_path, "a.csv", f'timestamp, level , message\n{T}, INFO , "a, b"\n'))
    assert json.loads(found[0]) == {"timestamp": T, "level": "INFO", "message": "a, b"}


def test_a_comma_in_a_quoted_name_is_no_delimiter(tmp_path):
    path = write(tmp_path, "a.csv", f'"timestamp";"a,b,c"\n"{T}";"1"\n')
    assert json.loads(values(path)[0]) == {"timestamp": T, "a,b,c": "1"}


def test_digits_of_a_date_in_an_unknown_order_are_no_time(tmp_path):
    (value,) = values(write(tmp_path, "a.csv", "Date,Time,Content\n081109,203518,paid\n"))
    assert parse(value, None, KAFKA_TIMESTAMP).reason == "invalid_timestamp"


def test_csvlog_of_postgresql_needs_no_header(tmp_path):
    row = (
        '2026-11-23 10:00:00.123 UTC,"joe","shop",42,"[local]",65,1,"INSERT",2026-11-23 09:00:00 UTC,3/4,0,ERROR,'
        '23505,"a, b",,,,,,"INSERT\nx",,,"psql","client backend",,0\n'
    )
    first, second = events(write(tmp_path, "pg.csv", row + row))
    assert first == second and (first.timestamp, first.level, first.message) == (MICROS + 123_000, "ERROR", "a, b")
    assert json.loads(first.attributes)["statement"] == "INSERT\nx"


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


def test_refused_records_are_left_alone_and_do_not_count_as_newest(tmp_path):
    lines = [record(), b"{broken", record(timestamp="9000-01-01T00:00:00Z")]
    found = [r.value for r in read(write(tmp_path, "a.ndjson", b"\n".join(lines)), READING, NOW)]
    assert found[1:] == lines[1:]
    assert parse(found[0], None, -1).timestamp == micros(NOW) // 1_000_000 * 1_000_000


# -- files that cannot be read


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"), (b"\n \n", "empty"), (gzip.compress(b"", mtime=0), "empty"), (b"\xef\xbb\xbf\n", "empty"),
        (b"\x00\x01\x02\x03" * 100, "binary"), (record().decode().encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04zip", "zip"), (b"PAR1....", "Parquet"),
        (b'[{"a": 1},\n {"a": 2}]', "one JSON object a line"), (b'{\n "a": 1\n}', "one JSON object a line"),
        (b"just words\nand more\n", "neither"), (b"x" * 200_000, "neither"), (b"timestamp,message\n", "no rows"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip within"),
        (record().decode().encode("utf-16-be"), "UTF-16BE"),
        (b"#Fields: date\n", "no rows"),
        (bytes(300) + record(), "binary zeros"), (record() + record(), r"jq -c \.`"), (record() + b",\n", "comma"),
        (b"[\n", r"jq -c '\.\[\]'"), (b"Nov 23 10:00:03 web sshd[12]: x", "no year"),
        (b"10:00:00,1 INFO x", "time of day"),
        (b"[    1.5] usb", "since a start"), (b"26/11/23 10:00:00 INFO x", "order of year"), (b"<Event/>", "XML"),
        (gzip.compress(record() * 9, mtime=0)[:-9], "damaged"),
    ],
)  # fmt: skip
def test_unreadable_files_are_named_with_the_reason(tmp_path, content, reason):
    path = write(tmp_path, "input", content)
    with pytest.raises(InputError, match=reason) as error:
        list(read(path, READING))
    assert str(path) in str(error.value)


def test_missing_files_and_folders_are_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "missing.csv", READING)
    with pytest.raises(InputError, match="folder"):
        read(tmp_path, READING)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="regular file"):
        read(tmp_path / "pipe", READING)


def test_pretty_json_is_refused_whatever_the_name(tmp_path):
    with pytest.raises(InputError, match="jq"):
        read(write(tmp_path, "a.ndjson", b'{\n "a": 1\n}'), READING)


# -- files of text, and of shapes that are no NDJSON


CASES = [json.loads(line) for line in (DATA / "log_shapes.ndjson").read_text(encoding="utf-8").splitlines()]
FILES = {case["name"]: case for case in CASES if case["kind"] == "reader"}
VERDICTS = {
    "file: Docker json-file": (2, 0), "file: CRLF NDJSON": (2, 0), "file: JSON array in a file": None,
    "file: UTF-16 with a mark": None, "file: elasticsearch bulk NDJSON": (2, 2),
    "file: kafka-console-consumer dump with timestamps or keys": (2, 0), "file: CSV with Date and Time columns": (1, 0),
    "file: NDJSON behind a banner line with a comma is read as CSV": (2, 1),
    "file: loghub CSV: Date, Time, Content": (1, 0), "file: elasticdump NDJSON (_source)": (2, 0),
    "file: text log whose first line has a comma is read as CSV": (3, 0),
    "file: text file that begins with a bracket": (1, 0),
}  # fmt: skip


def content(case: dict) -> bytes:
    return base64.b64decode(case["input_base64"]) if "input_base64" in case else case["input"].encode()


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_collection_is_read_or_refused_in_words(tmp_path, name):
    path = write(tmp_path, "input.log", content(FILES[name]))
    if VERDICTS[name] is None:
        with pytest.raises(InputError):
            list(read(path, READING))
    else:
        outcomes = [parse(record.value, record.key, KAFKA_TIMESTAMP) for record in read(path, READING)]
        typed = sum(isinstance(outcome, Event) for outcome in outcomes)
        assert (typed, len(outcomes) - typed) == VERDICTS[name], outcomes


def test_lines_of_text_take_the_lines_behind_them_along(tmp_path):
    text = (
        "2026-11-23 10:00:00,123 [main] WARN  a.B - cpu: 45%, mem: 77%\n"
        "2026-11-23 10:00:01,123 [main] ERROR a.B - refused\njava.io.IOException: reset\n\tat a.B.c(B.java:1)\n"
    )
    first, second = events(write(tmp_path, "app.log", text))
    assert (first.level, first.message, first.timestamp) == ("WARN", "cpu: 45%, mem: 77%", 1_795_428_000_123_000)
    assert (second.message, second.stack_trace) == ("refused", "java.io.IOException: reset\n\tat a.B.c(B.java:1)")


def test_parts_of_a_cri_line_are_joined(tmp_path):
    text = (
        '2026-11-23T10:00:00.123456789Z stderr P {"level":"error",\n'
        '2026-11-23T10:00:00.123456790Z stderr F "msg":"refused"}\n2026-11-23T10:00:01Z stdout F plain\n'
    )
    first, second = events(write(tmp_path, "0.log", text))
    assert (first.level, first.message, second.message) == ("ERROR", "refused", "plain")
    assert json.loads(first.attributes)["stream"] == "stderr"


@pytest.mark.parametrize(
    ("line", "time", "message"),
    [
        ('10.0.0.1 - - [23/Nov/2026:11:00:00 +0100] "GET /pay HTTP/1.1" 502 7', MICROS, "GET /pay HTTP/1.1"),
        ("<27>1 2026-11-23T10:00:00Z web-1 sshd 9 ID - refused", MICROS, "refused"),
        ("2026/11/23 10:00:00 [error] 7#7: *1 upstream timed out", MICROS, "upstream timed out"),
        ("[2026-11-23 10:00:00] [db] [info] ok", MICROS, "ok"),
    ],
)
def test_lines_of_servers_are_read(tmp_path, line, time, message):
    [event] = events(write(tmp_path, "server.log", line))
    assert event.timestamp == time
    assert message in event.message


@pytest.mark.parametrize("header", ["alpha,beta,gamma", "1795428000,INFO,started", "17;42"])
def test_a_header_without_a_known_name_is_refused(tmp_path, header):
    with pytest.raises(InputError, match="no CSV header"):
        list(read(write(tmp_path, "a.csv", f"{header}\n1,2,3\n"), READING))


@pytest.mark.parametrize(
    "lines", [["no json"], [*(['{"timestamp": "2026-11-23T10:00:00Z", "message": "m"}'] * 100), "no json"]]
)
def test_a_line_without_an_event_is_moved_nowhere_and_stops_nothing(tmp_path, lines):
    (tmp_path / "some.ndjson").write_text("\n".join(['{"first": "line"}', *lines]) + "\n")
    assert [record.value for record in read(tmp_path / "some.ndjson", READING, datetime.now(UTC))][-1] == b"no json"


def test_partial_lines_of_a_container_belong_to_their_stream_and_a_file_that_was_cut_is_read(tmp_path):
    start = "2026-11-23T10:00:00.5Z"
    lines = [
        f"{start} stdout P one ",
        f"{start} stderr F two",
        f"{start} stdout F three",
        f"{start} stdout P four",
        "2026-1",
    ]
    (tmp_path / "pod.log").write_text("\n".join(lines))
    records = [json.loads(value) if value.startswith(b"{") else value for value in values(tmp_path / "pod.log")]
    assert [each if isinstance(each, bytes) else each["log"] for each in records] == [
        "two",
        "one three",
        b"2026-1",
        "four",
    ]


def test_a_csv_file_is_one_though_a_cell_holds_a_line_of_json_or_a_blank_line_comes_first(tmp_path):
    (tmp_path / "cells.csv").write_text('\ntimestamp,level,message\n2026-11-23T10:00:00Z,INFO,"resp:\n{""a"":1}"\n')
    assert [event.message for event in events(tmp_path / "cells.csv")] == ['resp:\n{"a":1}']


def test_codes_of_a_terminal_hide_no_container(tmp_path):
    text = "\x1b[2Kweb-1  | 2026-11-23T10:00:00.123Z WARNING: slow\n\x1b[2Kweb-1  | 2026-11-23T10:00:01Z ok\n"
    first, second = events(write(tmp_path, "compose.log", text))  # `docker compose logs` in a terminal erases the line
    assert (first.service, first.level, first.message) == ("web", "WARN", "slow")
    assert second.service == "web"
