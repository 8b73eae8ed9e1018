"""The hot document of an event: its id, its index, its JSON, all functions of the record alone.

A replayed record therefore always meets itself: the same id in the same index.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from dualsink.events import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


def document_id(topic: str, partition: int, offset: int, kafka_timestamp_ms: int) -> str:
    """OpenSearch `_id`: the Kafka coordinates, offset padded to 19 digits, so ids sort by prefix.

    The record's timestamp is part of it because a recreated topic restarts at offset 0.
    """
    return f"{topic}-{partition}-{offset:019d}-{kafka_timestamp_ms}"


def index_name(alias: str, timestamp: int) -> str:
    """Index of the event's own UTC day, such as `application-logs-2026.11.23`; `timestamp` in µs."""
    return _day_index(alias, timestamp // DAY_US)


@lru_cache(maxsize=1024)
def _day_index(alias: str, day: int) -> str:
    return f"{alias}-{EPOCH + timedelta(days=day):%Y.%m.%d}"


def is_hot(timestamp: int, kafka_timestamp: int, hot_days: int) -> bool:
    """Whether an event belongs in the hot tier: its day is at most `hot_days` days before its arrival's day (µs)."""
    return kafka_timestamp // DAY_US - timestamp // DAY_US <= hot_days


def document(event: Event, topic: str, partition: int, offset: int, kafka_timestamp_ms: int) -> bytes:
    """The document's JSON; fields without a value are left out."""
    body = {name: value for name, value in zip(event._fields, event, strict=True) if value is not None}
    body["timestamp"] = EPOCH + timedelta(microseconds=event.timestamp)
    body |= {"topic": topic, "partition": partition, "offset": offset, "kafka_timestamp": kafka_timestamp_ms}
    if event.attributes is not None:
        body["attributes"] = orjson.Fragment(event.attributes)
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def bulk_lines(index: str, document_id: str, source: bytes, action: bytes = b"create") -> bytes:
    """The two lines of one document in a `_bulk` body; `index` and `document_id` need no escaping."""
    return b'{"%b":{"_index":"%b","_id":"%b"}}\n%b\n' % (action, index.encode(), document_id.encode(), source)
