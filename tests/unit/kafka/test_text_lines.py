"""Lines of text, each kind in a file of its own: their events have the right values."""

import json
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.corpus import MICROS

from dualsink.errors import InputError
from dualsink.events.parser import Event
from dualsink.events.reading import Reading
from dualsink.kafka.log_files import read
from dualsink.kafka.text_lines import FORMS

DATA = Path(__file__).parents[2] / "data"
READING = Reading()
PARSER = READING.parser
NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
SECOND = 1_000_000
STACK = "\tat shop.Pay.charge(Pay.java:42)"
RIGHT = {
    "apache_error.log": [
        (123_456, "ERROR", "unknown", None, "File does not exist: /srv/www/favicon.ico"),
        (SECOND + 250, "INFO", "unknown", None,
         "AH00489: Apache/2.4.62 (Unix) configured -- resuming normal operations"),
        (3 * SECOND, "ERROR", "unknown", None, "client denied by server configuration: /export/home"),
        (4 * SECOND, "TRACE", "unknown", None, "(70014)End of file found: handshake interrupted"),
    ],
    "catalina.out": [
        (123_000, "INFO", "org.apache.catalina.startup.Catalina.start", None, "Server startup in [1234] milliseconds"),
        (1_500_000, "FATAL", "org.apache.catalina.core.StandardWrapperValve.invoke", None,
         "Servlet.service() for servlet [pay] threw exception\n\tjava.lang.IllegalStateException: card refused"),
        (2 * SECOND, "WARN", "org.apache.catalina.loader.WebappClassLoaderBase.clearReferencesThreads", None,
         "The web application [shop] appears to have started a thread"),
    ],
    "alb.log": [
        (123_456, "INFO", "app/shop/50dc6c495c0c9188", None, "GET https://shop.example:443/pay?id=1 200"),
        (SECOND, "INFO", "app/shop/50dc6c495c0c9188", None, "POST https://shop.example:443/pay 502"),
    ],
    "elb.log": [
        (123_456, "INFO", "shop", None, "GET http://shop.example:80/pay 200"),
        (SECOND, "INFO", "shop", None, "GET https://shop.example:443/ 504"),
        (2 * SECOND, "INFO", "shop", None, "- - - "),
    ],
    "cef.log": [
        (123_000, "FATAL", "threatmanager", None, "worm successfully stopped"),
        (SECOND, "WARN", "Wall|E", "edge-1", "no route to a=b, said\nthe router"),
        (2_500_000, "INFO", "Wall", "fw-2", "packet passed"),
    ],
    "compose.log": [
        (123_000, "ERROR", "web", None, "card refused"),
        (200_000, "INFO", "db", None,
         "2026-11-23 10:00:00.200 UTC [42] LOG:  database system is ready to accept connections"),
        (SECOND, "WARN", "worker", None, "queue is long"),
        (2 * SECOND, "INFO", "web", None, "paid"),
    ],
}  # fmt: skip


def events(name: str, shift_to: datetime | None = None) -> Iterator[Event]:
    for record in read(DATA / "lines" / name, READING, shift_to):
        (outcome,) = PARSER.parse_record(record.value, record.key, -1)
        assert isinstance(outcome, Event), (record, outcome)
        yield outcome


@pytest.mark.parametrize("name", RIGHT)
def test_lines_of_each_kind_become_events(name):
    found = sorted(events(name), key=lambda event: event.timestamp)
    assert [(e.timestamp - MICROS, e.level, e.service, e.host, e.message) for e in found] == RIGHT[name]


@pytest.mark.parametrize("name", RIGHT)
def test_their_times_are_moved_by_one_distance(name):
    pairs = zip(events(name), events(name, NOW), strict=True)
    assert len({after.timestamp - before.timestamp for before, after in pairs}) == 1


def attributes(event: Event) -> dict:
    return json.loads(event.attributes)


def test_parts_of_a_head_are_kept():
    apache, tomcat, load_balancer, cef = (
        next(events(name)) for name in ("apache_error.log", "catalina.out", "alb.log", "cef.log")
    )
    assert attributes(apache) == {
        "apache_module": "core", "pid": "35708", "tid": "4328636416", "client": "192.0.2.7:51342"
    }  # fmt: skip
    assert attributes(tomcat)["thread"] == "main"
    assert load_balancer.trace_id == "1-58337262-36d228ad5d99923122bbe354"
    assert attributes(load_balancer)["ssl_protocol"] == "TLSv1.2"
    assert attributes(cef)["src"] == "10.0.0.1"
    assert attributes(cef)["level_original"] == "10"


def test_escapes_of_cef_are_undone_and_an_equals_sign_in_a_value_is_no_key():
    _, event, _ = events("cef.log")
    assert attributes(event)["request"] == "https://shop.example/?a=1&b=2"


def test_stack_traces_belong_to_their_line():
    (_, tomcat, _), compose = events("catalina.out"), next(events("compose.log"))
    assert tomcat.stack_trace.splitlines()[0].strip() == STACK.strip()
    assert compose.stack_trace == f"java.lang.IllegalStateException: card refused\n{STACK}"
    assert attributes(compose)["container_name"] == "web-1"


def test_columns_between_bars_are_no_output_of_compose(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("time | level | message\n2026-11-23T10:00:00Z | warn | paid\n")
    (record,) = read(path, READING)
    assert b"container_name" not in record.value
    path.write_text("paid | by card\nrefused | twice\n")
    with pytest.raises(InputError, match="no CSV header"):
        list(read(path, READING))


def written(tmp_path, *lines: str) -> list[dict]:
    """Records that a file of these lines becomes, as objects; a text stays a text."""
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    values = [record.value for record in read(path, READING)]
    return [json.loads(value) if value.startswith(b"{") else value.decode() for value in values]


CEF = "CEF:0|Acme|Wall|1|100|login|3|"


def test_a_backslash_at_the_end_of_a_line_of_cef_costs_no_time_and_no_value(tmp_path):
    began = time.monotonic()
    lines = [f"{CEF}src=1.2.3.4 msg=dir C:\\Temp\\", CEF + "a" * 100_000 + "\\", CEF + "k=v " * 20_000 + "\\"]
    first, *_ = written(tmp_path, *lines)
    assert (first["src"], first["msg"]) == ("1.2.3.4", "dir C:\\Temp\\")
    assert time.monotonic() - began < 5


def test_what_cef_does_not_name_is_kept_with_the_line(tmp_path):
    line = f"Nov 23 10:00:02 fw-2 vendor: {CEF}free text filePath=C:\\Temp\\ user=joe"
    (record,) = written(tmp_path, line)
    assert (record["line"], record["user"], record["host"]) == (line, "joe", "fw-2")
    assert record["filePath"] == "C:\\Temp\\"


def test_every_line_of_a_file_of_cef_is_a_record_of_its_own(tmp_path):
    head = "Nov 23 10:00:03 fw-2"
    lines = [f"{head} {CEF}act=pass", f"{head} sshd[12]: Failed password user=root", f"{head} vendor: {CEF}act=drop"]
    lines += [f"<134>1 {head} {CEF}act=a", f"<134>1 {CEF}act=b"]
    first, sshd, *others = written(tmp_path, *lines)
    assert first["act"] == "pass" and sshd == lines[1]
    assert [record["act"] for record in others] == ["drop", "a", "b"]


def test_a_file_of_syslog_without_a_year_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="lines that begin with a date and time"):
        written(tmp_path, "Nov 23 10:00:03 web sshd[12]: Failed password for root")


@pytest.mark.parametrize(
    "line",
    [
        "23-Nov-2026 10:00:00.123 client @0x7f 10.0.0.1#53: query",
        "[Mon Nov 23 10:00:00.123456 2026] [pid 1] AH00094: Command line",
        "23-Nov-2026 10:00:00.123 INFO [main] ContainerBase.[Catalina].[localhost].[/].log started",
    ],
)
def test_a_line_that_begins_with_a_time_keeps_it_without_a_form_of_its_own(tmp_path, line):
    (record,) = written(tmp_path, line)
    assert record["log"] in line and record["time"] in line


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    first, _ = written(tmp_path, f"\ufeff{CEF}act=pass", f"{CEF}act=drop")
    assert first["act"] == "pass"


def test_a_user_agent_may_end_in_a_backslash(tmp_path):
    line = (DATA / "lines" / "alb.log").read_text().splitlines()[0]
    agent = shlex.split(line)[13]
    assert written(tmp_path, line.replace(agent, "c\\"))[0]["user_agent"] == "c\\"


# -- docker compose ------------------------------------------------------------------------------------


def test_lines_of_compose_without_times_are_records_of_their_own(tmp_path):
    lines = [
        'web-1  | {"time":"2026-11-23T10:00:00Z","msg":"a"}',
        "web-1  | plain",
        "redis-1  | 1:M ready",
        "redis-1  | ok",
    ]
    assert [record["log"] for record in written(tmp_path, *lines)] == [
        '{"time":"2026-11-23T10:00:00Z","msg":"a"}', "1:M ready", "plain", "ok",
    ]  # fmt: skip


def test_a_trace_of_compose_is_bounded(tmp_path):
    lines = ["web-1  | 2026-11-23T10:00:00Z boom", *["web-1  |   at a"] * 2500]
    assert len(written(tmp_path, *lines)) > 1


def test_what_compose_says_itself_does_not_hide_its_lines(tmp_path):
    lines = ["Attaching to web-1", "web-1  | 2026-11-23T10:00:00Z a", "web-1  | 2026-11-23T10:00:01Z b"]
    first, *events = written(tmp_path, *lines)
    assert first == "Attaching to web-1" and [e["service"] for e in events] == ["web", "web"]


@pytest.mark.parametrize(
    "lines",
    [
        ["info | 2026-11-23T10:00:00Z | card refused"] * 2,
        ["payment | 2026-11-23T10:00:00Z | info | card refused"] * 2,
        ["info | 2026-11-23T10:00:00Z card refused"] * 2,
        ["foo | bar", "baz | qux", "x | 2026-11-23T10:00:00Z a"],
    ],
)
def test_a_table_with_bars_is_no_output_of_compose(tmp_path, lines):
    with pytest.raises(InputError):
        written(tmp_path, *lines)


def test_lines_of_loguru_behind_a_container_are_output_of_compose(tmp_path):
    (record,) = written(tmp_path, "web-1  | 2026-11-23 10:00:00.123 | INFO     | app:main:1 - hello")
    assert record["service"] == "web"


# -- how lines begin


JUL = "Nov 23, 2026 10:00:00 AM shop.Pay charge\nSEVERE: refused"
S3 = 'a1 shop [23/Nov/2026:10:00:00 +0000] 10.0.0.1 a1 3E REST.GET.OBJECT a.txt "GET /a HTTP/1.1" 404 NoSuchKey 1 - 7 -'
BEGINNINGS = {
    "ERROR 2026-11-23 10:00:00,123 [main] shop.Pay - refused": ("ERROR", "unknown", None),
    "[INFO] 2026-11-23 10:00:00 refused": ("INFO", "unknown", None),
    "WARN  [main] 2026-11-23 10:00:00,123 Pay.java:7 - refused": ("WARN", "unknown", None),
    "I, [2026-11-23T10:00:00.123456 #7]  INFO -- : refused": ("INFO", "unknown", None),
    "\x1b[2m2026-11-23T10:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m refused": ("ERROR", "unknown", "refused"),
    "2026.11.23 10:00:00.123456 [ 7 ] {} <Warning> Application: x": ("WARN", "unknown", None),
    "23 Nov 2026 10:00:00,123 ERROR shop.Pay:12 - refused": ("ERROR", "unknown", None),
    "[23-Nov-2026 10:00:00 UTC] PHP Warning:  refused": ("WARN", "unknown", None),
    "[23-Nov-2026 11:00:00 Europe/Berlin] PHP Fatal error:  refused": ("FATAL", "unknown", None),
    "1:M 23 Nov 2026 10:00:00.123 # refused": ("WARN", "unknown", "refused"),
    "[7] 2026/11/23 10:00:00.123456 [ERR] refused": ("ERROR", "unknown", None),
    "Mon 2026-11-23 10:00:00 UTC web-1 sshd[7]: refused": ("UNKNOWN", "unknown", None),
    "[Mon Nov 23 10:00:00 2026] usb 1-1: new device": ("UNKNOWN", "unknown", None),
    "Nov 23 2026 10:00:00 fw-1 : %ASA-6-302013: Built": ("UNKNOWN", "unknown", None),
    "20261123T100000.123Z ERROR refused": ("ERROR", "unknown", None),
    "1795428000.123    157 10.0.0.1 TCP_DENIED/403 1024 GET http://b/": ("UNKNOWN", "unknown", None),
    "1795428000: Error: refused": ("ERROR", "unknown", None),
    "[1795428000] SERVICE ALERT: web-1;HTTP;CRITICAL;SOFT;1;refused": ("UNKNOWN", "unknown", None),
    "[error] 2026-11-23T10:00:00.123456Z couchdb@h <0.1.0> -------- refused": ("ERROR", "unknown", None),
    "[2026-11-23T11:00:00:123+0100] 00000001 Pay  E refused": ("UNKNOWN", "unknown", None),
    "2026 Nov 23 10:00:00.123 sw1 %ETHPORT-3-IF_DOWN: refused": ("UNKNOWN", "unknown", None),
    "####<Nov 23, 2026 10:00:00 AM UTC> <Error> <Server> <refused>": ("ERROR", "unknown", None),
    "2026-11-23 11:00:00 +01 [7] LOG:  refused": ("INFO", "unknown", None),
    "2026-11-23 10:00:00 AM ERROR refused": ("ERROR", "unknown", None),
    "# Time: 2026-11-23T10:00:00.123456Z\n# Query_time: 2.0\nSELECT 1;": ("UNKNOWN", "unknown", None),
    JUL: ("FATAL", "shop.Pay", "refused"),
    JUL.replace(" AM", "\u202fAM"): ("FATAL", "shop.Pay", "refused"),
    S3: ("UNKNOWN", "unknown", None),
    "shop.example:443 10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1": ("UNKNOWN", "unknown", None),
    "10.0.0.1:5000 [23/Nov/2026:10:00:00.123] front back/s1 0/0/1/2/3 503 1": ("UNKNOWN", "unknown", None),
    "type=SYSCALL msg=audit(1795428000.123:7): arch=c000003e": ("UNKNOWN", "unknown", "arch=c000003e"),
    "2 123456789010 eni-1 10.0.0.1 10.0.0.2 1 22 6 20 42 1795428000 1795428060 REJECT OK": (
        "INFO", "unknown", "REJECT"),
    '2026-11-23T10:00:00.123456+00:00 app[web.1]: {"level":"error","msg":"refused"}': ("ERROR", "unknown", "refused"),
    "LEEF:2.0|Acme|Wall|1|41|^|src=10.0.0.1^sev=9^devTime=1795428000123^msg=a=b": ("FATAL", "Wall", "a=b"),
    "LEEF:1.0|Acme|Wall|1|41|sev=5\tdevTime=Nov 23 2026 10:00:00\tmsg=refused": ("WARN", "Wall", "refused"),
    'logger=pay t=2026-11-23T10:00:00.123Z level=eror msg="refused"': ("ERROR", "pay", "refused"),
    'date=2026-11-23 time=10:00:00 devname="fw1" level="warning" msg="denied"': ("WARN", "unknown", "denied"),
}  # fmt: skip


@pytest.mark.parametrize("line", BEGINNINGS)
@pytest.mark.parametrize("moved", [False, True], ids=["as it is", "moved"])
def test_a_line_is_typed_however_it_begins(tmp_path, line, moved):
    (tmp_path / "app.log").write_text(f"{line}\n", encoding="utf-8")
    (record,) = read(tmp_path / "app.log", READING, NOW if moved else None)
    (event,) = PARSER.parse_record(record.value, record.key, -1)
    level, service, message = BEGINNINGS[line]
    assert (event.level, event.service) == (level, service) and event.message in (message, event.message)
    assert message is None or event.message == message
    if moved:
        assert -SECOND < event.timestamp - NOW.timestamp() * SECOND <= 0
    else:
        assert 0 <= event.timestamp - MICROS < SECOND


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_example_of_a_form_is_one(tmp_path, form):
    assert next(each for each in FORMS if each.head.match(form.example.encode())) is form
    (tmp_path / "app.log").write_text(form.example)
    (record,) = read(tmp_path / "app.log", READING)
    assert 0 <= PARSER.parse(record.value, None, -1).timestamp - MICROS < SECOND


LEVELS = {
    "2026-11-23T10:00:00Z info: x": "INFO", "2026-11-23T10:00:00Z\terror\tx": "ERROR",
    "2026-11-23 10:00:00.1|WARN|a|x": "WARN",
    "2026-11-23 10:00:00, ERROR, x": "ERROR", "[2026-11-23 10:00:00.123][7][warning][config] x": "WARN",
    "[2026-11-23T10:00:00.123+0000][0.005s][info][gc] x": "INFO", "2026-11-23 10:00:00.1 I | etcdserver: x": "INFO",
    "2026-11-23 10:00:00.123  1702  2395 E Window: x": "ERROR", "23-Nov-2026 10:00:00.123 general: error: x": "ERROR",
    "2026-11-23 10:00:00,1 fail2ban.actions   [7]: NOTICE  [sshd] x": "INFO", "2026-11-23 10:00:00 0 [Note] x": "INFO",
    "2026-11-23 10:00:00,1 [myid:1] - INFO  [main] - x": "INFO", "2026-11-23T10:00:00Z fail: Shop.Pay[0]": "ERROR",
    "2026-11-23 10:00:00 UTC:10.0.0.1(5000):a@b:[42]:ERROR:  x": "ERROR", "2026-11-23T10:00:00.1Z ##[error]x": "ERROR",
    "2016-09-28 04:30:30, Info                  CBS    x": "INFO",
    "2026-11-23T10:00:00Z E! [outputs.kafka] x": "ERROR",
    "[2026-11-23 10:00:00] [Server thread/WARN]: x": "WARN",
    "[2026-11-23 10:00:00] NOTICE[12][C-1]: chan_sip.c:7 f: x": "INFO",
    "[2026-11-23 10:00:00 +0000] critical/ApiListener: x": "FATAL",
    "2026-11-23 10:00:00 no error: x": "UNKNOWN", "2026-11-23 10:00:00 error/retry of 7": "UNKNOWN",
    "2026-11-23 10:00:00 Error[7] in pay": "UNKNOWN", "2026-11-23 10:00:00 Error handling in pay": "UNKNOWN",
}  # fmt: skip


@pytest.mark.parametrize("line", LEVELS)
def test_a_level_is_found_behind_the_time(tmp_path, line):
    (tmp_path / "app.log").write_text(line)
    (record,) = read(tmp_path / "app.log", READING)
    assert PARSER.parse(record.value, None, -1).level == LEVELS[line]


def test_a_bracket_that_closes_behind_the_level_stays(tmp_path):
    (tmp_path / "app.log").write_text("[2026-11-23T10:00:00Z WARN  pay] x")
    (record,) = read(tmp_path / "app.log", READING)
    event = PARSER.parse(record.value, None, -1)
    assert (event.level, event.message) == ("WARN", "[2026-11-23T10:00:00Z WARN  pay] x")


def test_a_zone_that_is_several_is_no_utc(tmp_path):
    (tmp_path / "app.log").write_text("2026-11-23 10:00:00 CET [7] ERROR:  x\n")
    (record,) = read(tmp_path / "app.log", READING)
    assert PARSER.parse(record.value, None, -1).reason == "invalid_timestamp"


def test_a_banner_hides_no_lines(tmp_path):
    banner = [" :: Spring Boot ::", *["x"] * 20]
    first, event = written(tmp_path, *banner, "2026-11-23 10:00:00,123 ERROR refused")
    assert first == "\n".join(banner) and event["time"] == "2026-11-23 10:00:00,123"


def test_json_of_a_logger_among_text_is_a_record_of_its_own(tmp_path):
    text, logged = (
        "2026-11-23 10:00:00,123 ERROR answer:",
        {"time": "2026-11-23T10:00:00Z", "level": "info", "msg": "x"},
    )
    clef, payload = {"@t": "2026-11-23T10:00:00Z", "@mt": "x"}, '{"created":"2026-11-23","title":"x"}'
    found = written(tmp_path, text, payload, json.dumps(logged), "\tat a.B", json.dumps(clef), text)
    assert found == [
        {"log": f"{text}\n{payload}", "time": "2026-11-23 10:00:00,123"}, logged, "\tat a.B", clef,
        {"log": text, "time": "2026-11-23 10:00:00,123"},
    ]  # fmt: skip


def test_what_is_before_the_time_of_an_object_is_kept(tmp_path):
    line = '10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] {"level":"info"}'
    levelled = 'ERROR 2026-11-23 10:00:00 {"a":1}'
    assert [record["log"] for record in written(tmp_path, line, levelled)] == [line, levelled]


def test_a_braced_word_behind_a_time_is_no_object(tmp_path):
    line = "[2026-11-23T10:00:00.123+0000] {task.py:7} INFO - ok"
    assert written(tmp_path, line)[0]["log"] == line


def test_a_trace_of_a_text_is_bounded(tmp_path):
    assert len(written(tmp_path, "2026-11-23 10:00:00,123 ERROR x", *["\tat a.B"] * 2500)) == 3


def test_lines_of_pods_name_their_pod(tmp_path):
    lines = [
        "[pod/pay-7d9f8b6c5-x2x9k/app] 2026-11-23T10:00:00Z ERROR refused", "[pod/pay-7d9f8b6c5-x2x9k/app] \tat a.B",
        '[pod/cart-0/app] {"time":"2026-11-23T10:00:01Z","level":"info","msg":"ok"}',
    ]  # fmt: skip
    (tmp_path / "app.log").write_text("\n".join(lines))
    pay, cart = sorted(
        (PARSER.parse(r.value, None, -1) for r in read(tmp_path / "app.log", READING)), key=lambda e: e[1]
    )
    assert (pay.service, pay.level, pay.stack_trace) == ("pay", "ERROR", "\tat a.B")
    assert (cart.service, cart.message) == ("cart", "ok")


def test_an_access_log_of_a_pod_names_its_pod(tmp_path):
    line = '10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1'
    (record,) = written(tmp_path, f"[pod/web-0/nginx] {line}")
    assert (record["pod_name"], record["log"]) == ("web-0", line)


def test_tasks_of_a_swarm_name_service_and_node(tmp_path):
    (record, _) = written(tmp_path, *["shop_web.1.abc123@node-1    | 2026-11-23T10:00:00Z refused"] * 2)
    assert (record["service"], record["host"]) == ("shop_web", "node-1")


def test_a_key_that_occurs_thousands_of_times_costs_no_time(tmp_path):
    began = time.monotonic()
    (record,) = written(tmp_path, "ts=2026-11-23T10:00:00Z level=info msg=x" + " a=b" * 20_000)
    assert len(record) == 20_003 and time.monotonic() - began < 5
