"""Parser: a Kafka record's bytes as typed events or refusals.

`parse_record` is pure and total: it never raises on any bytes, and what it accepts it keeps whole. Every leaf of the
record is in a field of an event or in `attributes`; a value that a rule changes in a way that cannot be undone
(nanoseconds, an offset from UTC, level `NOTICE`) is kept there as `timestamp_original` or `level_original`.
"""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import lru_cache
from types import ModuleType
from typing import Any, NoReturn

import msgspec

from dualsink.events import container_lines, otel, packed, readers
from dualsink.events.catalogue import FORMATS
from dualsink.events.draft import Draft, keep, merge
from dualsink.events.fields import fill, summary, take_message, tidy, title
from dualsink.events.formats import Format, fold
from dualsink.events.levels import PLAIN_LEVELS, normalise_level, read_level
from dualsink.events.model import DAY, LEVELS, MAX_FIELD, Event, Reason, Refusal, Refused, VerbatimEvent, type_name
from dualsink.events.plans import Plan, Plans
from dualsink.events.strict_json import dump_json, read_json
from dualsink.events.text import ids_in_text, level_in_text, stamp_of, take_runtime_header, text_line
from dualsink.events.timestamps import canonical_time, parse_time

__all__ = [
    "DAY", "LEVELS", "MAX_FIELD", "Event", "Parser", "Reason", "Refusal", "VerbatimEvent", "normalise_level", "only",
    "parse", "parse_record", "parse_time",
]  # fmt: skip


class Parser:
    """Parser of records, for one thread at a time.

    It remembers the plans of the key sets it met.
    """

    def __init__(self, formats: Iterable[Format] = (), record_format: str = "auto", fast: bool = True) -> None:
        """Prepare a parser.

        `formats` are a user's own, before those that are known; `record_format` is the parameter. Without `fast` every
        record takes the general path, which tests compare with the fast ones.
        """
        self.formats = (*formats, *FORMATS)
        self._plans = Plans(self.formats)
        self._record_format = record_format
        self._fast_logs = otel.FastPath(self._plans)
        self._fast_path = container_lines.FastPath(self._plans)
        self._fast = fast

    def parse_record(self, value: bytes | None, key: bytes | None, kafka_timestamp: int) -> Sequence[Event | Refusal]:
        """Return the outcomes of a Kafka record's value.

        At least one; an event's position in the record is its index. `key` names the service if the value names none.
        `kafka_timestamp` is in microseconds UTC; events more than a day ahead of it are refused, unless it is negative,
        which is Kafka's way to say that there is none.
        """
        try:
            event = _fast_event(value, kafka_timestamp) if self._fast else None
            return (event,) if event else self._outcomes(value, key, kafka_timestamp)
        except Refused as refused:
            return (refused.refusal,)
        except MemoryError:
            raise
        except Exception as error:  # a bug here must not stop the stream for ever: the record waits in the quarantine
            return (Refusal(Reason.PARSER_ERROR.value, f"{type(error).__name__} in the parser"),)

    def parse(self, value: bytes | None, key: bytes | None, kafka_timestamp: int) -> Event | Refusal:
        """Return the only event of a record, or the refusal.

        A record that holds several is refused.
        """
        return only(self.parse_record(value, key, kafka_timestamp))

    def formats_of(self, value: bytes) -> tuple[str, ...]:
        """Return names of the formats whose marks a record has.

        Raises Refused for what is no JSON object.
        """
        record = _read_value(value)
        if not isinstance(record, dict):
            raise Refused(Reason.NOT_AN_OBJECT, f"the value is a JSON {type_name(record)}, not an object")
        if any(name in record for name in otel.ENVELOPES):
            return ("OTLP JSON",)
        return tuple(format.name for format in self._plans.plan(record)[0].formats)

    # -- records -----------------------------------------------------------------------------------

    def _outcomes(self, value: bytes | None, key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        if value and value[0] == _BRACE and self._record_format != "otlp_proto":
            record = read_json(value)
        else:
            if value and (packed.is_packed(value) or self._is_protobuf(value)):
                return self._unpacked(value, key, near)
            record = _read_value(value)
            if isinstance(record, list):
                return self._array(record, key, near)
            if not isinstance(record, dict):
                raise Refused(Reason.NOT_AN_OBJECT, f"the value is a JSON {type_name(record)}, not an object")
        if "resourceLogs" in record or "resource_logs" in record or "scopeLogs" in record:
            return self._logs(otel.records(record), key, near)
        plan, objects = self._plans.plan(record)
        if plan.events and isinstance(record.get(plan.events), list):
            return self._envelope(record, plan.events, key, near)
        draft = self._fast_path.draft(plan, objects, near) if plan.line and not plan.level and self._fast else None
        return (_event(draft or self._draft(record, plan, objects, near), key, near),)

    def _is_protobuf(self, value: bytes) -> bool:
        """Return whether a value is OTLP's protobuf.

        Its first byte is that of a newline, which may also begin a text.
        """
        if self._record_format != "auto" or value[:1] != b"\n":
            return self._record_format == "otlp_proto"
        return _otlp_proto().is_envelope(value) or not (value.isspace() or _is_text(value))

    def _unpacked(self, value: bytes, key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        if packed.is_packed(value):
            return self._outcomes(packed.unpacked(value), key, near)
        return self._logs(_otlp_proto().records(value), key, near)

    def _logs(self, logs: Iterable[otel.Log], key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        fast = self._fast_logs.event if self._fast else _no_event
        outcomes = [fast(log, near) or self._outcome(log.whole(), key, near) for log in logs]
        return outcomes or _nothing()

    def _array(self, items: list[Any], key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        if not any(isinstance(item, dict) for item in items):
            raise Refused(Reason.NOT_AN_OBJECT, "the value is a JSON array, not an object")
        return [outcome for item in items for outcome in self._item(item, key, near)]

    def _item(self, item: Any, key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        """Return the outcomes of an item of an array.

        It may be an envelope itself, as Azure's batches of them are.
        """
        if not isinstance(item, dict):
            return (self._outcome(item, key, near),)
        try:
            if any(name in item for name in otel.ENVELOPES):
                return self._logs(otel.records(item), key, near)
            plan = self._plans.plan(item)[0]
            if plan.events and isinstance(item.get(plan.events), list):
                return self._envelope(item, plan.events, key, near)
        except Refused as refused:
            return (refused.refusal,)
        return (self._outcome(item, key, near),)

    def _envelope(self, record: dict[str, Any], name: str, key: bytes | None, near: int) -> Sequence[Event | Refusal]:
        """Return the events of an array.

        Each with what is beside it.
        """
        items, record[name] = record[name], []
        outcomes = []
        for item in items:
            plan, objects = self._plans.plan(deepcopy(record))
            outer = fill(plan, objects, near)
            del outer.extra[name]
            outcomes.append(self._outcome(item, key, near, outer))
        return outcomes or _nothing()

    def _outcome(self, item: Any, key: bytes | None, near: int, outer: Draft | None = None) -> Event | Refusal:
        try:
            if not isinstance(item, dict):
                raise Refused(Reason.NOT_AN_OBJECT, f"the item is a JSON {type_name(item)}, not an object")
            draft = self._draft_of(item, near, unread=outer is not None)
            return _event(merge(draft, outer) if outer else draft, key, near)
        except Refused as refused:
            return refused.refusal

    # -- drafts ------------------------------------------------------------------------------------

    def _draft_of(self, record: dict[str, Any], near: int, unread: bool = False) -> Draft:
        plan, objects = self._plans.plan(record)
        return self._draft(record, plan, objects, near, unread)

    def _draft(
        self, record: dict[str, Any], plan: Plan, objects: list[dict[str, Any]], near: int, unread: bool = False
    ) -> Draft:
        """Return the draft of a record.

        It takes `record` over; `unread` says that its message may be a raw line.
        """
        if plan.otel:
            record = otel.flattened(record)
            plan, objects = self._plans.plan(record)
        draft = fill(plan, objects, near)
        inner = None
        if plan.line or plan.json or unread or draft.level is None or draft.level[0] == "UNKNOWN":
            inner = self._line(draft, plan, objects, near, unread)
        if inner is None:
            if draft.message is None:
                draft.message = take_message(plan, objects)
            if not draft.message or isinstance(draft.message, dict | list):
                inner = self._inner(draft, plan, objects, near)
        if plan.nested:
            tidy(plan, objects)
        if inner is not None:
            return merge(inner, draft)
        if not draft.message:
            draft.message = self._made_message(draft, plan, objects)
        return draft

    def _made_message(self, draft: Draft, plan: Plan, objects: list[dict[str, Any]]) -> str | None:
        """Return the message of a record that has none.

        Its request, or what happened; "" where an exception says more.
        """
        if found := summary(plan, objects):
            return found
        if plan.strict:
            return draft.message
        return "" if draft.stack_trace else title(plan, objects) or ""

    def _line(self, draft: Draft, plan: Plan, objects: list[dict[str, Any]], near: int, unread: bool) -> Draft | None:
        """Return the draft of a line that the application wrote.

        None if it is the message as it is, or there is none. A record with a level of its own was read by somebody; its
        message is a line only in a shipper's format.
        """
        unknown = draft.level is None or draft.level.name == "UNKNOWN"
        lines = plan.line or (plan.raw if unknown else ())
        own_lines = lines or plan.json
        for holder, key, read, *_ in own_lines or (plan.message if unread or unknown else ()):
            text = objects[holder].get(key)
            if read is not None and own_lines:
                text = read(text)
            if type(text) is str and text:
                own = text.lstrip().removeprefix(_COOKIE).lstrip()
                inner = self._json_line(own, near) if own[:1] == "{" else None
                if inner is None and (lines or unread):
                    inner = self._text_line(text.rstrip("\r\n"), draft, near)
                if inner is not None or draft.message is not None:
                    del objects[holder][key]
                return inner
        return None

    def _text_line(self, text: str, draft: Draft, near: int) -> Draft | None:
        """Return the draft of a line of text.

        None if the line is the message of `draft`, with or without a level.
        """
        stamp = stamp_of(text)
        if stamp or "\n" in text:
            runtime, rest = take_runtime_header(text)
            if runtime is None:
                return text_line(text, stamp)
            return merge(self._json_line(rest, near) or text_line(rest, stamp_of(rest)), runtime)
        level = level_in_text(text)
        if level is not None and draft.level is not None:
            return text_line(text, None)
        draft.message, draft.level = text, draft.level or level
        return None

    def _json_line(self, line: str, near: int) -> Draft | None:
        """Return the draft of JSON in a line.

        None if it is no sound object with a message or an exception: then it is text.
        """
        try:
            record = read_json(line.strip().encode())
            if not isinstance(record, dict):
                return None
            plan, objects = self._plans.plan(record)
            if plan.events:  # several events in a line that is one
                return None
            draft = self._draft(record, plan, objects, near)
        except Refused:
            return None
        return draft if draft.message or draft.stack_trace else None

    def _inner(self, draft: Draft, plan: Plan, objects: list[dict[str, Any]], near: int) -> Draft | None:
        """Return the draft of an object that the application wrote.

        The message itself, or one of the usual names.
        """
        message = draft.message
        if not isinstance(message, dict | list):
            return self._beside(plan, objects, near)
        place = next((c for c in plan.message if objects[c.holder].get(c.key) is message), None)
        own = message if isinstance(message, dict) and self._has_message(message) else None
        if own is None and place and place.key in ("log", "event"):  # ECS has objects of these names beside the record
            inner = self._beside(plan, objects, near)
            if inner is not None or (text := title(plan, objects)):
                draft.message = text if inner is None else None
                return inner
        if own is None and place and not (plan.otel or place.canonical) and (text := summary(plan, objects)):
            draft.message = text
            return None
        if place:
            del objects[place.holder][place.key]
        draft.message = dump_json(message).decode() if own is None else None
        return None if own is None else self._draft_of(own, near)

    def _beside(self, plan: Plan, objects: list[dict[str, Any]], near: int) -> Draft | None:
        """Return the draft of a log record beside.

        None in a log of requests, whose objects are what clients sent, unless a format says that it has one.
        """
        if summary(plan, objects) and not plan.envelope:
            return None
        for i, holder, key in plan.inner:
            if objects[holder].get(key) is objects[i] and self._has_message(objects[i]):
                del objects[holder][key]
                return self._draft_of(objects[i], near)
        record = objects[0]
        name = next((name for name, item in record.items() if type(item) is dict and self._is_log(item)), None)
        if name is not None:
            return self._draft_of(record.pop(name), near)
        return self._text_beside(record, near)

    def _text_beside(self, record: dict[str, Any], near: int) -> Draft | None:
        """Return the draft of a log record in a text.

        It is JSON, under any name.
        """
        for name, item in record.items():
            inner = self._json_line(item, near) if type(item) is str and item[:1] == "{" else None
            if inner is not None and inner.level is not None and inner.level.name != "UNKNOWN":
                del record[name]
                return inner
        return None

    def _is_log(self, record: dict[str, Any]) -> bool:
        """Return whether an object is a log record.

        It has a message and the name of a level; a number may be anything if the message has another name than usual.
        """
        plan, objects = self._plans.plan(record)
        usual = plan.message and fold(plan.message[0].key) in ("message", "msg", "shortmessage")
        values = [(objects[holder].get(key), scale) for holder, key, scale, *_ in plan.level]
        read = [read_level(value, scale)[0] for value, scale in values if type(value) is str or (usual and value)]
        return (plan.default_level or any(name != "UNKNOWN" for name in read)) and self._has_message(record)

    def _has_message(self, record: dict[str, Any]) -> bool:
        """Return whether an object holds its message.

        A text, or an object that holds one.
        """
        plan, objects = self._plans.plan(record)
        for holder, key, *_ in (*plan.line, *plan.message):
            if isinstance(objects[holder].get(key), str) and objects[holder][key]:
                return True
        return any(isinstance(objects[i], dict) and self._has_message(objects[i]) for i, _, _ in plan.inner)


def only(outcomes: Sequence[Event | Refusal]) -> Event | Refusal:
    """Return the only outcome of a record.

    A refusal if there are several.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    return Refusal(Reason.MULTIPLE_RECORDS.value, f"the record holds {len(outcomes)} log records, not one")


def _nothing() -> NoReturn:
    raise Refused(Reason.MISSING_MESSAGE, "the envelope holds no log record")


def _no_event(log: otel.Log, near: int) -> None:
    return None


def _otlp_proto() -> ModuleType:
    """Return the module that reads protobuf.

    It is loaded for a topic that has any.
    """
    from dualsink.events import otlp_proto

    return otlp_proto


def _is_text(value: bytes) -> bool:
    try:
        return not _CONTROL.search(value.decode())
    except UnicodeDecodeError:
        return False


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


def _read_value(value: bytes | None) -> Any:
    if value is None:
        raise Refused(Reason.NULL_VALUE, "the record has no value (a tombstone)")
    raw = value.removeprefix(_BOM)
    if not raw.strip():
        raise Refused(Reason.EMPTY_VALUE, "the value is empty or blank")
    return read_json(raw)


_BOM, _BRACE = b"\xef\xbb\xbf", ord("{")
_COOKIE = "@cee:"
"""What syslog writes before JSON (https://www.rsyslog.com/doc/configuration/modules/mmjsonparse.html)."""


_new = tuple.__new__  # a named tuple without its own constructor, at a third of the cost

# -- events ----------------------------------------------------------------------------------------


def _event(draft: Draft, key: bytes | None, near: int) -> Event:
    """Return the event of a draft.

    Raises Refused with what it lacks, or what is too long.
    """
    moment, message = draft.moment, draft.message
    if moment is None:
        raise draft.missing_time
    extra = draft.extra
    if not moment[1]:
        keep(extra, "timestamp_original", draft.time_value)
    if 0 <= near < moment[0] - DAY:
        raise Refused(Reason.TIMESTAMP_IN_FUTURE, "timestamp is more than one day ahead of the Kafka timestamp")
    if not message:
        message = _title(draft.stack_trace if message == "" else None)
    level = draft.level or level_in_text(message)
    if level is None:
        name = "UNKNOWN"
    else:
        name = level[0]
        if level[1] and draft.level_key:
            keep(extra, "level_original", draft.level_value)
    trace_id, span_id = draft.trace_id, draft.span_id
    if not (trace_id and span_id) and ("race" in message or "RACE" in message):
        trace_in_text, span_in_text = ids_in_text(message)
        trace_id, span_id = trace_id or trace_in_text, span_id or span_in_text
    service, host, log_id = draft.service, draft.host, draft.log_id
    if service is None:
        service = draft.logger or _key_service(key) or draft.logger_class or "unknown"
    for text in (service, host, log_id, trace_id, span_id):
        if text and len(text) > MAX_FIELD:
            raise _too_long(log_id=log_id, service=service, host=host, trace_id=trace_id, span_id=span_id)
    return _new(Event, (
        log_id, moment[0], name, service, host, message, draft.stack_trace, trace_id, span_id,
        dump_json(extra).decode() if extra else None,
    ))  # fmt: skip


def _title(stack_trace: str | None) -> str:
    """Return what a stack trace says of its exception.

    Its first line, of Python's the last. Raises Refused (missing_message) without one.
    """
    lines = (stack_trace or "").strip().split("\n")
    line = lines[-1 if lines[0].startswith("Traceback (") else 0]
    if not line:
        raise Refused(Reason.MISSING_MESSAGE, "no message under any known name, or an empty one")
    return line


def _too_long(**fields: str | None) -> Refused:
    name, text = next((name, text) for name, text in fields.items() if text and len(text) > MAX_FIELD)
    return Refused(Reason.FIELD_TOO_LONG, f"{name} has {len(text)} characters, more than {MAX_FIELD}")


_ID_KEY = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16}|\A(?:\d+|[0-9A-HJKMNP-TV-Z]{26})\Z|\A[{\[\"]"
    r"|\A\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\Z|\A(?i:null|none|nil|undefined)\Z",
    re.ASCII,
)
"""Keys that name no service: those with an id in them, JSON, addresses, and nothing at all."""


def _key_service(key: bytes | None) -> str | None:
    return _key_text(key) if key else None


@lru_cache(maxsize=1024)
def _key_text(key: bytes) -> str | None:
    """Return a Kafka key as a service's name.

    Printable UTF-8 of a sensible length, and no id of a single record.
    """
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        return None
    usable = text.strip() and text.isprintable() and len(text) <= MAX_FIELD and not _ID_KEY.search(text)
    return text if usable else None


# -- the fast path: the seed's shape ---------------------------------------------------------------


class _Plain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """Flat record of known names and strings.

    Its fields are in the order of an Event's.
    """

    # A field may be absent, and not null: its type is no union with None.
    log_id: str = None  # type: ignore[assignment]
    timestamp: str
    level: str
    service: str
    host: str = None  # type: ignore[assignment]
    message: str
    stack_trace: str = None  # type: ignore[assignment]
    trace_id: str = None  # type: ignore[assignment]
    span_id: str = None  # type: ignore[assignment]


_read_plain = msgspec.json.Decoder(_Plain).decode
_texts_of = msgspec.structs.astuple
_FIELDS = len(_Plain.__struct_fields__)
_PLAIN_KEYS = frozenset(name.encode() for name in _Plain.__struct_fields__)  # of which one must come first


def _fast_event(value: bytes | None, kafka_timestamp: int) -> Event | None:
    """Return the event of a flat record.

    Of known names and full strings; None if anything needs a closer look.
    """
    if not value or value[2 : value.find(b'"', 2)] not in _PLAIN_KEYS:
        return None
    try:
        texts = _texts_of(_read_plain(value))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if "" in texts or not _has_each_key_once(texts, value):
        return None
    log_id, time, name, service, host, message, stack_trace, trace_id, span_id = texts
    level, micros = PLAIN_LEVELS.get(name), canonical_time(time)
    if level is None or level == "UNKNOWN" or micros is None or 0 <= kafka_timestamp < micros - DAY:
        return None
    if len(value) > MAX_FIELD and any(text and len(text) > MAX_FIELD for text in (log_id, service, host, *texts[-2:])):
        return None
    if not (trace_id and span_id) and ("race" in message or "RACE" in message):
        return None
    if _is_odd(trace_id) or _is_odd(span_id):
        return None
    verbatim = name == level and time[-1] == "Z" and value[-1:] == b"}" and b"\n" not in value
    return _new(
        VerbatimEvent if verbatim else Event,
        (log_id, micros, level, service, host, message, stack_trace, trace_id, span_id, None),
    )


def _is_odd(identity: str | None) -> bool:
    """Return whether a text is no id as it is.

    Zeros, a placeholder, a whole header.
    """
    if identity is None or (len(identity) in _USUAL_LENGTHS and identity[0] != "0" and identity.isalnum()):
        return False
    return readers.span_id(identity) != identity


_USUAL_LENGTHS = (16, 32)
"""Digits of span and trace ids."""


def _has_each_key_once(texts: tuple[str | None, ...], value: bytes) -> bool:
    """Return whether no key occurs twice, none with null.

    The count of quotes proves it, see `strict_json.read_json`.
    """
    quotes = 4 * (_FIELDS - texts.count(None))
    if b"\\" in value:
        if b"\\u0022" in value:
            return False
        quotes += sum(text.count('"') for text in texts if text)
    return quotes == value.count(b'"')


_default = Parser()
parse_record = _default.parse_record
parse = _default.parse
