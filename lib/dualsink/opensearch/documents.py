"""Hot document of an event: its JSON and `_bulk` lines.

All are functions of the record alone. A replayed record therefore always meets itself: the same id in the same index
(`events.model`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from dualsink.events.model import DAY, EPOCH, ID_HEAD, ID_TAIL, Event, VerbatimEvent, day_index
from dualsink.events.strict_json import dump_json, read_exactly

WHOLE = "attributes_whole"
"""Field with the JSON text of all attributes, of an event that has some which no index can take."""
# Lucene takes terms of 32,766 bytes; that of an attribute is its path and value, behind its field's name, twice.
_LONGEST_TERM = 32_700
_LINES = b"%b" + ID_TAIL.encode() + b'"}}\n%b%b%d,"position":%d,"positions":%d,"kafka_timestamp":%d}\n'


def source(event: Event, value: bytes = b"") -> bytes:
    """Return an event's JSON without its coordinates.

    Fields without a value are left out. Attributes that no index can take stand in WHOLE alone.

    `value`, the bytes of its record, is what a verbatim event is taken from.
    """
    if type(event) is VerbatimEvent and value:
        return value
    log_id, micros, level, service, host, message, stack_trace, trace_id, span_id, attributes = event
    moment = EPOCH + timedelta(0, 0, micros)
    texts = _attributes(attributes) if attributes is not None else ()
    return _encode(_Body(log_id, moment, level, service, host, message, stack_trace, trace_id, span_id, *texts))


def _attributes(attributes: str) -> tuple[msgspec.Raw, str | None]:
    """Return the fields `attributes` and WHOLE of a document."""
    part = indexable(attributes)
    return (msgspec.Raw(attributes), None) if part is None else (msgspec.Raw(part), attributes)


def indexable(attributes: str) -> bytes | None:
    """Return the part of attributes (JSON) that an index takes.

    None if it takes all of them.
    """
    # No path and value are longer than the JSON text that has both; a character has four bytes at most.
    if len(attributes) * 4 <= _LONGEST_TERM or len(attributes.encode()) <= _LONGEST_TERM:
        return None
    tree = read_exactly(attributes)
    part = dump_json(_short(tree, 0))
    return None if part == dump_json(tree) else part


def _short(value: Any, path: int) -> Any:
    """Return what an index takes of a value.

    `path` is the length of the value's path in bytes.
    """
    if isinstance(value, dict):
        places = {key: path + len(key.encode()) + 1 for key in value}
        return {key: _short(each, places[key]) for key, each in value.items() if _fits(each, places[key])}
    if isinstance(value, list):
        return [_short(each, path) for each in value if _fits(each, path)]
    return value


def _fits(value: Any, path: int) -> bool:
    if isinstance(value, dict | list):
        return path <= _LONGEST_TERM
    return path + len(value.encode() if isinstance(value, str) else dump_json(value)) <= _LONGEST_TERM


def attributes_of(source: Mapping[str, Any]) -> Any:
    """Return a document's attributes as the archive has them.

    A JSON text, or a tree of it; of a document whose indexed part is not that of the whole, the part.
    """
    part, whole = source.get("attributes"), source.get(WHOLE)
    if isinstance(whole, str) and part is not None and indexable(whole) == dump_json(part):
        return whole
    return part


class _Body(msgspec.Struct, omit_defaults=True, gc=False):
    """Fields of an event, in a document's order."""

    log_id: str | None = None
    timestamp: datetime | None = None
    level: str | None = None
    service: str | None = None
    host: str | None = None
    message: str | None = None
    stack_trace: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: msgspec.Raw | None = None
    attributes_whole: str | None = None


_encode = msgspec.json.Encoder().encode


def bulk_lines(
    action: bytes,
    prefix: str,
    timestamp: int,
    source: bytes,
    topic: str,
    topic_id: str,
    partition: int,
    offset: int,
    position: int,
    positions: int,
    arrived: int,
) -> bytes:
    """Build the two `_bulk` lines of one document.

    `action` (create, index) with index and id, then the document.

    `timestamp` is the event's in µs, `arrived` Kafka's in ms. The document is `source` with the coordinates added.
    """
    head, middle = _envelope(action, prefix, timestamp // DAY, topic, topic_id, partition)
    return _LINES % (head, offset, position, source[:-1], middle, offset, position, positions, arrived)


@lru_cache(maxsize=4096)
def _envelope(action: bytes, prefix: str, day: int, topic: str, topic_id: str, partition: int) -> tuple[bytes, bytes]:
    """Return what all documents of a partition and day share.

    No name in it needs escaping.
    """
    head = f'{{"{action.decode()}":{{"_index":"{day_index(prefix, day)}","_id":"{ID_HEAD % (topic_id, partition)}'
    return head.encode(), f',"topic":"{topic}","topic_id":"{topic_id}","partition":{partition},"offset":'.encode()
