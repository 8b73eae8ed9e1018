"""From the bytes of a JSON record to a draft of an event: strict JSON, and one recogniser per input shape.

Nothing is lost: what a recogniser does not take into a field of the draft stays in `Draft.extra`,
which becomes the event's `attributes`. All functions are pure; `Refused` is their only exception.
"""

import json
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 64
"""Deepest nesting of objects and arrays that is accepted."""


class Reason(StrEnum):
    """Why a record is no event. The values are stored in the quarantine table: never rename one."""

    NULL_VALUE = "null_value"
    EMPTY_VALUE = "empty_value"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_UNICODE = "invalid_unicode"
    INVALID_JSON = "invalid_json"
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
    """A record is no event; carries the reason and a detail that holds no content but field names and types."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def field_name(name: Any) -> str:
    """A field's name fit for a log line: escaped and at most about 100 characters."""
    text = ascii(name)
    return text if len(text) <= 100 else text[:97] + "..."


def type_name(value: Any) -> str:
    """The JSON name of a value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


# -- strict JSON -----------------------------------------------------------------------------------


class Number:
    """A JSON number that int64 or float64 would change, kept as the text that was sent."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Number({self.text})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def dump_json(value: Any) -> bytes:
    """Compact JSON; a `Number` is written as it was sent."""
    return orjson.dumps(value, default=_number_fragment)


def _number_fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def read_json(raw: bytes) -> Any:
    """Parse one JSON document and lose nothing of it.

    orjson decides what is valid (RFC 8259, UTF-8, no lone surrogates, finite numbers). It keeps the last of
    two equal keys and rounds numbers in silence, so its result is used only where it is proved to be whole;
    otherwise the standard library reads the document again, with a check of every object and number.
    Raises Refused (invalid_utf8, invalid_unicode, invalid_json, duplicate_key, too_deep, number_out_of_range).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _why_invalid(raw) from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        check_depth(value)
    if orjson.dumps(value) == raw or _is_whole(value, raw):
        return value
    return _read_carefully(raw.decode())


def _is_whole(value: Any, raw: bytes) -> bool:
    """True where no key was dropped and no number changed: every quote of the text is in the parsed tree.

    A string token costs two quotes, and a dropped key is at least one token, so the count of quotes in the text
    then exceeds that of the tree. Only the escape `u0022` makes a quote of no quote: it is left to the careful way.
    """
    if b"\\u0022" in raw:
        return False
    quotes = _count_quotes(value)
    return quotes is not None and quotes == raw.count(b'"')


def _count_quotes(value: Any) -> int | None:
    """Quotes that the strings of a tree need in JSON text; None where a float hides how it was written."""
    quotes = 0
    pending = [value]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind is str:
            quotes += 2 + node.count('"')
        elif kind is dict:
            quotes += 2 * len(node) + "".join(node).count('"')
            pending.extend(node.values())
        elif kind is list:
            pending.extend(node)
        elif kind is float:
            return None
    return quotes


def check_depth(value: Any) -> None:
    """Raise Refused(too_deep) where objects and arrays nest deeper than MAX_DEPTH."""
    level, depth = [value], 0
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise Refused(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]


def read_exactly(text: str | bytes) -> Any:
    """Parse JSON that is known to be valid; `dump_json` writes every number of it as it stood."""
    return json.loads(text, parse_int=_exact_int, parse_float=_exact_float)


def _read_carefully(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_unique, parse_int=_exact_int, parse_float=_exact_float, parse_constant=_no_constant
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise Refused(Reason.DUPLICATE_KEY, f"the key {field_name(double)} stands twice in one object")
    return found


def _exact_int(text: str) -> int | Number:
    value = int(text) if len(text) <= 20 else None
    return value if value is not None and -(2**63) <= value < 2**63 and str(value) == text else Number(text)


def _exact_float(text: str) -> float | Number:
    value = float(text)
    return value if orjson.dumps(value) == text.encode() else Number(text)


def _no_constant(text: str) -> Any:
    raise Refused(Reason.INVALID_JSON, f"{text} is no JSON value")


def _why_invalid(raw: bytes) -> Refused:
    """The reason why orjson refused a document."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Refused(Reason.INVALID_UTF8, f"invalid UTF-8 at byte {error.start} of {len(raw)}")
    try:
        value = _read_carefully(text)
    except Refused as refused:
        return refused
    except RecursionError:
        return Refused(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
    except json.JSONDecodeError as error:
        return Refused(Reason.INVALID_JSON, f"{error.msg} at character {error.pos} of {len(text)}")
    return _why_only_orjson_refuses(value)


def _why_only_orjson_refuses(value: Any) -> Refused:
    try:
        check_depth(value)
        json.dumps(value, ensure_ascii=False, default=_finite).encode("utf-8")
    except UnicodeEncodeError:
        return Refused(Reason.INVALID_UNICODE, "an escape names half of a surrogate pair")
    except Refused as refused:
        return refused
    return Refused(Reason.INVALID_JSON, "not valid JSON")


def _finite(number: Number) -> None:
    if len(number.text) > 300 or abs(float(number.text)) == float("inf"):
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, "a number is beyond the range of a 64-bit float")


# -- drafts ----------------------------------------------------------------------------------------


class Time(NamedTuple):
    """A candidate for the event's time: the name it keeps in `attributes` where another one is chosen."""

    name: str
    value: Any
    unit: str = ""  # "ns" where the shape fixes the unit of a number, else it is told from the magnitude
    needs_zone: bool = False  # a local time of unknown zone gives way to a later candidate


class Level(NamedTuple):
    """A candidate for the event's level; `scheme` says what its numbers mean: otel, syslog or any."""

    name: str
    value: Any
    scheme: str = "any"


class Draft:
    """Raw JSON scalars of one event, before types and limits are checked."""

    __slots__ = (
        "times", "levels", "message", "service", "weak_service", "host",
        "log_id", "stack_trace", "trace_id", "span_id", "extra",
    )  # fmt: skip

    def __init__(self, extra: dict[str, Any]) -> None:
        self.times: list[Time] = []
        self.levels: list[Level] = []
        self.message: Any = None
        self.service: Any = None
        self.weak_service: tuple[str, Any] | None = None  # a logger's name: a service only for want of a better one
        self.host: Any = None
        self.log_id: Any = None
        self.stack_trace: Any = None
        self.trace_id: Any = None
        self.span_id: Any = None
        self.extra = extra


def keep(extra: dict[str, Any], name: str, value: Any) -> None:
    """Add to the attributes without overwriting: a taken name gets underscores in front."""
    while name in extra:
        name = "_" + name
    extra[name] = value


# -- names -----------------------------------------------------------------------------------------


class Alias(NamedTuple):
    """A folded name, and the way to it where it is dotted."""

    name: str
    parents: tuple[str, ...]
    last: str


def _aliases(*names: str) -> tuple[Alias, ...]:
    return tuple(Alias(name, tuple(name.split(".")[:-1]), name.split(".")[-1]) for name in names)


# Aliases are folded (lower case, no "_", "-", "@"); a dot finds both "log.level" and {"log": {"level": …}}.
TIME_NAMES = _aliases(
    "timestamp", "time", "ts", "datetime", "eventtime", "asctime", "t", "date", "timemillis", "realtimetimestamp",
    "timeunixnano",
)  # fmt: skip
CONTAINER_TIME_NAMES = _aliases("time", "timestamp", "ts", "datetime", "date")
MESSAGE_NAMES = _aliases("message", "msg", "m", "shortmessage", "body", "text", "log", "event", "mt")
_BODY_NAMES = tuple(alias for alias in MESSAGE_NAMES if alias.name not in ("log", "event"))
LEVEL_NAMES = _aliases(
    "level", "severity", "lvl", "loglevel", "log.level", "severitytext", "levelname", "l", "priority",
    "severitynumber", "levelvalue",
)  # fmt: skip
SERVICE_NAMES = _aliases(
    "service", "service.name", "servicename", "app", "application", "appname", "applicationname",
    "spring.application.name", "component",
)  # fmt: skip
POD_NAMES = _aliases("kubernetes.podname", "kubernetes.pod.name", "k8s.pod.name", "podname")
CONTAINER_NAMES = _aliases(
    "kubernetes.containername", "kubernetes.container.name", "k8s.container.name", "containername"
)
HOST_NAMES = _aliases(
    "host", "host.name", "hostname", "host.hostname", "node", "nodename", "kubernetes.host", "kubernetes.node.name",
    "k8s.node.name", "machinename", "machine",
)  # fmt: skip
STACK_NAMES = _aliases(
    "stacktrace", "error.stacktrace", "exception.stacktrace", "err.stack", "error.stack", "stack", "traceback",
    "excinfo",
)  # fmt: skip
TRACE_NAMES = _aliases("traceid", "trace.id", "xb3traceid", "dd.traceid")
SPAN_NAMES = _aliases("spanid", "span.id", "xb3spanid", "dd.spanid")
LOG_ID_NAMES = _aliases("logid", "event.id")
_LOGGER_NAMES, _LOGGER_CLASS_NAMES = _aliases("logger"), _aliases("loggername")

CANONICAL = frozenset(
    ("log_id", "timestamp", "level", "service", "host", "message", "stack_trace", "trace_id", "span_id")
)
_TIME_UNITS = {"realtimetimestamp": "us", "timeunixnano": "ns", "observedtimeunixnano": "ns"}
SCHEMES = {"priority": "syslog", "severitynumber": "otel"}


def fold(name: str) -> str:
    """A field's name without case, underscores, hyphens and at signs."""
    return name.lower().replace("_", "").replace("-", "").replace("@", "")


def fold_names(names: Iterable[str]) -> dict[str, str]:
    """Folded name -> name; of several spellings the exact lower-case one wins, else the first."""
    folded: dict[str, str] = {}
    for name in names:
        short = fold(name)
        if short not in folded or name in CANONICAL:
            folded[short] = name
    return folded


class Taken(NamedTuple):
    """A scalar that was taken out of an object: by which alias, under which key."""

    alias: str
    key: str
    value: Any


class Fields:
    """An object whose scalars are found by alias and taken out; what is not taken is `rest`."""

    __slots__ = ("rest", "names")

    def __init__(self, record: dict[str, Any]) -> None:
        self.rest = record
        self.names = fold_names(record)

    def find(self, alias: Alias) -> tuple[dict[str, Any], str] | None:
        """The object and key that hold an alias, dotted or nested."""
        name, parents, last = alias
        key = self.names.get(name)
        if key is not None:
            return (self.rest, key) if key in self.rest else None
        if not parents or parents[0] not in self.names:
            return None
        holder: Any = self.rest
        names = self.names
        for parent in parents:
            holder = holder.get(names.get(parent, ""))
            if not isinstance(holder, dict):
                return None
            names = fold_names(holder)
        return (holder, names[last]) if last in names else None

    def take(self, aliases: Iterable[Alias]) -> Taken | None:
        """Take the first scalar that is not empty, or None.

        Raises Refused(wrong_type) where a canonical field holds an object or an array that explains nothing.
        """
        wrong = None
        names = self.names
        for alias in aliases:
            if alias[0] not in names and (not alias[1] or alias[1][0] not in names):
                continue
            found = self.find(alias)
            if found is None:
                continue
            holder, key = found
            value = holder[key]
            if isinstance(value, dict | list):
                if holder is self.rest and key in CANONICAL:
                    wrong = self._tolerate(key, value)
            elif value is None or value == "":
                if holder is self.rest and key in CANONICAL:
                    del holder[key]
            else:
                self._remove(holder, key, alias)
                return Taken(alias.name, key if holder is self.rest else alias.name, value)
        if wrong:
            raise _wrong_type(wrong, self.rest[wrong])
        return None

    def _tolerate(self, key: str, value: Any) -> str | None:
        """ECS nests `service` and `host`; there a name may be missing, elsewhere not."""
        if key not in ("service", "host") or isinstance(value, list):
            raise _wrong_type(key, value)
        return None if "timestamp" in self.names and self.names["timestamp"] == "@timestamp" else key

    def _remove(self, holder: dict[str, Any], key: str, alias: Alias) -> None:
        del holder[key]
        if holder is not self.rest and not holder and len(alias.parents) == 1:
            self.rest.pop(self.names[alias.parents[0]], None)

    def take_value(self, aliases: Iterable[Alias]) -> Any:
        """Like `take`, the value alone."""
        taken = self.take(aliases)
        return taken and taken.value

    def peek(self, aliases: Iterable[Alias]) -> str | None:
        """The first non-empty string of the aliases; it stays in `rest`."""
        for found in map(self.find, aliases):
            if found and isinstance(value := found[0][found[1]], str) and value:
                return value
        return None


def _wrong_type(name: str, value: Any) -> Refused:
    return Refused(Reason.WRONG_TYPE, f"{field_name(name)} holds an {type_name(value)}, not a string")


# -- shapes ----------------------------------------------------------------------------------------


def recognise(record: dict[str, Any]) -> Draft:
    """The draft of a record in any known shape. Takes `record` over and empties it of what it uses.

    Raises Refused (multiple_records, wrong_type, missing_message).
    """
    if "resourceLogs" in record or "resource_logs" in record:
        return otlp_envelope(record)
    if _is_otel(record):
        return otel_record(record)
    if _is_container(record):
        return container_line(record)
    return aliased(record)


def aliased(record: dict[str, Any], time_names: Iterable[Alias] = TIME_NAMES) -> Draft:
    """The seed's shape, ECS, logstash-logback-encoder, pino, zap, GELF and any object with usual field names."""
    fields = Fields(record)
    draft = Draft(record)
    draft.log_id = fields.take_value(LOG_ID_NAMES)
    draft.stack_trace = fields.take_value(STACK_NAMES)
    draft.trace_id = fields.take_value(TRACE_NAMES)
    draft.span_id = fields.take_value(SPAN_NAMES)
    _take_time_and_level(fields, draft, time_names)
    draft.message = _take_message(fields)
    draft.host = fields.take_value(HOST_NAMES)
    service = fields.take_value(SERVICE_NAMES)
    draft.service = service_of_pod(fields) if service is None else service
    logger = fields.take(_LOGGER_NAMES)
    draft.weak_service = (logger.key, logger.value) if logger else _peek_logger(fields)
    return draft


def _take_time_and_level(fields: Fields, draft: Draft, time_names: Iterable[Alias]) -> None:
    taken = fields.take(time_names)
    if taken is None:
        _refuse_structured(fields, time_names)
    else:
        draft.times.append(Time(taken.key, taken.value, _TIME_UNITS.get(taken.alias, "")))
    level = fields.take(LEVEL_NAMES)
    if level:
        draft.levels.append(Level(level.key, level.value, SCHEMES.get(level.alias, "any")))


def _take_message(fields: Fields) -> Any:
    taken = fields.take(MESSAGE_NAMES)
    if taken is None:
        _refuse_structured(fields, _BODY_NAMES)
    return taken and taken.value


def _refuse_structured(fields: Fields, names: Iterable[Alias]) -> None:
    for found in map(fields.find, names):
        if found and isinstance(value := found[0][found[1]], dict | list):
            raise _wrong_type(found[1], value)


def _peek_logger(fields: Fields) -> tuple[str, Any] | None:
    name = fields.peek(_LOGGER_CLASS_NAMES)
    return ("", name) if name else None  # the empty name: it stays in the attributes as well


_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # Kubernetes' alphabet of generated names (util/rand SafeEncodeString)
_POD = re.compile(
    rf"(.+?)(?:-{_HASH}{{6,10}}-{_HASH}{{5}}|-\d{{8,10}}-{_HASH}{{5}}|-{_HASH}{{5}}|-\d{{1,4}})", re.ASCII | re.DOTALL
)


def service_name(pod: str) -> str:
    """A pod's name without the suffixes of its replica set, daemon set, job or stateful set."""
    found = _POD.fullmatch(pod) if len(pod) <= 253 else None  # a DNS subdomain name has no more
    return found[1] if found else pod


def service_of_pod(fields: Fields) -> str | None:
    """The service that runs in a pod, else the container's name. Both names stay in the attributes."""
    pod = fields.peek(POD_NAMES)
    return service_name(pod) if pod else fields.peek(CONTAINER_NAMES)


# -- OpenTelemetry ---------------------------------------------------------------------------------

_OTEL_ONLY = ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano", "severityNumber")
_OTEL_BODY = ("body", "Body")
_OTEL_CONTEXT = (
    "resource", "Resource", "resourceAttributes", "severity_number", "SeverityNumber", "SeverityText", "severityText",
)  # fmt: skip

_OTEL_TIMES = _aliases("timeunixnano", "timestamp", "observedtimeunixnano", "observedtimestamp")
_OTEL_LEVELS = _aliases("severitynumber", "severitytext", "level", "severity")


def _is_otel(record: dict[str, Any]) -> bool:
    return any(name in record for name in _OTEL_ONLY) or (
        any(name in record for name in _OTEL_BODY) and any(name in record for name in _OTEL_CONTEXT)
    )


def otlp_envelope(record: dict[str, Any]) -> Draft:
    """OTLP/JSON `resourceLogs` → `scopeLogs` → `logRecords` that holds exactly one record.

    Resource and scope go into the attributes. Raises Refused(multiple_records) for more than one.
    """
    name = "resourceLogs" if "resourceLogs" in record else "resource_logs"
    found = [
        (resource, scope, logs)
        for resource in _objects(record, name)
        for scope in _objects(resource, "scopeLogs", "scope_logs", "instrumentationLibraryLogs")
        if (logs := _objects(scope, "logRecords", "log_records", "logs"))
    ]
    total = sum(len(logs) for *_, logs in found)
    if total != 1:
        reason = Reason.MULTIPLE_RECORDS if total else Reason.MISSING_MESSAGE
        raise Refused(reason, f"the envelope holds {total} log records, not one")
    resource, scope, logs = found[0]
    inner = dict(logs.pop())
    for holder, key in ((resource, "resource"), (scope, "scope"), (scope, "instrumentationLibrary")):
        if key in holder and key not in inner:
            inner[key] = holder.pop(key)
    for key, value in record.items():
        if (rest := _prune(value)) not in (None, {}, []):
            keep(inner, key, rest)
    return otel_record(inner)


def _objects(holder: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    for name in names:
        if name in holder:
            value = holder[name]
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise Refused(Reason.WRONG_TYPE, f"{field_name(name)} holds no array of objects")
            return value
    return []


def _prune(value: Any) -> Any:
    """A tree without its empty objects and arrays."""
    if isinstance(value, dict):
        return {k: p for k, v in value.items() if (p := _prune(v)) not in ({}, [])}
    if isinstance(value, list):
        return [p for v in value if (p := _prune(v)) not in ({}, [])]
    return value


def otel_record(record: dict[str, Any]) -> Draft:
    """An OpenTelemetry log record: OTLP/JSON (`timeUnixNano`, typed values) or an SDK's plain JSON.

    The record's own attributes become the event's; those of the resource stay under `resource`.
    """
    attributes = _simplify(record)
    fields = Fields(record)
    draft = Draft(record)
    _take_otel_times(fields, draft)
    _take_otel_levels(fields, draft)
    draft.message = _take_body(fields)
    draft.trace_id = fields.take_value(TRACE_NAMES)
    draft.span_id = fields.take_value(SPAN_NAMES)
    _merge_into(record, attributes, "attributes")
    _take_origin(draft)
    return draft


def _take_origin(draft: Draft) -> None:
    """Service and host from the resource, else from the record; a stack trace from the record."""
    record = draft.extra
    fields = Fields(record)
    resource = Fields(record["resource"] if isinstance(record.get("resource"), dict) else {})
    draft.log_id = fields.take_value(LOG_ID_NAMES)
    draft.stack_trace = fields.take_value(STACK_NAMES)
    draft.service = _first(resource.take_value(SERVICE_NAMES), lambda: fields.take_value(SERVICE_NAMES))
    draft.service = _first(draft.service, lambda: service_of_pod(resource))
    draft.host = _first(resource.take_value(HOST_NAMES), lambda: fields.take_value(HOST_NAMES))
    if record.get("resource") == {}:
        del record["resource"]


def _first(value: Any, otherwise: Callable[[], Any]) -> Any:
    return otherwise() if value is None else value


def _simplify(record: dict[str, Any]) -> Any:
    """Turn `[{key, value}]` lists into objects and the resource into its attributes; return the record's own."""
    names = fold_names(record)
    resource = _pop(record, names, "resource")
    if isinstance(resource, dict) and isinstance(resource.get("attributes"), dict | list):
        resource = _merge_into(resource, plain_attributes(resource.pop("attributes")), "attributes")
    flat = _pop(record, names, "resourceattributes")
    if flat is not None:
        resource = _merge_into({} if resource is None else resource, plain_attributes(flat), "attributes")
    if resource is not None:
        keep(record, "resource", resource)
    scope = record.get("scope")
    if isinstance(scope, dict) and "attributes" in scope:
        scope["attributes"] = plain_attributes(scope["attributes"])
    return plain_attributes(_pop(record, names, "attributes"))


def _pop(record: dict[str, Any], names: dict[str, str], alias: str) -> Any:
    return record.pop(names[alias], None) if alias in names else None


def _merge_into(target: Any, attributes: Any, name: str) -> dict[str, Any]:
    """Add attributes to an object, under `name` where they are no object."""
    if not isinstance(target, dict):
        target = {"value": target}
    if isinstance(attributes, dict):
        for key, value in attributes.items():
            keep(target, key, value)
    elif attributes is not None:
        keep(target, name, attributes)
    return target


def plain_attributes(value: Any) -> Any:
    """OTLP's `[{key, value}]` as an object; anything else, and a list with a key twice, as it is."""
    if not isinstance(value, list):
        return value
    pairs = [_pair(item) for item in value]
    if None in pairs:
        return value
    found = dict(pairs)
    return found if len(found) == len(pairs) else value


def _pair(item: Any) -> tuple[str, Any] | None:
    if isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str):
        return item["key"], plain_value(item["value"])
    return None


def plain_value(value: Any) -> Any:
    """OTLP's AnyValue (`{"stringValue": …}`) as plain JSON; anything else as it is."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    kind, inner = next(iter(value.items()))
    if kind in ("stringValue", "string_value", "boolValue", "bool_value", "doubleValue", "double_value"):
        return value if isinstance(inner, dict | list) else inner
    if kind in ("intValue", "int_value"):
        return int(inner) if isinstance(inner, str) and re.fullmatch(r"-?\d{1,18}", inner, re.ASCII) else inner
    nested = inner.get("values") if isinstance(inner, dict) and inner.keys() == {"values"} else None
    if kind in ("arrayValue", "array_value") and isinstance(nested, list):
        return [plain_value(item) for item in nested]
    if kind in ("kvlistValue", "kvlist_value") and isinstance(nested, list):
        return plain_attributes(nested)
    return value


def _take_otel_times(fields: Fields, draft: Draft) -> None:
    for alias in _OTEL_TIMES:
        taken = fields.take((alias,))
        if taken and str(taken.value) == "0":  # OTLP's word for absent
            keep(fields.rest, taken.key, taken.value)
        elif taken:
            draft.times.append(Time(taken.key, taken.value, _TIME_UNITS.get(alias.name, "")))


def _take_otel_levels(fields: Fields, draft: Draft) -> None:
    for alias in _OTEL_LEVELS:
        taken = fields.take((alias,))
        if taken and alias.name == "severitynumber" and str(taken.value) == "0":
            keep(fields.rest, taken.key, taken.value)
        elif taken:
            draft.levels.append(Level(taken.key, taken.value, SCHEMES.get(alias.name, "any")))


def _take_body(fields: Fields) -> Any:
    """The text of a body; a structured one is its own compact JSON text, OpenTelemetry allows any value."""
    body = plain_value(_pop(fields.rest, fields.names, "body"))
    if isinstance(body, dict | list):
        return dump_json(body).decode()
    return body if body not in (None, "") else fields.take_value(MESSAGE_NAMES)


# -- containers ------------------------------------------------------------------------------------

_CONTAINER_MARKS = ("stream", "kubernetes", "docker", "PodName", "Container", "container_name", "container_id")


def _is_container(record: dict[str, Any]) -> bool:
    log = record.get("log")
    if isinstance(log, str):
        return "message" not in record and ("time" in record or any(mark in record for mark in _CONTAINER_MARKS))
    return isinstance(log, dict) and "stream" in record and "message" not in record


def container_line(record: dict[str, Any]) -> Draft:
    """A container runtime's `{"log", "stream", "time"}`, with or without fluent-bit's `kubernetes` object.

    `log` is read as JSON of any shape, as a logback line, or as plain text. What the application says wins over
    what the runtime says, but for the host, which is the node, and a local time, which gives way to `time`.
    """
    inner = _inner(record.pop("log"))
    return _merge(inner, aliased(record, CONTAINER_TIME_NAMES))


def _inner(log: Any) -> Draft:
    if isinstance(log, dict):
        return recognise(log)
    text = log.rstrip("\r\n")
    if text.lstrip().startswith("{"):
        draft = _inner_json(text)
        if draft is not None:
            return draft
    return text_line(text)


def _inner_json(text: str) -> Draft | None:
    """The draft of JSON in a log line, or None where it is no sound object with a message: then it is text."""
    try:
        value = read_json(text.strip().encode())
        draft = recognise(value) if isinstance(value, dict) and not _is_container(value) else None
    except Refused:
        return None
    return draft if draft and draft.message is not None and not isinstance(draft.message, dict | list) else None


def _merge(inner: Draft, outer: Draft) -> Draft:
    inner.times = [time._replace(name="log_time", needs_zone=True) for time in inner.times] + outer.times
    inner.levels += outer.levels
    for name in ("service", "log_id", "stack_trace", "trace_id", "span_id"):
        _prefer(inner, name, getattr(inner, name), getattr(outer, name), inner.extra)
    _prefer(inner, "host", outer.host, inner.host, inner.extra)
    for name, value in outer.extra.items():
        keep(inner.extra, name, value)
    if outer.message is not None:
        keep(inner.extra, "container_message", outer.message)
    inner.weak_service = inner.weak_service or outer.weak_service
    return inner


def _prefer(draft: Draft, name: str, first: Any, second: Any, extra: dict[str, Any]) -> None:
    """Set a field to the first value, keep a different second one in the attributes."""
    setattr(draft, name, second if first is None else first)
    if first is not None and second is not None and first != second:
        keep(extra, f"container_{name}" if name != "host" else "hostname", second)


# -- text lines ------------------------------------------------------------------------------------

_WORDS = "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|FATAL|CRITICAL|SEVERE|PANIC"
_STAMP = re.compile(
    r"\[?((?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)\]?[ \t]+(?:- )?", re.ASCII
)
_THREAD = re.compile(r"\[([^\]\n]*)\][ \t]+")
_LEVEL = re.compile(rf"\[?({_WORDS})\]?(?=[ \t:])[ \t]*")
_CORRELATION = re.compile(r"\[([^,\]\n]*,([0-9a-f]{8,64})?[,-]([0-9a-f]{8,64})?(?:,\w*)?)\][ \t]+", re.ASCII)
_PROCESS = re.compile(r"(\d+)[ \t]+---[ \t]+", re.ASCII)
_LOGGER = re.compile(r"([^\s\[(]\S*)[ \t]+[-:][ \t]+")
_LINE_LOGGER = re.compile(r"(\S+#\d+):?[ \t]+", re.ASCII)
_DASH = re.compile(r"[-:][ \t]+")
_PYTHON = re.compile(rf"(\S+)[ \t]+-[ \t]+({_WORDS})[ \t]+-[ \t]+")
_COLOUR = re.compile(r"(?:\x1b\[[\d;]*m)+")
_LEADING = re.compile(
    rf"({_WORDS})(?=[\s:|,\]\x1b]|$)|[\[<(](?i:({_WORDS}))[\])>]|(?i:({_WORDS})):|([IWEF])\d{{4}} \d\d:\d\d:\d\d",
    re.ASCII,
)
_LOGFMT = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?([A-Za-z]+)")
_TRACE_START = re.compile(
    r"\n(?:(?:[\w$]+\.)*[\w$]*(?:Exception|Error|Throwable)\b[^\n]*\n)?"
    r"(?=[ \t]+at |Caused by: |[ \t]*\.\.\. \d+ (?:more|common)|Traceback \(most recent call last\):)",
    re.ASCII,
)


def text_line(text: str) -> Draft:
    """A line of text: logback, Spring Boot or Python `logging` headers are taken apart, stack traces cut off."""
    draft = Draft({})
    head, draft.stack_trace = split_stack_trace(text)
    draft.message = _take_header(head, draft)
    if not draft.levels:
        _detect_level(head, draft)
    return draft


def split_stack_trace(text: str) -> tuple[str, str | None]:
    """The message and the stack trace of a text; joined by a newline they are the text again."""
    found = _TRACE_START.search(text) if "\n" in text else None
    return (text[: found.start()], text[found.start() + 1 :]) if found else (text, None)


def _take_header(text: str, draft: Draft) -> str:
    """Take time, level, thread, process and logger from the head of a line; the whole line where it has none."""
    stamp = _STAMP.match(text)
    if stamp is None:
        return text
    python = _PYTHON.match(text, stamp.end())
    parts = _python_parts(python) if python else _logback_parts(text, stamp.end())
    if parts is None or not text[parts["end"] :]:
        return text
    draft.times.append(Time("log_time", stamp[1]))
    draft.levels.append(Level("log_level", parts["level"]))
    draft.extra |= {name: parts[name] for name in ("thread", "correlation", "pid", "logger") if parts.get(name)}
    draft.trace_id, draft.span_id = parts.get("trace_id"), parts.get("span_id")
    return text[parts["end"] :]


def _python_parts(found: re.Match[str]) -> dict[str, Any]:
    return {"logger": found[1], "level": found[2], "end": found.end()}


def _logback_parts(text: str, at: int) -> dict[str, Any] | None:
    thread = _THREAD.match(text, at)
    level = _LEVEL.match(text, thread.end() if thread else at)
    if level is None and thread:  # "[INFO] text" looks like a thread's name
        thread, level = None, _LEVEL.match(text, at)
    if level is None:
        return None
    parts = {"level": level[1], "thread": thread and thread[1], "end": level.end()}
    correlation = _CORRELATION.match(text, level.end())  # Spring Cloud Sleuth's [application,trace,span]
    if correlation:
        parts["correlation"], parts["trace_id"], parts["span_id"] = correlation.groups()
        parts["end"] = correlation.end()
    return _logger_parts(text, parts)


def _logger_parts(text: str, parts: dict[str, Any]) -> dict[str, Any]:
    at = parts["end"]
    process = _PROCESS.match(text, at)
    if process:
        parts["pid"], at = process[1], process.end()
    late_thread = None if parts["thread"] else _THREAD.match(text, at)
    start = late_thread.end() if late_thread else at
    logger = _LINE_LOGGER.match(text, start) or _LOGGER.match(text, start)
    sure = process or parts["thread"] or late_thread or (logger and ("." in logger[1] or "#" in logger[1]))
    if logger and sure:
        parts |= {"logger": logger[1], "end": logger.end()}
        if late_thread:
            parts["thread"] = late_thread[1]
        return parts
    dash = _DASH.match(text, at)
    parts["end"] = dash.end() if dash else at
    return parts


def _detect_level(text: str, draft: Draft) -> None:
    """A level from the first word or a logfmt `level=`; the text keeps it, so it is not retained elsewhere."""
    colour = _COLOUR.match(text)
    found = _LEADING.match(text, colour.end() if colour else 0) or _LOGFMT.search(text[:1000])
    if found:
        draft.levels.append(Level("", found[found.lastindex or 0]))


_TRACE_ID = re.compile(r"(?i)\btrace[._-]?id[\"']?\s*[:=]\s*[\"']?([0-9a-f]{8,64})(?![0-9a-z])")
_SPAN_ID = re.compile(r"(?i)\bspan[._-]?id[\"']?\s*[:=]\s*[\"']?([0-9a-f]{8,64})(?![0-9a-z])")


def ids_in_text(message: str) -> tuple[str | None, str | None]:
    """Trace and span id from `TraceID: x SpanID: y` or `trace_id=x` in a message; the message keeps them."""
    trace, span = _TRACE_ID.search(message), _SPAN_ID.search(message)
    return trace and trace[1], span and span[1]
