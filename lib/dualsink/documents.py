"""The hot document of an event: its id, its index, its JSON, all functions of the record alone.

A replayed record therefore always meets itself: the same id in the same index.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from dualsink.events import Event, VerbatimEvent

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


def source(event: Event, value: bytes = b"") -> bytes:
    """The JSON of an event without its coordinates; fields without a value are left out.

    `value`, the bytes of its record, is what a verbatim event is taken from.
    """
    if type(event) is VerbatimEvent and value:
        return value
    body = {name: item for name, item in zip(event._fields, event, strict=True) if item is not None}
    body["timestamp"] = EPOCH + timedelta(microseconds=event.timestamp)
    if event.attributes is not None:
        body["attributes"] = orjson.Fragment(event.attributes)
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def bulk_lines(
    action: bytes, alias: str, timestamp: int, source: bytes, topic: str, partition: int, offset: int, arrived: int
) -> bytes:
    """The two lines of one document in a `_bulk` body: `action` (create, index) with index and id, then the document.

    `timestamp` is the event's in µs, `arrived` Kafka's in ms. The document is `source` with the coordinates added.
    """
    head, middle = _envelope(action, alias, timestamp // DAY_US, topic, partition)
    return b'%b%019d-%d"}}\n%b%b%d,"kafka_timestamp":%d}\n' % (
        head, offset, arrived, source[:-1], middle, offset, arrived,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _envelope(action: bytes, alias: str, day: int, topic: str, partition: int) -> tuple[bytes, bytes]:
    """What is the same for all documents of a partition and day. No name in it needs escaping."""
    head = f'{{"{action.decode()}":{{"_index":"{_day_index(alias, day)}","_id":"{topic}-{partition}-'
    return head.encode(), f',"topic":"{topic}","partition":{partition},"offset":'.encode()
