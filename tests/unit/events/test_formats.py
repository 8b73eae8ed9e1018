"""One test or more for every input shape, with records as their senders write them."""

import json

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP, MICROS, T

from dualsink.events.otel import plain_attributes, plain_value
from dualsink.events.parser import Event, parse
from dualsink.events.readers import service_name
from dualsink.events.text import ids_in_text, split_stack_trace


def typed(fields: dict, key: bytes | None = b"key") -> Event:
    outcome = parse(json.dumps(fields).encode(), key, KAFKA_TIMESTAMP)
    assert isinstance(outcome, Event), outcome
    return outcome


def attributes(event: Event) -> dict:
    return json.loads(event.attributes) if event.attributes else {}


def line(text: str, **more) -> Event:
    return typed({"log": text, "stream": "stdout", "time": T} | more)


# -- OpenTelemetry


def test_otlp_envelope_with_resource_scope_and_typed_values():
    value = [{"key": "http.status", "value": {"intValue": "500"}}, {"key": "ok", "value": {"boolValue": False}}]
    trace = {"key": "exception.stacktrace", "value": {"stringValue": "E\n\tat x"}}
    log = {
        "timeUnixNano": str(MICROS * 1_000), "observedTimeUnixNano": "1795428000000000002", "severityNumber": 17,
        "severityText": "Error", "body": {"stringValue": "m"}, "attributes": [*value, trace], "traceId": "aa",
        "spanId": "bb", "flags": 1,
    }  # fmt: skip
    names = {"service.name": "s", "host.name": "h", "os.type": "linux"}
    origin = [{"key": name, "value": {"stringValue": text}} for name, text in names.items()]
    scopes = [{"scope": {"name": "lib"}, "logRecords": [log], "schemaUrl": "u"}]
    event = typed({"resourceLogs": [{"resource": {"attributes": origin}, "scopeLogs": scopes}]})
    assert event[:9] == (None, MICROS, "ERROR", "s", "h", "m", "E\n\tat x", "aa", "bb")
    assert attributes(event) == {
        "http.status": 500, "ok": False, "flags": 1, "scope": {"name": "lib"}, "resource": {"os.type": "linux"},
        "observedTimeUnixNano": "1795428000000000002", "resourceLogs": [{"scopeLogs": [{"schemaUrl": "u"}]}],
    }  # fmt: skip


def test_sdk_record_with_plain_values():
    event = typed({"body": "m", "severity_text": "WARN", "severity_number": 13, "timestamp": T, "trace_id": "0xaa",
                   "resource": {"attributes": {"service.name": "s"}}, "attributes": {"x": 1}})  # fmt: skip
    assert (event.level, event.service, event.trace_id, attributes(event)) == ("WARN", "s", "0xaa", {"x": 1})


def test_resource_attributes_may_stand_beside_the_record():
    event = typed({"timeUnixNano": 1_795_428_000_000_000_000, "body": {"stringValue": "m"}, "severityText": "debug",
                   "resourceAttributes": {"service.name": "s", "host.name": "h"}})  # fmt: skip
    assert (event.timestamp, event.level, event.service, event.host) == (MICROS, "DEBUG", "s", "h")


def test_the_observed_time_stands_in_for_a_missing_time():
    event = typed({"timeUnixNano": "0", "observedTimeUnixNano": str(MICROS * 1_000), "body": {"stringValue": "m"}})
    assert event.timestamp == MICROS


def test_the_records_own_trace_id_wins_over_an_attribute():
    event = typed({"timeUnixNano": str(MICROS * 1_000), "body": {"stringValue": "m"}, "traceId": "own",
                   "attributes": [{"key": "trace_id", "value": {"stringValue": "other"}}]})  # fmt: skip
    assert (event.trace_id, attributes(event)) == ("own", {"trace_id": "other"})


def test_a_severity_text_that_says_something_else_is_kept():
    event = typed({"timeUnixNano": str(MICROS * 1_000), "body": {"stringValue": "m"}, "severityNumber": 9,
                   "severityText": "Audit"})  # fmt: skip
    assert (event.level, attributes(event)) == ("INFO", {"severityText": "Audit"})


def test_typed_values_become_plain_json():
    value = {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [{"doubleValue": 1.5}]}}}]}}
    assert plain_value(value) == {"a": [1.5]}


def test_a_list_with_a_key_twice_stays_a_list():
    pairs = [{"key": "a", "value": {"stringValue": "x"}}, {"key": "a", "value": {"stringValue": "y"}}]
    assert plain_attributes(pairs) == pairs


# -- ECS and logstash


@pytest.mark.parametrize("nested", [True, False])
def test_ecs_dotted_and_nested(nested):
    dotted = {"log.level": "warn", "service.name": "s", "host.name": "h", "error.stack_trace": "E", "trace.id": "t",
              "span.id": "p", "event.id": "7", "log.logger": "c.e.Foo"}  # fmt: skip
    fields: dict = {"@timestamp": T, "message": "m", "ecs.version": "1.2.0"}
    for name, value in dotted.items():
        parent, child = name.split(".")
        fields |= {parent: fields.get(parent, {}) | {child: value}} if nested else {name: value}
    event = typed(fields)
    assert event[:9] == ("7", MICROS, "WARN", "s", "h", "m", "E", "t", "p")
    rest = {"log": {"logger": "c.e.Foo"}} if nested else {"log.logger": "c.e.Foo"}
    assert attributes(event) == {"ecs.version": "1.2.0"} | rest


def test_logstash_logback_encoder_keeps_mdc_fields():
    event = typed({"@timestamp": "2026-11-23T11:00:00.000+01:00", "@version": "1", "message": "m", "level": "ERROR",
                   "logger_name": "c.e.Foo", "thread_name": "main", "level_value": 40000, "stack_trace": "E\n\tat x",
                   "traceId": "t", "userId": "42"})  # fmt: skip
    assert event[1:9] == (MICROS, "ERROR", "key", None, "m", "E\n\tat x", "t", None)
    assert attributes(event) == {
        "@version": "1", "logger_name": "c.e.Foo", "thread_name": "main", "level_value": 40000, "userId": "42",
        "timestamp_original": "2026-11-23T11:00:00.000+01:00",
    }  # fmt: skip


def test_a_logger_class_names_the_service_only_when_nothing_else_does():
    fields = {"@timestamp": T, "message": "m", "logger_name": "c.e.Foo"}
    assert typed(fields, None).service == "c.e.Foo"
    assert typed(fields | {"app": "a"}, None).service == "a"


def test_a_logger_field_gives_way_to_a_service_and_is_kept():
    event = typed({"time": T, "msg": "m", "logger": "worker", "service": "s"})
    assert (event.service, attributes(event)) == ("s", {"logger": "worker"})
    assert typed({"time": T, "msg": "m", "logger": "worker"}).service == "worker"


# -- containers


def test_fluent_bit_record_with_pod_and_node():
    kubernetes = {"pod_name": "ts-user-service-687d654649-lrcwv", "container_name": "server", "host": "10.0.0.1"}
    text = "16:51:24.967 INFO  u.c.UserController#48 TraceID: 2f182d58875095cc SpanID: 547f5d87b5271a25 [get] x\n"
    event = line(text, kubernetes=kubernetes)
    assert event[1:9] == (
        MICROS, "INFO", "ts-user-service", "10.0.0.1", "TraceID: 2f182d58875095cc SpanID: 547f5d87b5271a25 [get] x",
        None, "2f182d58875095cc", "547f5d87b5271a25",
    )  # fmt: skip
    assert attributes(event) == {
        "logger": "u.c.UserController#48", "stream": "stdout", "log_time": "16:51:24.967",
        "kubernetes": {"pod_name": "ts-user-service-687d654649-lrcwv", "container_name": "server"},
    }  # fmt: skip


def test_flat_pod_columns():
    event = line("m\n", PodName="adservice-5f6585d649-fnmft", Node="n", Container="server", TraceID="t", SpanID="s")
    assert event[3:9] == ("adservice", "n", "m", None, "t", "s")
    assert attributes(event) == {"stream": "stdout", "PodName": "adservice-5f6585d649-fnmft", "Container": "server"}


def test_the_node_is_the_host_and_the_pods_hostname_is_kept():
    event = line('{"msg":"m","hostname":"pod-1","pid":1}', kubernetes={"host": "node-1"})
    assert (event.host, attributes(event)) == ("node-1", {"hostname": "pod-1", "pid": 1, "stream": "stdout"})


def test_an_inner_time_with_a_zone_wins():
    event = line('{"time":"2026-11-23T09:00:00Z","severity":"err","message":"m"}')
    assert (event.timestamp, event.level) == (MICROS - 3_600_000_000, "ERROR")
    assert attributes(event) == {"stream": "stdout", "time": T}


@pytest.mark.parametrize("time", ["2026-11-23 09:00:00", "09:00:00", "soon"])
def test_an_inner_time_that_cannot_be_trusted_gives_way_and_is_kept(time):
    event = line(json.dumps({"ts": time, "msg": "m"}))
    assert (event.timestamp, attributes(event)["log_time"]) == (MICROS, time)


def test_an_inner_local_date_is_better_than_nothing():
    assert typed({"log": '{"ts":"2026-11-23 10:00:00","msg":"m"}', "stream": "stdout"}).timestamp == MICROS


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2026-11-23", "10:00"),
        ("2026-11-23", "10:00:00Z"),
        ("2026-11-23", "11:00:00+01:00"),
        ("2026-11-23", "11:00:00,0 +0100"),
        ("20261123", "100000"),
        ("20261123", "1000"),
    ],
)
def test_a_date_and_a_clock_time_in_two_fields_are_a_time(date, time):
    assert typed({"date": date, "time": time, "message": "m"}).timestamp == MICROS


def test_an_inner_id_wins_and_a_different_outer_one_is_kept():
    event = line('{"msg":"m","trace_id":"inner"}', TraceID="outer")
    assert (event.trace_id, attributes(event)) == ("inner", {"container_trace_id": "outer", "stream": "stdout"})


def test_the_head_of_a_line_without_ids_leaves_those_of_its_envelope():
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    event = line("16:51:24.967 INFO  a.B#1 paid\n", trace_id=trace, span_id=span)
    assert (event.message, event.trace_id, event.span_id) == ("paid", trace, span)
    assert "container_trace_id" not in attributes(event)


def test_a_header_as_long_as_an_id_is_read_as_a_header():
    event = typed(
        {"timestamp": T, "level": "INFO", "service": "s", "message": "m", "trace_id": f"Root=1-{'0' * 8}-{'a' * 16}"}
    )
    assert event.trace_id == f"1-{'0' * 8}-{'a' * 16}"


def test_inner_and_outer_fields_of_one_name_are_both_kept():
    assert attributes(line('{"msg":"m","stream":"x"}')) == {"stream": "x", "_stream": "stdout"}


def test_an_inner_shape_of_any_kind_is_recognised():
    inner = {"@timestamp": T, "log": {"level": "warn"}, "service": {"name": "s"}, "message": "m"}
    assert line(json.dumps(inner))[1:6] == (MICROS, "WARN", "s", None, "m")


@pytest.mark.parametrize(
    ("text", "level", "message", "kept"),
    [
        ("2026-11-23 09:00:00.967  INFO 1 --- [nio-exec-1] c.e.Foo  : Started Foo", "INFO", "Started Foo",
         {"thread": "nio-exec-1", "pid": "1", "logger": "c.e.Foo"}),
        ("16:51:24.967 [main] WARN  c.e.Foo - a - b", "WARN", "a - b", {"thread": "main", "logger": "c.e.Foo"}),
        ("16:51:24,967 ERROR [main] c.e.Foo - a", "ERROR", "a", {"thread": "main", "logger": "c.e.Foo"}),
        ("16:51:24.967 INFO  - a", "INFO", "a", {}),
        ("16:51:24.967 INFO Started - ok", "INFO", "Started - ok", {}),
        ("16:51:24.967 INFO [check] a", "INFO", "[check] a", {}),
        ("16:51:24.967 INFO a.b.C#48 [check] a", "INFO", "[check] a", {"logger": "a.b.C#48"}),
        ("2026-11-23 09:00:00,967 - app.mod - WARNING - a", "WARN", "a", {"logger": "app.mod"}),
        ("[2026-11-23 09:00:00] ERROR a", "ERROR", "a", {}),
        ("10:00:00 nothing known", "UNKNOWN", "10:00:00 nothing known", {}),
    ],
)  # fmt: skip
def test_headers_of_log_lines_are_taken_apart(text, level, message, kept):
    event = line(text)
    rest = {k: v for k, v in attributes(event).items() if k not in ("stream", "log_time")}
    assert (event.level, event.message, rest) == (level, message, kept)


def test_spring_cloud_sleuth_gives_trace_and_span():
    event = line("2026-11-23 09:00:00.967  INFO [app,5d1a2b3c4d5e6f70,0d1a2b3c4d5e6f70,true] 1 --- [t] c.e.Foo : m")
    assert (event.trace_id, event.span_id, event.message) == ("5d1a2b3c4d5e6f70", "0d1a2b3c4d5e6f70", "m")
    assert attributes(event)["correlation"] == "app,5d1a2b3c4d5e6f70,0d1a2b3c4d5e6f70,true"


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ERROR: disk full", "ERROR"), ("[warn] x", "WARN"), ("info: x", "INFO"), ("a level=debug b", "DEBUG"),
        ("\x1b[32mINFO\x1b[0m x", "INFO"), ("E1123 10:00:00.000000 1 f.go:1] x", "ERROR"), ("Error in x", "UNKNOWN"),
        ("INFORMATIVE text", "UNKNOWN"), ("Fine, thanks", "UNKNOWN"),
        ('{"level":"error","msg":"cut', "ERROR"), ('{"msg":"x","log.level":"WARN","score":NaN}', "WARN"),
        ('{"level":{"a":1},"msg":"cut', "UNKNOWN"),
    ],
)  # fmt: skip
def test_a_leading_level_word_is_read_and_stays_in_the_text(text, level):
    assert (line(text).level, line(text).message) == (level, text)


def test_a_java_stack_trace_is_cut_off_the_line():
    trace = "java.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)\nCaused by: x\n\t... 3 more"
    event = line(f"16:51:24.967 ERROR c.e.Foo - failed\n{trace}\n")
    assert (event.message, event.stack_trace) == ("failed", trace)


def test_a_python_traceback_is_cut_off_the_line():
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x'
    assert split_stack_trace(f"failed\nsecond line\n{trace}") == ("failed\nsecond line", trace)


def test_lines_without_a_trace_stay_whole():
    assert split_stack_trace("first\n  second\nthird") == ("first\n  second\nthird", None)


@pytest.mark.parametrize(
    ("pod", "service"),
    [
        ("ts-user-service-687d654649-lrcwv", "ts-user-service"), ("paymentservice-9cdb6588f-554sm", "paymentservice"),
        ("fluentd-x7k2p", "fluentd"), ("kafka-0", "kafka"), ("backup-28473920-x7k2p", "backup"), ("redis", "redis"),
        ("my-nginx", "my-nginx"), ("api-v2", "api-v2"), ("-0", "-0"),
    ],
)  # fmt: skip
def test_a_pods_name_loses_its_generated_suffixes(pod, service):
    assert service_name(pod) == service


@pytest.mark.parametrize(
    "text",
    ["TraceID: 0123456789abcdef SpanID: 89abcdef", "trace_id=0123456789abcdef span_id=89abcdef x",
     '{"traceId":"0123456789abcdef","spanId":"89abcdef"}', "[trace.id=0123456789abcdef, span.id=89abcdef]"],
)  # fmt: skip
def test_ids_are_found_in_messages(text):
    assert ids_in_text(text) == ("0123456789abcdef", "89abcdef")
