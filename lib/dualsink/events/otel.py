"""OpenTelemetry log records: OTLP as JSON and protobuf.

Each record of an envelope is one event. A record becomes an object of plain JSON with the names of the data model; its
attributes stand beside them, those of the resource under `resource`. From there on it is a record like any other.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from dualsink.events.draft import keep
from dualsink.events.fields import YEARS, fill, tidy
from dualsink.events.formats import fold
from dualsink.events.levels import read_level
from dualsink.events.model import DAY, MAX_FIELD, Event, Reason, Refused, field_name
from dualsink.events.plans import Plans
from dualsink.events.strict_json import dump_json

ENVELOPES = ("resourceLogs", "resource_logs", "scopeLogs")
"""Keys of an envelope, the last of one resource's part, which Java's exporter writes to stdout."""


class Log(NamedTuple):
    """Log record and what surrounds it.

    That is its resource, its scope and the rest of the envelope. All records of a scope share one object `around`.
    """

    record: dict[str, Any]
    around: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        """Return the record with all that surrounds it."""
        record = dict(self.record)
        for key, value in self.around.items():
            keep(record, key, _copy(value))
        return record


def _copy(value: Any) -> Any:
    """Copy an object with the objects in it.

    Fields are taken out of them, and the other records have them too.
    """
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def records(envelope: dict[str, Any]) -> Iterator[Log]:
    """Return every log record of an OTLP/JSON envelope.

    Raises Refused (wrong_type) for an array of something else.
    """
    if "scopeLogs" in envelope:
        envelope = {"resourceLogs": [envelope]}
    name = "resourceLogs" if "resourceLogs" in envelope else "resource_logs"
    outside = _without(envelope, name)
    for resource_logs in _objects(envelope, name):
        scopes_name = _present(resource_logs, ("scopeLogs", "scope_logs", "instrumentationLibraryLogs"))
        above = _without(resource_logs, scopes_name, "resource")
        resource = _resource(resource_logs.get("resource"))
        for scope_logs in _objects(resource_logs, scopes_name):
            logs_name = _present(scope_logs, ("logRecords", "log_records", "logs"))
            scope_name = _present(scope_logs, ("scope", "instrumentationLibrary"))
            beside = _without(scope_logs, logs_name, scope_name)
            rest = outside | _nested(name, above, scopes_name, beside)
            around = {scope_name: _scope(scope_logs.get(scope_name)), **rest, "resource": resource}
            around = {key: value for key, value in around.items() if value not in (None, {})}
            for log in _objects(scope_logs, logs_name):
                yield Log(log, around)


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Refused(Reason.WRONG_TYPE, f"{field_name(name)} holds no array of objects")
    return value


def _present(holder: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in holder), names[0])


def _without(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return what else an object holds.

    Empty objects and arrays are left out.
    """
    pruned = ((key, _prune(value)) for key, value in holder.items() if key not in names)
    return {key: value for key, value in pruned if value not in (None, {}, [])}


def _nested(name: str, above: dict[str, Any], scopes_name: str, beside: dict[str, Any]) -> dict[str, Any]:
    """Return what is beside resource and scope, in place.

    The place is that in the envelope.
    """
    inside = above | ({scopes_name: [beside]} if beside else {})
    return {name: [inside]} if inside else {}


def _prune(value: Any) -> Any:
    """Return a tree without its empty objects and arrays."""
    if isinstance(value, dict):
        return {k: p for k, v in value.items() if (p := _prune(v)) not in ({}, [])}
    if isinstance(value, list):
        return [p for v in value if (p := _prune(v)) not in ({}, [])]
    return value


def _resource(value: Any) -> Any:
    """Return a resource as attributes, and its other members."""
    if isinstance(value, list):
        return plain_attributes(value)
    if isinstance(value, dict) and isinstance(value.get("attributes"), dict | list):
        rest = {key: item for key, item in value.items() if key != "attributes"}
        return _added(rest, plain_attributes(value["attributes"]))
    return value


def _scope(value: Any) -> Any:
    if isinstance(value, dict) and "attributes" in value:
        return value | {"attributes": plain_attributes(value["attributes"])}
    return value


def flattened(record: dict[str, Any]) -> dict[str, Any]:
    """Return a log record with plain values.

    Its attributes are beside its own fields. `record` is taken over.
    """
    names = {fold(name): name for name in reversed(record)}
    resource = _resource(_pop(record, names, "resource"))
    beside = _pop(record, names, "resourceattributes")
    if beside is not None:
        resource = _added({} if resource is None else resource, plain_attributes(beside))
    attributes = plain_attributes(_pop(record, names, "attributes"))
    if "body" in names:
        record[names["body"]] = _body(record[names["body"]])
    if isinstance(scope := record.get("scope"), dict):
        record["scope"] = _scope(scope)
    if resource not in (None, {}):
        keep(record, "resource", resource)
    return _added(record, attributes)


def _body(value: Any) -> Any:
    """Return a body as plain JSON.

    Bytes that are UTF-8 are text.
    """
    plain = plain_value(value)
    if plain == {}:  # an AnyValue without a value
        return None
    if isinstance(plain, dict) and plain.keys() == {"bytesValue"} and isinstance(plain["bytesValue"], str):
        try:
            return base64.b64decode(plain["bytesValue"], validate=True).decode()
        except ValueError:
            return plain
    return plain


def _pop(record: dict[str, Any], names: dict[str, str], alias: str) -> Any:
    return record.pop(names[alias], None) if alias in names else None


def _added(target: Any, attributes: Any) -> dict[str, Any]:
    """Return an object with attributes added.

    Under `attributes` if they are no object.
    """
    if not isinstance(target, dict):
        target = {"value": target}
    if isinstance(attributes, dict):
        for key, value in attributes.items():
            keep(target, key, value)
    elif attributes is not None:
        keep(target, "attributes", attributes)
    return target


def plain_attributes(value: Any) -> Any:
    """Return OTLP's `[{key, value}]` as an object.

    Anything else, and a list with a key twice, stays as it is.
    """
    if not isinstance(value, list):
        return value
    found = {}
    for item in value:
        keys = item.keys() if isinstance(item, dict) else ()
        key, inner = (item["key"], item["value"]) if keys == _PAIR else _go_pair(item) if keys == _GO_PAIR else (0, 0)
        if type(key) is not str:
            return value
        text = inner.get("stringValue") if type(inner) is dict and len(inner) == 1 else None
        found[key] = text if type(text) is str else plain_value(inner)
    return found if len(found) == len(value) else value


_PAIR = {"key", "value"}
_GO_PAIR, _GO_VALUE = {"Key", "Value"}, {"Type", "Value"}
"""Names in the values of Go's `stdoutlog`, which is OpenTelemetry's model with Go's names."""
_GO_TYPES = (
    "String", "Int64", "Float64", "Bool", "Bytes", "Slice", "Map", "Empty", "STRING", "INT64", "FLOAT64", "BOOL",
    "STRINGSLICE", "INT64SLICE", "FLOAT64SLICE", "BOOLSLICE",
)  # fmt: skip


def _go_pair(item: dict[str, Any]) -> tuple[Any, Any]:
    return item["Key"], item["Value"]


def _is_go(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == _GO_VALUE and value["Type"] in _GO_TYPES


def _go_value(kind: str, value: Any) -> Any:
    if kind == "Slice" and isinstance(value, list):
        return [plain_value(item) for item in value]
    return plain_attributes(value) if kind == "Map" else value


_SCALARS = frozenset(("stringValue", "boolValue", "doubleValue", "string_value", "bool_value", "double_value"))


def plain_value(value: Any) -> Any:
    """Return OTLP's AnyValue as plain JSON.

    It is `{"stringValue": …}` or the like; anything else stays as it is.
    """
    if _is_go(value):
        return _go_value(value["Type"], value["Value"])
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(kind, inner)] = value.items()
    if kind in _SCALARS:
        return value if isinstance(inner, dict | list) else inner
    if kind in ("intValue", "int_value"):
        return int(inner) if isinstance(inner, str) and re.fullmatch(r"-?\d{1,18}", inner, re.ASCII) else inner
    nested = inner.get("values") if isinstance(inner, dict) and inner.keys() == {"values"} else None
    if kind in ("arrayValue", "array_value") and isinstance(nested, list):
        return [plain_value(item) for item in nested]
    if kind in ("kvlistValue", "kvlist_value") and isinstance(nested, list):
        return plain_attributes(nested)
    return value


# -- the fast path: a log record as an SDK writes it -----------------------------------------------

_USUAL = frozenset(
    ("timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "traceId", "spanId",
     "attributes", "flags", "droppedAttributesCount")
)  # fmt: skip
_NEEDED = frozenset(("timeUnixNano", "severityNumber", "body"))
_TAKEN = frozenset(map(fold, (*_USUAL, "resource")))
"""Folded names that an attribute of the same name has to give way to."""
_LEVELS = {number: read_level(number, "otel") for number in range(1, 25)}
_MAX_REMEMBERED = 4_096


class _Origin(NamedTuple):
    """Origin of records: what their surroundings say of all.

    None for service if they need a closer look.
    """

    service: str | None
    host: str | None
    extra: dict[str, Any]


class FastPath:
    """Fast path of usual log records, without a plan.

    Its events are those that `flattened` and a plan would give.
    """

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._usual: dict[tuple[str, ...], bool] = {}
        self._neutral: dict[tuple[str, ...], bool] = {}
        self._around: dict[str, Any] | None = None
        self._origin = _Origin(None, None, {})

    def event(self, log: Log, near: int) -> Event | None:
        """Return the event of a log record.

        None where anything needs a closer look.
        """
        record = log.record
        if not self._is_usual(tuple(record)):
            return None
        level, body = _LEVELS.get(record["severityNumber"]), record["body"]
        message = body.get("stringValue") if type(body) is dict and len(body) == 1 else body
        if level is None or level.says_more or type(message) is not str or not message:
            return None
        origin = self._origin_of(log.around)
        extra = dict(record)
        micros, attributes = _micros(extra.pop("timeUnixNano")), plain_attributes(extra.pop("attributes", None))
        if (
            micros is None
            or origin.service is None
            or not -DAY <= near - micros <= YEARS
            or not self._fits(attributes, extra)
        ):
            return None
        if (text := extra.get("severityText")) is not None and not _drops(extra, text, level.name):
            return None
        trace_id, span_id = _identity(extra, "traceId"), _identity(extra, "spanId")
        if trace_id is False or span_id is False or (not (trace_id and span_id) and _may_hold_ids(message)):
            return None
        del extra["severityNumber"], extra["body"]
        extra |= origin.extra
        if attributes:
            if extra.keys() & attributes.keys():
                return None
            extra |= attributes
        return Event(
            None, micros, level.name, origin.service, origin.host, message, None, trace_id, span_id,
            dump_json(extra).decode() if extra else None,
        )  # fmt: skip

    def _is_usual(self, keys: tuple[str, ...]) -> bool:
        usual = self._usual.get(keys)
        if usual is None:
            if len(self._usual) >= _MAX_REMEMBERED:
                self._usual.clear()
            usual = self._usual[keys] = _NEEDED <= set(keys) <= _USUAL
        return usual

    def _fits(self, attributes: Any, extra: dict[str, Any]) -> bool:
        """Return whether attributes feed no field.

        They are an object of which no member does.
        """
        if attributes is None:
            return "attributes" not in extra
        if type(attributes) is not dict or dict in map(type, attributes.values()):
            return False
        keys = tuple(attributes)
        neutral = self._neutral.get(keys)
        if neutral is None:
            if len(self._neutral) >= _MAX_REMEMBERED:
                self._neutral.clear()
            neutral = self._neutral[keys] = _TAKEN.isdisjoint(map(fold, keys)) and self._plans.are_neutral(keys)
        return neutral

    def _origin_of(self, around: dict[str, Any]) -> _Origin:
        if around is not self._around:
            self._around, self._origin = around, self._read_origin(around)
        return self._origin

    def _read_origin(self, around: dict[str, Any]) -> _Origin:
        """Return the origin of a scope's records.

        By the plan that a whole record would have.
        """
        unknown = _Origin(None, None, {})
        if not isinstance(around.get("resource", {}), dict) or _USUAL & around.keys():
            return unknown
        record = Log({"timeUnixNano": 1, "severityNumber": 1, "body": "x"}, around).whole()
        plan, objects = self._plans.plan(record)
        try:
            draft = fill(plan, objects, -1)
        except Refused:
            return unknown
        tidy(plan, objects)
        del record["body"]
        more = draft.log_id or draft.stack_trace or draft.trace_id or draft.span_id or draft.logger
        if not plan.otel or plan.line or plan.json:  # what is beside the envelope makes it something else
            return unknown
        if more or not draft.service or draft.time_key != "timeUnixNano" or draft.level_key != "severityNumber":
            return unknown
        if max(len(draft.service), len(draft.host or "")) > MAX_FIELD:
            return unknown
        return _Origin(draft.service, draft.host, record)


def _micros(time: Any) -> int | None:
    """Microseconds of nanoseconds that are a whole number of them."""
    if type(time) is str and time.isdecimal() and time.isascii() and len(time) == 19:
        time = int(time)
    if type(time) is not int or not 10**18 <= time < 10**19:
        return None
    micros, rest = divmod(time, 1_000)
    return None if rest else micros


def _drops(extra: dict[str, Any], text: Any, name: str) -> bool:
    """Drop a severity text that says what the number says.

    Returns False if it says something else.
    """
    if type(text) is not str or (text and read_level(text) != (name, False)):
        return False
    if text:
        del extra["severityText"]
    return True


def _identity(extra: dict[str, Any], name: str) -> str | Literal[False] | None:
    """Take an id out of an object.

    None if there is none, False if it needs a closer look. An empty one stays.
    """
    value = extra.get(name)
    if not value:
        return None if value == "" or name not in extra else False
    if (
        type(value) is not str
        or value[0] == "0"
        and not value.strip("0")
        or value[:2] in ("0x", "0X")
        or value[-1] == "="
    ):
        return False
    if len(value) > MAX_FIELD:
        return False
    del extra[name]
    return value


def _may_hold_ids(message: str) -> bool:
    return "race" in message or "RACE" in message
