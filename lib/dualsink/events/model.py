"""Model of events and refusals: identity, columns, reasons.

Writers, ledger, explorer and SQL take ids, index names and columns from here (docs/decisions/0013-identity.md).
"""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "UNKNOWN")
MAX_FIELD = 1_000
"""Longest service, host, level or id in characters: 4,000 bytes, far under the 32,766 of an indexed term."""
DAY = 86_400_000_000
"""One day in microseconds: how far an event may be ahead of its Kafka timestamp."""


class Event(NamedTuple):
    """Log event; `timestamp` is in µs UTC.

    `attributes` is the compact JSON text of an object with everything that has no column.
    """

    log_id: str | None
    timestamp: int
    """Microseconds since 1970-01-01T00:00:00 UTC."""
    level: str
    service: str
    host: str | None
    message: str
    stack_trace: str | None
    trace_id: str | None
    span_id: str | None
    attributes: str | None


class VerbatimEvent(Event):
    """Event whose record is its document's JSON, byte for byte.

    Nothing was renamed, mapped or left out.
    """

    __slots__ = ()


class Refusal(NamedTuple):
    """Refusal of a record that is no event.

    A value of `Reason`, and a detail without any of the event's content.
    """

    reason: str
    detail: str


class Reason(StrEnum):
    """Reason for which a record is no event.

    The values are stored in the quarantine table: never rename one.
    """

    NULL_VALUE = "null_value"
    EMPTY_VALUE = "empty_value"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_UNICODE = "invalid_unicode"
    INVALID_JSON = "invalid_json"
    INVALID_PROTOBUF = "invalid_protobuf"
    TOO_LARGE = "too_large"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    MULTIPLE_RECORDS = "multiple_records"
    WRONG_TYPE = "wrong_type"
    MISSING_TIMESTAMP = "missing_timestamp"
    MISSING_MESSAGE = "missing_message"
    INVALID_TIMESTAMP = "invalid_timestamp"
    TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    FIELD_TOO_LONG = "field_too_long"
    PARSER_ERROR = "parser_error"


class Refused(Exception):
    """Refusal while a record is read.

    It carries the reason and a detail that holds no content but field names and types.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    @property
    def refusal(self) -> Refusal:
        """Return the refusal that is stored.

        Its detail has at most 300 characters.
        """
        return Refusal(self.reason.value, self.detail[:300])


def field_name(name: Any) -> str:
    """Return a field's name fit for a log line.

    Escaped, and at most about 100 characters.
    """
    text = ascii(name)
    return text if len(text) <= 100 else text[:97] + "..."


def type_name(value: Any) -> str:
    """Return the JSON name of a value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def wrong_type(name: str, value: Any) -> Refused:
    """Return the refusal of a field of a wrong type.

    One that holds an object or an array.
    """
    return Refused(Reason.WRONG_TYPE, f"{field_name(name)} holds an {type_name(value)}, not a string")


# -- identity --------------------------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD = ("topic_id", "partition", "offset")
"""Columns that identify a Kafka record; Kafka gives each incarnation of a topic an id of its own."""
IDENTITY = (*RECORD, "position")
"""Columns that identify an event: its record, and its place in the record from 0 on."""
# Printed by Python and by Spark's `format_string` alike. Up to the offset, an id is its partition's.
ID_HEAD, ID_TAIL = "%s-%d-", "%019d-%d"
_ID = ID_HEAD + ID_TAIL


def document_id(topic_id: str, partition: int, offset: int, position: int) -> str:
    """Return OpenSearch's `_id` of an event.

    Ids of a partition share a prefix and sort by offset.
    """
    return _ID % (topic_id, partition, offset, position)


def document_id_sql() -> str:
    """Return `document_id` as a Spark expression over IDENTITY.

    Null where one of its columns is.
    """
    known = " AND ".join(f"{name} IS NOT NULL" for name in IDENTITY)
    return f"CASE WHEN {known} THEN format_string('{_ID}', {', '.join(IDENTITY)}) END"


def index_name(prefix: str, timestamp: int) -> str:
    """Return the index of an event's own UTC day.

    Such as `application-logs-2026.11.23`; `timestamp` in µs.
    """
    return day_index(prefix, timestamp // DAY)


@lru_cache(maxsize=1024)
def day_index(prefix: str, day: int) -> str:
    """Return the index of a UTC day.

    `day` is counted from 1970-01-01.
    """
    return f"{prefix}-{EPOCH + timedelta(days=day):%Y.%m.%d}"


def index_name_sql(prefix: str, moment: str = "timestamp") -> str:
    """Return `index_name` as a Spark expression.

    Over a column of times or days.
    """
    return f"concat('{prefix}-', date_format({moment}, 'yyyy.MM.dd'))"


def hot_window(hot_days: int, now: datetime | None = None) -> range:
    """Return the event days that OpenSearch holds now.

    As days since 1970-01-01 (UTC): tomorrow back to `hot_days` before today. Days leave it and none comes back, so what
    is in it now was in it whenever an event of it was sent.
    """
    today = ((now or datetime.now(UTC)) - EPOCH).days
    return range(today - hot_days, today + 2)


def first_hot_day(hot_days: int) -> date:
    """Return the first day (UTC) of the hot window now."""
    return (EPOCH + timedelta(days=hot_window(hot_days).start)).date()


# -- columns ---------------------------------------------------------------------------------------

# Name and Spark type of every column, in the order of the tables.
EVENT_COLUMNS = {name: "timestamp" if name == "timestamp" else "string" for name in Event._fields}
COORDINATE_COLUMNS = {
    "topic": "string",
    "topic_id": "string",
    "partition": "int",
    "offset": "bigint",
    "position": "int",
    "positions": "int",
    "kafka_timestamp": "timestamp",
}
COORDINATES = tuple(COORDINATE_COLUMNS)
"""Where an event comes from: its identity, the topic's name, how many events its record held, when it arrived."""
ARCHIVE_COLUMNS = EVENT_COLUMNS | COORDINATE_COLUMNS
QUARANTINE_COLUMNS = COORDINATE_COLUMNS | {
    "key": "binary",
    "value": "binary",
    "headers": "array<struct<key:string,value:binary>>",
    "stage": "string",
    "reason": "string",
    "detail": "string",
    "quarantined_at": "timestamp",
    "resolved_at": "timestamp",
}
DOCUMENT_COLUMNS = COORDINATE_COLUMNS | EVENT_COLUMNS
"""Fields of a document, which are the content that the ledger compares, in its order."""


def ddl(columns: Any) -> str:
    """Return columns as the schema that Spark reads.

    `columns` are names of the archive's columns.
    """
    return ", ".join(f"`{name}` {ARCHIVE_COLUMNS[name]}" for name in columns)
