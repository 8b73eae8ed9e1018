"""Each logger's record in each shipper's envelope: what it says is what it says alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.corpus import KAFKA_TIMESTAMP

from dualsink.events.parser import Event, parse, parse_record

T, ARRIVED = "2026-11-23T10:00:00.123Z", "2026-11-23T10:00:01Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
JAVA = "java.lang.IllegalStateException: pool empty\n\tat shop.Pool.take(Pool.java:41)"
PYTHON = 'Traceback (most recent call last):\n  File "pay.py", line 7, in charge\nValueError: no card'
NET = "System.InvalidOperationException: queue closed\n   at Shop.Queue.Push(Item i)"
FRAME = {"className": "a.B", "methodName": "c", "fileName": "B.java", "lineNumber": 1}

LOGGERS: dict[str, dict[str, Any]] = {
    "pino": {"level": 50, "time": 1795428000123, "pid": 1, "hostname": "pod-1", "msg": "x", "trace_id": TRACE,
             "err": {"stack": "Error: no card\n    at charge (a.js:7:1)"}},
    "zap": {"level": "error", "ts": 1795428000.123, "msg": "x", "stacktrace": "main.main\n\t/a.go:1"},
    "ECS": {"@timestamp": T, "log.level": "ERROR", "message": "x", "ecs.version": "1.2.0", "trace.id": TRACE,
            "error.stack_trace": JAVA},
    "ECS, nested": {"@timestamp": T, "log": {"level": "ERROR", "logger": "a"}, "message": "x",
                    "ecs": {"version": "1.2.0"}, "trace": {"id": TRACE}, "error": {"stack_trace": JAVA}},
    "CLEF": {"@t": T, "@mt": "x", "@l": "Error", "@x": NET, "@tr": TRACE},
    "CLEF without a level": {"@t": T, "@mt": "x", "@tr": TRACE},
    "Monolog": {"message": "x", "context": {"exception": {"class": "E", "trace": ["/a.php:7", "/b.php:1"]}},
                "level": 400, "level_name": "ERROR", "channel": "app", "datetime": T, "extra": {}},
    "logrus": {"level": "error", "msg": "x", "time": T, "trace_id": TRACE},
    "Serilog": {"Timestamp": T, "Level": "Error", "MessageTemplate": "x", "RenderedMessage": "x", "TraceId": TRACE,
                "Exception": NET, "Properties": {}},
    "Log4j 2": {"instant": {"epochSecond": 1795428000, "nanoOfSecond": 123000000}, "level": "ERROR", "message": "x",
                "loggerName": "a.B", "thrown": {"extendedStackTrace": JAVA}, "contextMap": {"trace_id": TRACE}},
    "Logback": {"timestamp": 1795428000123, "level": "ERROR", "threadName": "m", "loggerName": "a.B", "message": "x",
                "mdc": {"trace_id": TRACE}, "throwable": {"className": "E", "stepArray": [FRAME]}},
    "logstash-logback-encoder": {"@timestamp": T, "@version": "1", "message": "x", "logger_name": "a.B",
                                 "thread_name": "m", "level": "ERROR", "stack_trace": JAVA, "traceId": TRACE},
    "Rust": {"timestamp": T, "level": "ERROR", "fields": {"message": "x"}, "target": "p", "span": {"trace_id": TRACE}},
    "structlog": {"event": "x", "level": "error", "timestamp": T, "exception": PYTHON, "trace_id": TRACE},
    "GELF": {"version": "1.1", "short_message": "x", "timestamp": 1795428000.123, "level": 3, "host": "pod-1",
             "_error_stack_trace": JAVA, "_trace_id": TRACE},
    "Google": {"time": T, "severity": "ERROR", "message": "x",
               "logging.googleapis.com/trace": f"projects/p/traces/{TRACE}"},
    ".NET": {"Timestamp": T, "EventId": 7, "LogLevel": "Error", "Category": "Shop", "Message": "x", "Exception": NET,
             "Scopes": [{"TraceId": TRACE}]},
    "klog": {"ts": 1795428000123.0, "caller": "a.go:1", "msg": "x", "err": "m"},
    "our own": {"timestamp": T, "level": "ERROR", "service": "pay", "message": "x", "trace_id": TRACE},
}  # fmt: skip

POD = {"pod_name": "pay-7d9f8b6c5-x2x9k", "host": "node-3"}


def otlp(body: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1795428001000000000", "body": body}]}]}]}


LINES: dict[str, Callable[[str], Any]] = {
    "Docker": lambda s: {"log": s + "\n", "stream": "stderr", "time": ARRIVED},
    "Fluent Bit": lambda s: {"@timestamp": 1795428001.0, "log": s, "stream": "stderr", "kubernetes": POD},
    "Fluent Bit, CRI": lambda s: {"date": 1795428001.0, "log": f"{ARRIVED} stderr F {s}", "kubernetes": POD},
    "Filebeat": lambda s: {"@timestamp": ARRIVED, "message": s, "input": {"type": "container"}, "log": {"offset": 1},
                           "host": {"name": "f"}},
    "Vector": lambda s: {"message": s, "source_type": "docker_logs", "stream": "stderr", "timestamp": ARRIVED},
    "Vector, syslog": lambda s: {"appname": "app", "procid": "web.1", "facility": "user", "severity": "info",
                                 "timestamp": ARRIVED, "message": s},
    "Vector, journald": lambda s: {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "pay", "message": s, "timestamp": ARRIVED,
                                   "source_type": "journald"},
    "rsyslog": lambda s: {"@timestamp": ARRIVED, "host": "web-1", "severity": "info", "programname": "pay",
                          "message": s},
    "journald": lambda s: {"__REALTIME_TIMESTAMP": "1795428001000000", "PRIORITY": "6", "MESSAGE": s},
    "Docker, GELF": lambda s: {"version": "1.1", "host": "web-1", "short_message": s, "timestamp": 1795428001.0,
                               "level": 6, "_container_name": "pay"},
    "Logstash": lambda s: {"@timestamp": ARRIVED, "@version": "1", "message": s, "host": "web-1"},
    "Datadog Agent": lambda s: {"message": s, "status": "info", "timestamp": 1795428001000, "service": "pay",
                                "ddsource": "go"},
    "CloudWatch": lambda s: {"messageType": "DATA_MESSAGE", "logGroup": "g",
                             "logEvents": [{"id": "1", "timestamp": 1795428001000, "message": s}]},
    "FireLens": lambda s: {"container_id": "c", "container_name": "pay", "log": s, "source": "stdout"},
    "Azure Kubernetes": lambda s: {"TimeGenerated": ARRIVED, "PodName": "pay-0", "LogMessage": s,
                                   "LogSource": "stderr"},
    "Azure": lambda s: {"records": [{"time": ARRIVED, "resourceId": "/S/KUBE", "category": "kube",
                                     "properties": {"log": s, "pod": "pay-1"}}]},
    "Google Cloud": lambda s: {"insertId": "a", "textPayload": s, "timestamp": ARRIVED, "severity": "DEFAULT"},
    "Splunk": lambda s: {"time": 1795428001.0, "sourcetype": "app", "event": s},
    "Docker, Splunk": lambda s: {"time": "1795428001.0", "source": "a",
                                 "event": {"line": s, "source": "stdout", "tag": "pay"}},
    "Promtail": lambda s: {"timestamp": ARRIVED, "labels": {"app": "pay"}, "line": s},
    "OTLP": lambda s: otlp({"stringValue": s}),
    "CloudEvents": lambda s: {"specversion": "1.0", "source": "/pay", "time": ARRIVED, "data": s},
    "Kafka Connect": lambda s: {"schema": {"type": "string"}, "payload": s},
}  # fmt: skip

OBJECTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "CloudEvents": lambda r: {"specversion": "1.0", "source": "/pay", "time": ARRIVED, "data": r},
    "Kafka Connect": lambda r: {"schema": {"type": "struct"}, "payload": r},
    "Splunk": lambda r: {"time": 1795428001.0, "sourcetype": "app", "event": r},
    "Docker, Splunk": lambda r: {"time": "1795428001.0", "source": "a", "event": {"line": r, "tag": "pay"}},
    "Google Cloud": lambda r: {"insertId": "a", "jsonPayload": r, "timestamp": ARRIVED, "severity": "DEFAULT"},
    "Lambda": lambda r: {"time": ARRIVED, "type": "function", "record": r},
    "Merge_Log_Key": lambda r: {"@timestamp": ARRIVED, "log_processed": r, "log": json.dumps(r), "kubernetes": POD},
    "Merge_Log_Key of a user": lambda r: {"@timestamp": ARRIVED, "app_log": r, "kubernetes": POD},
    "Filebeat": lambda r: {"@timestamp": ARRIVED, "json": r, "log": {"offset": 1}, "host": {"name": "web-1"}},
    "OpenShift": lambda r: {"@timestamp": ARRIVED, "level": "default", "structured": r, "openshift": {}},
    "log": lambda r: {"@timestamp": ARRIVED, "log": r, "stream": "stdout", "kubernetes": POD},
    "message": lambda r: {"@timestamp": ARRIVED, "message": r, "kubernetes": POD},
    "event": lambda r: {"@timestamp": ARRIVED, "event": r},
    "array": lambda r: [r],
}  # fmt: skip


def said(event: Event) -> tuple[Any, ...]:
    return (event.timestamp, event.level, event.message, event.trace_id, event.stack_trace)


def alone(logger: str) -> Event:
    event = parse(json.dumps(LOGGERS[logger]).encode(), None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    return event


@pytest.mark.parametrize("envelope", LINES)
@pytest.mark.parametrize("logger", LOGGERS)
def test_a_record_in_a_line_says_what_it_says_alone(logger, envelope):
    value = LINES[envelope](json.dumps(LOGGERS[logger]))
    (event,) = parse_record(json.dumps(value).encode(), None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert said(event) == said(alone(logger))


@pytest.mark.parametrize("envelope", OBJECTS)
@pytest.mark.parametrize("logger", LOGGERS)
def test_a_record_in_an_object_says_what_it_says_alone(logger, envelope):
    (event,) = parse_record(json.dumps(OBJECTS[envelope](LOGGERS[logger])).encode(), None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert said(event) == said(alone(logger))


@pytest.mark.parametrize("envelope", LINES)
def test_an_exception_without_a_message_is_an_event(envelope):
    line = json.dumps({"time": T, "level": "error", "exception": PYTHON})
    (event,) = parse_record(json.dumps(LINES[envelope](line)).encode(), None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert (event.level, event.message, event.stack_trace) == ("ERROR", "ValueError: no card", PYTHON)


@pytest.mark.parametrize("envelope", ["Vector, syslog", "rsyslog", "Docker, GELF", "journald", "Datadog Agent"])
def test_a_text_that_somebody_has_read_keeps_its_level(envelope):
    event = parse(json.dumps(LINES[envelope]("ERROR card refused")).encode(), None, KAFKA_TIMESTAMP)
    assert isinstance(event, Event), event
    assert (event.level, event.message) == ("INFO", "ERROR card refused")
