"""Named malformed, hostile and odd Kafka records, and what the parser must make of each.

`expect` is a refusal's reason, or the fields that the typed event must have. An expected `attributes` is the object
that the JSON text must hold, `has` names attributes that must be there. The times hold for any Kafka clock between
2026 and 2190, so the same records can be sent to a real broker.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

KAFKA_TIMESTAMP = 1_795_478_400_000_000
"""2026-11-24T00:00:00Z in microseconds: when the corpus is received."""

T = "2026-11-23T10:00:00Z"
MICROS = 1_795_428_000_000_000
"""`T` in microseconds."""


class Case(NamedTuple):
    """A record; `value` may be a function where it is large."""

    name: str
    value: bytes | None | Callable[[], bytes]
    key: bytes | None
    expect: dict[str, Any] | str

    @property
    def payload(self) -> bytes | None:
        """The record's value."""
        return self.value() if callable(self.value) else self.value


def unexpected(case: Case, event: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a typed event (timestamp in µs) that are not what the case expects; empty where all are."""
    wanted = dict(case.expect)
    attributes = json.loads(event["attributes"]) if event["attributes"] else None
    found = {name: attributes if name == "attributes" else event[name] for name in wanted if name != "has"}
    missing = set(wanted.pop("has", ())) - set(attributes or ())
    return {name: value for name, value in found.items() if value != wanted[name]} | dict.fromkeys(missing)


def record(**fields: Any) -> bytes:
    """A valid record of the seed's shape with fields changed; `...` takes one out."""
    whole = {"log_id": "log_000001", "timestamp": T, "level": "INFO", "service": "shop", "host": "h1", "message": "m"}
    return json.dumps({k: v for k, v in (whole | fields).items() if v is not ...}, ensure_ascii=False).encode()


def raw(text: str) -> bytes:
    """A valid record with raw JSON text added at the end."""
    return record()[:-1] + b", " + text.encode() + b"}"


def case(name: str, value: Any, expect: Any, key: bytes | None = b"shop") -> Case:
    """A case; a dict as value becomes JSON."""
    return Case(name, json.dumps(value).encode() if isinstance(value, dict) else value, key, expect)


def _not_json() -> list[Case]:
    good = record()
    return [
        case("null value", None, "null_value"),
        case("null value and null key", None, "null_value", None),
        case("empty value", b"", "empty_value"),
        case("spaces only", b"   ", "empty_value"),
        case("newline only", b"\n", "empty_value"),
        case("byte order mark only", b"\xef\xbb\xbf", "empty_value"),
        case("one NUL byte", b"\x00", "invalid_json"),
        case("a word", b"hello", "invalid_json"),
        case("plain log line", b"2026-11-23 10:00:00 INFO started", "invalid_json"),
        case("opening brace", b"{", "invalid_json"),
        case("closing brace", b"}", "invalid_json"),
        case("truncated in a string", good[:-10], "invalid_json"),
        case("truncated before the brace", good[:-1], "invalid_json"),
        case("truncated after a colon", b'{"timestamp":', "invalid_json"),
        case("truncated escape", b'{"message":"a\\', "invalid_json"),
        case("trailing word", good + b" x", "invalid_json"),
        case("trailing brace", good + b"}", "invalid_json"),
        case("two objects", good + good, "invalid_json"),
        case("two objects on two lines", good + b"\n" + good, "invalid_json"),
        case("trailing comma", good[:-1] + b",}", "invalid_json"),
        case("trailing NUL", good + b"\x00", "invalid_json"),
        case("single quotes", good.replace(b'"', b"'"), "invalid_json"),
        case("unquoted key", b"{timestamp: 1}", "invalid_json"),
        case("comment", b"// x\n" + good, "invalid_json"),
        case("missing comma", b'{"a":1 "b":2}', "invalid_json"),
        case("NaN", raw('"x": NaN'), "invalid_json"),
        case("Infinity", raw('"x": Infinity'), "invalid_json"),
        case("minus Infinity", raw('"x": -Infinity'), "invalid_json"),
        case("NaN as message", b'{"timestamp":"%s","message":NaN}' % T.encode(), "invalid_json"),
        case("Python literals", b"{'a': None, 'b': True}", "invalid_json"),
        case("leading zero", raw('"x": 01'), "invalid_json"),
        case("plus sign", raw('"x": +1'), "invalid_json"),
        case("hexadecimal number", raw('"x": 0x1F'), "invalid_json"),
        case("raw newline in a string", good.replace(b'"m"', b'"a\nb"'), "invalid_json"),
        case("raw tab in a string", good.replace(b'"m"', b'"a\tb"'), "invalid_json"),
        case("raw NUL in a string", good.replace(b'"m"', b'"a\x00b"'), "invalid_json"),
        case("unknown escape", good.replace(b'"m"', b'"\\q"'), "invalid_json"),
        case("short unicode escape", good.replace(b'"m"', b'"\\u12"'), "invalid_json"),
        case("form feed between tokens", good.replace(b", ", b",\x0c"), "invalid_json"),
        case("no-break space between tokens", good.replace(b", ", b",\xc2\xa0"), "invalid_json"),
        case("XML", b"<event/>", "invalid_json"),
        case("Avro with schema id", b"\x00\x00\x00\x00\x07\x02a", "invalid_json"),
        case("gzip bytes", b"\x1f\x8b\x08\x00\x00\x00", "invalid_utf8"),
        case("Latin-1 umlaut", good.replace(b'"m"', b'"\xfc"'), "invalid_utf8"),
        case("cut multi-byte character", good.replace(b'"m"', b'"\xe2\x82"'), "invalid_utf8"),
        case("overlong encoding", good.replace(b'"m"', b'"\xc0\xaf"'), "invalid_utf8"),
        case("surrogate as bytes", good.replace(b'"m"', b'"\xed\xa0\x80"'), "invalid_utf8"),
        case("beyond Unicode", good.replace(b'"m"', b'"\xf4\x90\x80\x80"'), "invalid_utf8"),
        case("invalid byte in a key", raw('"x": 1').replace(b'"x"', b'"\xff"'), "invalid_utf8"),
        case("UTF-16 with mark", good.decode().encode("utf-16"), "invalid_utf8"),
        case("UTF-16 big endian", good.decode().encode("utf-16-be"), "invalid_json"),
        case("UTF-32", good.decode().encode("utf-32-le"), "invalid_json"),
        case("lone high surrogate", record(message=...)[:-1] + b',"message":"\\ud83d"}', "invalid_unicode"),
        case("lone low surrogate", record(message=...)[:-1] + b',"message":"\\ude00 x"}', "invalid_unicode"),
        case("swapped surrogates", raw('"x": "\\ude00\\ud83d"'), "invalid_unicode"),
        case("lone surrogate in a key", raw('"\\ud800": 1'), "invalid_unicode"),
        case("lone surrogate deep inside", raw('"x": [{"y": ["\\udfff"]}]'), "invalid_unicode"),
        case("number beyond float64", raw('"x": 1e999'), "number_out_of_range"),
        case("400 digits", raw('"x": ' + "9" * 400), "number_out_of_range"),
        case("10,000 digits", raw('"x": ' + "9" * 10_000), "number_out_of_range"),
    ]


def _not_one_object() -> list[Case]:
    return [
        case("null", b"null", "not_an_object"),
        case("true", b"true", "not_an_object"),
        case("number", b"42", "not_an_object"),
        case("string", b'"hello"', "not_an_object"),
        case("string that holds JSON", json.dumps(record().decode()).encode(), "not_an_object"),
        case("empty array", b"[]", "not_an_object"),
        case("array of an event", b"[" + record() + b"]", {"message": "m"}),
        case("array of two events", b"[" + record() + b"," + record() + b"]", "multiple_records"),
        case("array of numbers", b"[1, 2]", "not_an_object"),
        case("array of 70 levels", b"[" * 70 + b"]" * 70, "too_deep"),
        case("duplicate key at the top", raw('"level": "WARN"'), "duplicate_key"),
        case("duplicate key with equal values", raw('"level": "INFO"'), "duplicate_key"),
        case("duplicate unknown key", raw('"x": 1, "x": 2'), "duplicate_key"),
        case("duplicate key in an object", raw('"x": {"y": 1, "y": 1}'), "duplicate_key"),
        case("duplicate key in an array", raw('"x": [[{"y": 1, "y": 2}]]'), "duplicate_key"),
        case("duplicate empty key", raw('"": 1, "": 2'), "duplicate_key"),
        case("duplicate key by escape", raw('"x": 1, "\\u0078": 2'), "duplicate_key"),
        case("duplicate key behind escaped quotes", raw('"x": "\\u0022\\u0022", "y": 1, "y": 2'), "duplicate_key"),
        case("duplicate key with null", raw('"stack_trace": null, "stack_trace": null'), "duplicate_key"),
        case("duplicate key and backslashes", raw('"x": "\\\\", "x": "\\""'), "duplicate_key"),
        case("duplicate key whose object is empty", raw('"x": {}, "x": []'), "duplicate_key"),
        case("duplicate message, canonical only", record(message="a\\").replace(b"}", b',"message":"b"}'),
             "duplicate_key"),
        case("64 levels", raw('"x": ' + "[" * 63 + "]" * 63), {"message": "m"}),
        case("65 levels", raw('"x": ' + "[" * 64 + "]" * 64), "too_deep"),
        case("65 levels of objects", raw('"x": ' + '{"a":' * 64 + "1" + "}" * 64), "too_deep"),
        case("many brackets side by side", raw('"x": [' + ",".join(["[]"] * 500) + "]"), {"message": "m"}),
        case("many brackets in a string", record(message="[{" * 5_000), {"message": "[{" * 5_000}),
        case("1,000 levels", raw('"x": ' + "[" * 1_000 + "]" * 1_000), "too_deep"),
        case("5,000 levels", raw('"x": ' + "[" * 5_000 + "]" * 5_000), "too_deep"),
        case("200,000 levels", lambda: b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "too_deep"),
        case("200,000 brackets never closed", lambda: b"[" * 200_000, "too_deep"),
    ]  # fmt: skip


def _missing_and_wrong() -> list[Case]:
    wrong = [("an object", {"a": 1}), ("an empty object", {}), ("an array", ["a"]), ("an empty array", [])]
    names = ("log_id", "timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id")
    return [
        case("empty object", b"{}", "missing_timestamp"),
        case("empty object with spaces", b" { } \n", "missing_timestamp"),
        case("message only", {"message": "m"}, "missing_timestamp"),
        case("timestamp only", {"timestamp": T}, "missing_message"),
        case("no timestamp", record(timestamp=...), "missing_timestamp"),
        case("null timestamp", record(timestamp=None), "missing_timestamp"),
        case("empty timestamp", record(timestamp=""), "missing_timestamp"),
        case("no message", record(message=...), "missing_message"),
        case("null message", record(message=None), "missing_message"),
        case("empty message", record(message=""), "missing_message"),
        case("blank message is text", record(message=" "), {"message": " "}),
        case("null everything", {name: None for name in names}, "missing_timestamp"),
        case("unknown fields only", {"a": 1, "b": {"c": []}}, "missing_timestamp"),
        case("message is zero", record(message=0), {"message": "0"}),
        case("message is a number", record(message=42), {"message": "42"}),
        case("message is a float", record(message=1.5), {"message": "1.5"}),
        case("message is true", record(message=True), {"message": "true"}),
        case("message is false", record(message=False), {"message": "false"}),
        case("message is a number with an exponent", b'{"timestamp":"%s","message":1e5}' % T.encode(),
             {"message": "1e5"}),
        case("host is a number", record(host=17), {"host": "17"}),
        case("service is a number", record(service=0), {"service": "0"}),
        case("log_id is a big number", b'{"timestamp":"%s","message":"m","log_id":123456789012345678901}' % T.encode(),
             {"log_id": "123456789012345678901"}),
        case("timestamp is true", record(timestamp=True), "wrong_type"),
        case("level is true", record(level=True), {"level": "UNKNOWN", "attributes": {"level_original": True}}),
        *[case(f"{name} is {what}", record(**{name: value}), "wrong_type") for name in names for what, value in wrong],
        case("no level", record(level=...), {"level": "UNKNOWN"}),
        case("null level", record(level=None), {"level": "UNKNOWN"}),
        case("empty level", record(level=""), {"level": "UNKNOWN", "attributes": None}),
        case("no service takes the key", record(service=...), {"service": "shop"}),
        case("no service, no key", record(service=...), {"service": "unknown"}, None),
        case("no service, empty key", record(service=...), {"service": "unknown"}, b""),
        case("no service, key is no UTF-8", record(service=...), {"service": "unknown"}, b"\xff\xfe"),
        case("no service, key with a NUL", record(service=...), {"service": "unknown"}, b"a\x00b"),
        case("no service, very long key", record(service=...), {"service": "unknown"}, b"k" * 100_000),
        case("service and very long key", record(), {"service": "shop"}, b"k" * 100_000),
        case("empty stack trace", record(stack_trace=""), {"stack_trace": None, "attributes": None}),
        case("stack trace kept", record(stack_trace="E: x\n\tat a.B\n"), {"stack_trace": "E: x\n\tat a.B\n"}),
    ]  # fmt: skip


def _lengths() -> list[Case]:
    names = ("log_id", "service", "host", "trace_id", "span_id", "level")
    return [
        *[case(f"{name} of 1,001 characters", record(**{name: "x" * 1_001}), "field_too_long") for name in names],
        *[case(f"{name} of 1,000 characters", record(**{name: "é" * 1_000}), {name: "é" * 1_000})
          for name in names[:5]],
        case("20 MB message", lambda: record(message="x" * 20_000_000), {"message": "x" * 20_000_000}),
        case("2 MB stack trace", lambda: record(stack_trace="at\n" * 700_000), {"stack_trace": "at\n" * 700_000}),
        case("20 MB truncated", lambda: record(message="x" * 20_000_000)[:-1], "invalid_json"),
        case("20 MB attribute", lambda: record(x="y" * 20_000_000), {"message": "m", "has": ["x"]}),
        case("10,000 fields", lambda: record(**{f"field_{i}": i for i in range(10_000)}),
             {"has": ["field_0", "field_9999"]}),
        case("10,000 fields, one twice", lambda: record(**{f"f{i}": i for i in range(10_000)})[:-1] + b',"f5":1}',
             "duplicate_key"),
        case("key of 100,000 characters", record(**{"k" * 100_000: 1}), {"has": ["k" * 100_000]}),
        case("array of 100,000 numbers", lambda: record(x=list(range(100_000))), {"has": ["x"]}),
    ]  # fmt: skip


def _times() -> list[Case]:
    good = {
        "ISO 8601 basic": ("20261123T100000Z", 0),
        "with Z": (T, 0), "lower case": ("2026-11-23t10:00:00z", 0), "space": ("2026-11-23 10:00:00Z", 0),
        "no zone": ("2026-11-23T10:00:00", 0), "space, no zone": ("2026-11-23 10:00:00", 0),
        "comma": ("2026-11-23 10:00:00,250", 250_000), "1 digit": ("2026-11-23T10:00:00.5Z", 500_000),
        "2 digits": ("2026-11-23T10:00:00.25Z", 250_000), "3 digits": ("2026-11-23T10:00:00.123Z", 123_000),
        "6 digits": ("2026-11-23T10:00:00.123456Z", 123_456), "7 digits": ("2026-11-23T10:00:00.1234560Z", 123_456),
        "zero offset": ("2026-11-23T10:00:00+00:00", 0), "zone UTC": ("2026-11-23 10:00:00 UTC", 0),
        "zone GMT": ("2026-11-23T10:00:00GMT", 0), "no seconds": ("2026-11-23T10:00Z", 0),
        "blanks around": (" 2026-11-23T10:00:00Z ", 0), "minus zero offset": ("2026-11-23T10:00:00-00:00", 0),
        "seconds": (1_795_428_000, 0), "milliseconds": (1_795_428_000_001, 1_000),
        "microseconds": (MICROS + 1, 1), "nanoseconds": (MICROS * 1_000 + 2_000, 2),
        "seconds as text": ("1795428000", 0), "milliseconds as text": ("1795428000001", 1_000),
        "nanoseconds as text": ("1795428000000002000", 2), "float": (1_795_428_000.25, 250_000),
        "float as text": ("1795428000.25", 250_000), "exponent as text": ("1.795428e9", 0),
    }  # fmt: skip
    kept = {
        "9 digits": ("2026-11-23T10:00:00.123456789Z", 123_456), "offset": ("2026-11-23T12:00:00+02:00", 0),
        "offset of hours": ("2026-11-23T12:00:00+02", 0), "offset without colon": ("2026-11-23T05:30:00-0430", 0),
        "offset over midnight": ("2026-11-24T00:00:00+14:00", 0), "leap second": ("2026-11-23T09:59:60Z", 0),
        "nanoseconds": (MICROS * 1_000 + 2_001, 2), "nanoseconds as text": (str(MICROS * 1_000 + 1), 0),
    }  # fmt: skip
    invalid = {
        "word": "yesterday", "date only": "2026-11-23", "time only": "10:00:00", "13th month": "2026-13-01T00:00:00Z",
        "month zero": "2026-00-01T00:00:00Z", "31 November": "2026-11-31T00:00:00Z",
        "25 o'clock": "2026-11-23T25:00:00Z",
        "24 o'clock": "2026-11-23T24:00:00Z", "minute 60": "2026-11-23T10:60:00Z", "second 61": "2026-11-23T10:00:61Z",
        "29 February 2025": "2025-02-29T00:00:00Z", "offset of 24 hours": "2026-11-23T10:00:00+24:00",
        "offset of 60 minutes": "2026-11-23T10:00:00+01:60", "year zero": "0000-01-01T00:00:00Z",
        "10 digits of fraction": "2026-11-23T10:00:00.1234567890Z", "empty fraction": "2026-11-23T10:00:00.Z",
        "two zones": "2026-11-23T10:00:00ZZ", "named zone": "2026-11-23T10:00:00 CET",
        "week date": "2026-W48-1T10:00:00Z",
        "ordinal date": "2026-327T10:00:00Z", "US date": "11/23/2026 10:00:00",
        "five digits of year": "12026-11-23T10:00:00Z", "Arabic digits": "٢٠٢٦-11-23T10:00:00Z",
        "fullwidth digits": "２０２６-11-23T10:00:00Z", "newline inside": "2026-11-23\n10:00:00Z", "hex": "0x5f5e100",
        "infinity": "inf", "two signs": "--1", "NUL at the end": T + "\x00",
        "colon before the fraction": "2026-11-23T10:00:00:123456Z",
    }  # fmt: skip
    beyond = {
        "minus one": -1, "minus one as text": "-1", "1969": "1969-12-31T23:59:59.999999Z",
        "1601": "1601-01-01T00:00:00Z",
        "before 1970 by offset": "1970-01-01T00:00:00+00:01", "year 1": "0001-01-01T00:00:00Z",
        "far beyond nanoseconds": 10**24, "beyond 9999 in nanoseconds": "253402300800000000000",
        "beyond 9999 by offset": "9999-12-31T23:59:59-00:01", "huge float": 1e300, "exponent 99": "1e99",
        "30 digits": "9" * 30,
    }  # fmt: skip
    future = {
        "2190s": "2199-01-01T00:00:00Z", "9998": "9998-12-31T00:00:00Z", "last moment": "9999-12-31T23:59:59.999999Z",
        "5000 in seconds": 95_617_584_000, "2199 in nanoseconds": 7_226_582_400_000_000_000,
    }  # fmt: skip
    past = {
        "zero": (0, 0), "epoch": ("1970-01-01T00:00:00Z", 0), "1999": ("1999-12-31T23:59:59Z", 946_684_799_000_000),
        "minus zero": ("-0", 0), "compact date reads as seconds": ("20261123", 20_261_123_000_000),
    }  # fmt: skip
    return [
        *[case(f"time {name}", record(timestamp=v), {"timestamp": MICROS + d, "attributes": None})
          for name, (v, d) in good.items()],
        *[case(f"time kept: {name}", record(timestamp=v), {"timestamp": MICROS + d, "has": ["timestamp_original"]})
          for name, (v, d) in kept.items()],
        *[case(f"no time: {name}", record(timestamp=v), "invalid_timestamp") for name, v in invalid.items()],
        *[case(f"time beyond: {name}", record(timestamp=v), "timestamp_out_of_range")
          for name, v in beyond.items()],
        *[case(f"future: {name}", record(timestamp=v), "timestamp_in_future") for name, v in future.items()],
        *[case(f"past: {name}", record(timestamp=v), {"timestamp": micros}) for name, (v, micros) in past.items()],
    ]  # fmt: skip


def _levels() -> list[Case]:
    plain = {
        "TRACE": ["TRACE", "trace", "Trace", "T", "trc"], "DEBUG": ["debug", "DBG", "D"],
        "INFO": ["info", "Info", "I", "inf", "Information", "informational", " info "],
        "WARN": ["warn", "WARNING", "Warning", "W", "wrn"], "ERROR": ["error", "err", "ERR", "E", "Error"],
        "FATAL": ["fatal", "F", "FTL"], "UNKNOWN": ["unknown"],
    }  # fmt: skip
    merged = {
        "TRACE": ["verbose", "finest", "TRACE3"], "DEBUG": ["fine", "FINER", 7, "7"],
        "INFO": ["notice", "config", 6, 5, "INFO2", 11], "WARN": [4, 14], "ERROR": [3, "3", 18],
        "FATAL": ["critical", "CRIT", "severe", "emerg", "Emergency", "panic", "alert", 0, 2.0, 24],
        "UNKNOWN": ["purple", "ℹ️", "1.5", -1, 99, "INFO INFO"],
    }  # fmt: skip
    numbers = {"INFO": [9, "9", 30, 20_000], "TRACE": [10], "DEBUG": [20], "WARN": [40, 13], "ERROR": [50, 17],
               "FATAL": [60, 21]}  # fmt: skip
    return [
        *[case(f"level {spelling!r}", record(level=spelling), {"level": level, "attributes": None})
          for level, spellings in plain.items() for spelling in spellings],
        *[case(f"level number {number!r}", record(level=number), {"level": level, "attributes": None})
          for level, spellings in numbers.items() for number in spellings],
        *[case(f"level kept {spelling!r}", record(level=spelling),
               {"level": level, "attributes": {"level_original": spelling}})
          for level, spellings in merged.items() for spelling in spellings],
    ]  # fmt: skip


def _odd_but_whole() -> list[Case]:
    texts = {
        "emoji": "🚀🔥 done", "zero width": "a\u200bb\u200d\ufeff", "right to left": "\u202eabc\u202c שלום",
        "combining": "Z̸̢͝a̷l̴g̵o̶" * 20, "NUL": "a\x00b", "control characters": "\x01\x02\x1b[31mred\x1b[0m\x7f",
        "newlines": "a\r\nb\n", "quotes and backslashes": 'a"b\\c"\\', "only quotes": '""""', "backslash at end": "a\\",
        "HTML": "<script>alert(1)</script>", "SQL": "'; DROP TABLE events;--", "noncharacter": "\ufffe\uffff",
        "line separator": "a\u2028b\u2029", "private use": "\ue000", "plane 16": "\U0010fffd",
        "escape text": "\\u0022 is a quote", "JSON text": '{"message": "inner"}', "percent": "%s %d %%",
    }  # fmt: skip
    bom = b"\xef\xbb\xbf"
    return [
        *[case(f"text: {name}", record(message=text), {"message": text, "attributes": None})
          for name, text in texts.items()],
        case("byte order mark", bom + record(), {"message": "m", "attributes": None}),
        case("two byte order marks", bom + bom + record(), "invalid_json"),
        case("whitespace around", b"\n\t " + record() + b" \r\n", {"message": "m", "attributes": None}),
        case("escaped letters", b'{"\\u006dessage":"\\u0061","timestamp":"%s"}' % T.encode(), {"message": "a"}),
        case("escaped pair", b'{"message":"\\ud83d\\ude80","timestamp":"%s"}' % T.encode(), {"message": "🚀"}),
        case("escaped slash", b'{"message":"a\\/b","timestamp":"%s"}' % T.encode(), {"message": "a/b"}),
        case("topic collides", record(topic="other"), {"attributes": {"topic": "other"}}),
        case("partition collides", record(partition=99), {"attributes": {"partition": 99}}),
        case("offset collides", record(offset=-1), {"attributes": {"offset": -1}}),
        case("kafka_timestamp collides", record(kafka_timestamp="x"), {"attributes": {"kafka_timestamp": "x"}}),
        case("attributes collides", record(attributes={"a": 1}), {"attributes": {"attributes": {"a": 1}}}),
        case("attributes is text", record(attributes="x"), {"attributes": {"attributes": "x"}}),
        case("level_original collides", record(level="purple", level_original="x"),
             {"attributes": {"level_original": "x", "_level_original": "purple"}}),
        case("timestamp_original collides", record(timestamp="2026-11-23T12:00:00+02:00", timestamp_original=1),
             {"attributes": {"timestamp_original": 1, "_timestamp_original": "2026-11-23T12:00:00+02:00"}}),
        case("key with dots", record(**{"a.b.c": 1}), {"attributes": {"a.b.c": 1}}),
        case("key of dots", record(**{"...": 1, ".": 2}), {"attributes": {"...": 1, ".": 2}}),
        case("empty field name", record(**{"": 1}), {"attributes": {"": 1}}),
        case("blank field name", record(**{" ": 1}), {"attributes": {" ": 1}}),
        case("field name with a quote", record(**{'"': 1}), {"attributes": {'"': 1}}),
        case("field name with a NUL", record(**{"\x00": 1}), {"attributes": {"\x00": 1}}),
        case("field name is an emoji", record(**{"🚀": "x"}), {"attributes": {"🚀": "x"}}),
        case("__proto__", record(**{"__proto__": {"a": 1}}), {"attributes": {"__proto__": {"a": 1}}}),
        case("null unknown field", record(x=None), {"attributes": {"x": None}}),
        case("empty containers kept", record(x={}, y=[]), {"attributes": {"x": {}, "y": []}}),
        case("big integer", raw('"x": 18446744073709551616'), {"attributes": {"x": 18446744073709551616}}),
        case("40 digits", raw('"x": ' + "7" * 40), {"attributes": {"x": int("7" * 40)}}),
        case("largest int64", raw('"x": 9223372036854775807'), {"attributes": {"x": 2**63 - 1}}),
        case("uint64", raw('"x": 18446744073709551615'), {"attributes": {"x": 2**64 - 1}}),
        case("smallest int64", raw('"x": -9223372036854775808'), {"attributes": {"x": -(2**63)}}),
        case("long fraction", raw('"x": 0.1234567890123456789012345'), {"has": ["x"]}),
        case("tiny number", raw('"x": 1e-400'), {"has": ["x"]}),
        case("message and Message", record(Message="other"), {"message": "m", "attributes": {"Message": "other"}}),
        case("message and msg", record(msg="other"), {"message": "m", "attributes": {"msg": "other"}}),
        case("two times", record(**{"@timestamp": "x"}), {"timestamp": MICROS, "attributes": {"@timestamp": "x"}}),
        case("unknown field beside null stack trace", record(stack_trace=None, x=1), {"attributes": {"x": 1}}),
        case("trace id in the message", record(message="TraceID: 0123456789abcdef SpanID: 89abcdef01234567 go"),
             {"trace_id": "0123456789abcdef", "span_id": "89abcdef01234567"}),
        case("word trace in the message", record(message="no trace of it"), {"trace_id": None}),
        case("trace id is not hexadecimal", record(message="trace_id=hello-world"), {"trace_id": None}),
        case("explicit trace id wins", record(message="trace_id=0123456789abcdef", trace_id="t"), {"trace_id": "t"}),
    ]  # fmt: skip


def _shapes() -> list[Case]:
    otel = {"timeUnixNano": str(MICROS * 1_000), "severityNumber": 9, "body": {"stringValue": "m"}}
    line = {"log": "m\n", "stream": "stdout", "time": T}
    seen = {"timestamp": MICROS, "message": "m"}
    envelope = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
                                  "scopeLogs": [{"logRecords": [otel]}]}]}  # fmt: skip
    two = {"resourceLogs": [{"scopeLogs": [{"logRecords": [otel, otel]}]}]}
    return [
        case("OpenTelemetry record", otel, seen | {"level": "INFO", "attributes": None}),
        case("OpenTelemetry without time", {"severityNumber": 9, "body": {"stringValue": "m"}}, "missing_timestamp"),
        case("OpenTelemetry without body", {k: v for k, v in otel.items() if k != "body"}, "missing_message"),
        case("OpenTelemetry empty body", otel | {"body": {"stringValue": ""}}, "missing_message"),
        case("OpenTelemetry time is a word", otel | {"timeUnixNano": "now"}, "invalid_timestamp"),
        case("OpenTelemetry severity 10", otel | {"severityNumber": 10},
             {"level": "INFO", "attributes": {"level_original": 10}}),
        case("OpenTelemetry severity 0", otel | {"severityNumber": 0}, {"level": "UNKNOWN"}),
        case("OpenTelemetry severity 25", otel | {"severityNumber": 25}, {"level": "UNKNOWN"}),
        case("OpenTelemetry structured body", otel | {"body": {"kvlistValue": {"values": [
            {"key": "a", "value": {"intValue": "1"}}]}}}, {"message": '{"a":1}'}),
        case("OTLP envelope", envelope, seen | {"service": "s"}),
        case("OTLP envelope of two", two, "multiple_records"),
        case("OTLP envelope of none", {"resourceLogs": []}, "missing_message"),
        case("OTLP envelope is text", {"resourceLogs": "x"}, "wrong_type"),
        case("OTLP envelope of text", {"resourceLogs": [{"scopeLogs": ["x"]}]}, "wrong_type"),
        case("ECS nested", {"@timestamp": T, "log": {"level": "warn"}, "service": {"name": "s"}, "message": "m",
                            "host": {"name": "n"}, "trace": {"id": "t"}, "error": {"stack_trace": "E\n\tat x"}},
             seen | {"level": "WARN", "service": "s", "host": "n", "trace_id": "t", "stack_trace": "E\n\tat x",
                     "attributes": None}),
        case("ECS dotted", {"@timestamp": T, "log.level": "warn", "service.name": "s", "message": "m",
                            "host.name": "n", "trace.id": "t", "error.stack_trace": "E"},
             seen | {"level": "WARN", "service": "s", "host": "n", "trace_id": "t", "attributes": None}),
        case("ECS host without a name", {"@timestamp": T, "message": "m", "host": {"ip": ["::1"]}},
             seen | {"host": None, "attributes": {"host": {"ip": ["::1"]}}}),
        case("logstash", {"@timestamp": T, "@version": "1", "message": "m", "logger_name": "c.e.Foo", "level": "ERROR",
                          "thread_name": "main", "level_value": 40000, "stack_trace": "E"},
             seen | {"level": "ERROR", "stack_trace": "E", "service": "shop", "has": ["logger_name", "thread_name"]}),
        case("GELF", {"version": "1.1", "host": "n", "short_message": "m", "timestamp": MICROS / 1e6, "level": 3},
             seen | {"level": "ERROR", "host": "n"}),
        case("pino", {"level": 50, "time": MICROS // 1_000, "pid": 1, "hostname": "n", "msg": "m"},
             seen | {"level": "ERROR", "host": "n"}),
        case("zap", {"level": "dpanic", "ts": MICROS / 1e6, "caller": "a.go:1", "msg": "m"}, seen | {"level": "FATAL"}),
        case("journald", {"MESSAGE": "m", "PRIORITY": "3", "__REALTIME_TIMESTAMP": str(MICROS), "_HOSTNAME": "n"},
             seen | {"level": "ERROR", "host": "n"}),
        case("Serilog", {"@t": T, "@m": "m", "@l": "Warning"}, seen | {"level": "WARN"}),
        case("container text", line, seen | {"level": "UNKNOWN", "service": "shop"}),
        case("container text without a key", line, seen | {"service": "unknown"}, None),
        case("container blank line", line | {"log": "\n"}, "missing_message"),
        case("container without time", {"log": "m", "stream": "stdout"}, "missing_timestamp"),
        case("container time is a word", line | {"time": "now"}, "invalid_timestamp"),
        case("container broken JSON is text", line | {"log": '{"msg": "m"'}, {"message": '{"msg": "m"'}),
        case("container JSON with a key twice is text", line | {"log": '{"msg":"a","msg":"b"}'},
             {"message": '{"msg":"a","msg":"b"}'}),
        case("container JSON number is text", line | {"log": "42\n"}, {"message": "42"}),
        case("container JSON without message is text", line | {"log": '{"status": 200}'},
             {"message": '{"status": 200}'}),
        case("container JSON", line | {"log": '{"lvl":"warn","msg":"m","x":1}\n'},
             seen | {"level": "WARN", "attributes": {"x": 1, "stream": "stdout"}}),
        case("container logback line", line | {"log": "16:51:24.967 WARN  a.b.C#48 m\n"},
             seen | {"level": "WARN", "attributes": {"logger": "a.b.C#48", "stream": "stdout",
                                                     "log_time": "16:51:24.967"}}),
        case("container in a container", line | {"log": json.dumps({"log": "m\n", "time": T})}, {"message": "m"}),
        case("capitals", {"Timestamp": T, "Message": "m", "Level": "Error", "Service": "S", "Host": "H"},
             seen | {"level": "ERROR", "service": "S", "host": "H", "attributes": None}),
    ]  # fmt: skip


CASES: tuple[Case, ...] = (
    *_not_json(), *_not_one_object(), *_missing_and_wrong(), *_lengths(), *_times(), *_levels(), *_odd_but_whole(),
    *_shapes(),
)  # fmt: skip
