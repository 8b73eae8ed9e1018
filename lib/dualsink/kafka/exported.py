"""Exports of the log explorer, read back as events."""

import re
from collections.abc import Callable, Collection
from typing import Any

import orjson

from dualsink.events.draft import keep
from dualsink.events.model import COORDINATES, Refused
from dualsink.events.strict_json import dump_json, read_json

_COLUMNS = ("timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id", "log_id")
"""Columns of an exported event.

Attributes, coordinates and tier follow; Kafka gives it other coordinates."""
_FORMULA = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""Signs with which a text begins that a spreadsheet would run."""
_TO_SHIELD, _SHIELDED = re.compile(f"'*{_FORMULA}"), re.compile(f"'+{_FORMULA}")


def shielded(cell: Any) -> Any:
    """Return a cell that no spreadsheet runs.

    An apostrophe precedes such a text, and one that looks shielded.
    """
    return f"'{cell}" if isinstance(cell, str) and _TO_SHIELD.match(cell) else cell


def unshielded(cell: Any) -> Any:
    """Return the text that was shielded."""
    return cell[1:] if isinstance(cell, str) and _SHIELDED.match(cell) else cell


def is_export(names: Collection[str]) -> bool:
    """Return whether these are the columns of an export."""
    names = set(names)
    return {"timestamp", "message", *COORDINATES} <= names <= {*_COLUMNS, "attributes", *COORDINATES, "tier"}


def is_export_line(line: bytes) -> bool:
    """Return whether a line is an exported event in JSON."""
    try:
        return is_export(orjson.loads(line))
    except (orjson.JSONDecodeError, TypeError):
        return False


def event_of(value: bytes, read: Callable[[Any], Any] = lambda cell: cell) -> bytes | None:
    """Return an exported event as a record, else None.

    Its attributes are beside the columns. `read` gives the value of a column.
    """
    try:
        record = read_json(value)
        if not isinstance(record, dict) or not is_export(record):
            return None
        found = {name: read(record[name]) for name in _COLUMNS if record.get(name) not in (None, "")}
        attributes = record.get("attributes") or {}
        if isinstance(attributes, str):
            attributes = read_json(attributes.encode())
        if not isinstance(attributes, dict):
            return None
        found |= {name: None for name in _COLUMNS if name in attributes and name not in found}  # it is no column
        for name, each in attributes.items():
            keep(found, name, each)
    except Refused:  # no UTF-8, or attributes that another hand changed
        return None
    return dump_json(found)
