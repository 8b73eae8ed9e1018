"""The one place where a Kafka record's bytes become a typed event, or a refusal with its reason.

`parse` is pure and total: it never raises on any bytes, and what it accepts it keeps whole. Every leaf of the
record is in a field of the event or in `attributes`; a value that a rule changes in a way that cannot be undone
(nanoseconds, an offset from UTC, level `NOTICE`) is kept there as `timestamp_original` or `level_original`.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from dualsink.shapes import Draft, Number, Reason, Refused, Time, dump_json, ids_in_text, keep, read_json, recognise
from dualsink.shapes import type_name as _type_name

__all__ = ["DAY", "LEVELS", "MAX_FIELD", "Event", "Reason", "Refusal", "normalise_level", "parse", "parse_time"]

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "UNKNOWN")
MAX_FIELD = 1_000
"""Longest service, host, level or id in characters: 4,000 bytes, far under the 32,766 of an indexed term."""
DAY = 86_400_000_000
"""One day in microseconds: how far an event may be ahead of its Kafka timestamp."""


class Event(NamedTuple):
    """One log event. `attributes` is the compact JSON text of an object with everything that has no column."""

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
    """An event whose record is its document's JSON, byte for byte: nothing was renamed, mapped or left out."""

    __slots__ = ()


class Refusal(NamedTuple):
    """Why a record is no event: a value of `Reason`, and a detail without any of the event's content."""

    reason: str
    detail: str


def parse(value: bytes | None, key: bytes | None, kafka_timestamp: int) -> Event | Refusal:
    """The event in a Kafka record's value, or the refusal.

    `key` names the service where the value names none. `kafka_timestamp` is in microseconds UTC; events more than a
    day ahead of it are refused, unless it is negative, which is Kafka's way to say that there is none.
    """
    try:
        return _fast_event(value, kafka_timestamp) or _any_event(value, key, kafka_timestamp)
    except Refused as refused:
        return Refusal(refused.reason.value, refused.detail[:300])
    except MemoryError:
        raise
    except Exception as error:  # a bug here must not stop the stream for ever: the record waits in the quarantine
        return Refusal(Reason.PARSER_ERROR.value, f"{type(error).__name__} in the parser")


# -- the fast path: the seed's shape ---------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class _Plain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A flat record of known names and strings, its fields in the order of an Event's."""

    log_id: str = None
    timestamp: str
    level: str = None
    service: str
    host: str = None
    message: str
    stack_trace: str = None
    trace_id: str = None
    span_id: str = None


_read_plain = msgspec.json.Decoder(_Plain).decode
_texts_of = msgspec.structs.astuple
_FIELDS = len(_Plain.__struct_fields__)


def _fast_event(value: bytes | None, kafka_timestamp: int) -> Event | None:
    """The event of a flat record of known names and full strings; None where anything needs a closer look."""
    try:
        texts = _texts_of(_read_plain(value or b""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if "" in texts or not _has_each_key_once(texts, value):
        return None
    log_id, time, name, service, host, message, stack_trace, trace_id, span_id = texts
    level, micros = _PLAIN_LEVELS.get(name), _canonical_time(time)
    if level is None or micros is None or 0 <= kafka_timestamp < micros - DAY:
        return None
    if len(value) > MAX_FIELD and any(text and len(text) > MAX_FIELD for text in (log_id, service, host, *texts[-2:])):
        return None
    if "race" in message and not (trace_id and span_id):
        return None
    verbatim = name == level and time[-1] == "Z" and value[-1:] == b"}" and b"\n" not in value
    return (VerbatimEvent if verbatim else Event)(
        log_id, micros, level, service, host, message, stack_trace, trace_id, span_id, None
    )


def _has_each_key_once(texts: tuple[str | None, ...], value: bytes) -> bool:
    """Whether no key stands twice, and none with null: the count of quotes proves it, see `shapes.read_json`."""
    quotes = 4 * (_FIELDS - texts.count(None))
    if b"\\" in value:
        if b"\\u0022" in value:
            return False
        quotes += sum(text.count('"') for text in texts if text)
    return quotes == value.count(b'"')


def _canonical_time(text: str) -> int | None:
    """Microseconds of `2026-11-23T22:15:01`, with 0, 3 or 6 digits of fraction, in UTC; None for any other form."""
    if text[4:20:3] not in _SEPARATORS:
        return None
    local = text[:-1] if text[-1] == "Z" else text.removesuffix("+00:00")
    if len(local) not in _CANONICAL_LENGTHS:
        return None
    try:
        since = datetime.fromisoformat(local) - _NAIVE_EPOCH
    except (ValueError, TypeError):  # no such date, or another offset inside
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds if since.days >= 0 else None


# Every third character, from the year's end to what follows the second; `fromisoformat` would take a colon there too.
_SEPARATORS = ("--T::.", "--T::Z", "--T::+", "--T::")
_CANONICAL_LENGTHS = (26, 23, 19)


# -- the general path ------------------------------------------------------------------------------

_LIMITED = ("log_id", "service", "host", "trace_id", "span_id")
_BOM = b"\xef\xbb\xbf"


def _any_event(value: bytes | None, key: bytes | None, kafka_timestamp: int) -> Event:
    record = _read_object(value)
    draft = recognise(record)
    micros = _event_time(draft, kafka_timestamp)
    message = _text(draft.message, "message")
    if not message:
        raise Refused(Reason.MISSING_MESSAGE, "no message under any known name, or an empty one")
    level = _event_level(draft)
    trace_id, span_id = _text(draft.trace_id, "trace_id"), _text(draft.span_id, "span_id")
    if "race" in message.lower() and not (trace_id and span_id):
        trace_in_text, span_in_text = ids_in_text(message)
        trace_id, span_id = trace_id or trace_in_text, span_id or span_in_text
    return Event(
        _text(draft.log_id, "log_id"), micros, level, _service(draft, key), _text(draft.host, "host"), message,
        _text(draft.stack_trace, "stack_trace"), trace_id, span_id,
        dump_json(draft.extra).decode() if draft.extra else None,
    )  # fmt: skip


def _read_object(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise Refused(Reason.NULL_VALUE, "the record has no value (a tombstone)")
    raw = value.removeprefix(_BOM)
    if not raw.strip():
        raise Refused(Reason.EMPTY_VALUE, "the value is empty or blank")
    record = read_json(raw)
    if not isinstance(record, dict):
        raise Refused(Reason.NOT_AN_OBJECT, f"the value is a JSON {_type_name(record)}, not an object")
    return record


def _text(value: Any, name: str) -> str | None:
    """A scalar as text: strings as they are, numbers and booleans as JSON writes them, empty as None.

    Raises Refused (wrong_type, field_too_long).
    """
    if value is None or value == "":
        return None
    if isinstance(value, dict | list):
        raise Refused(Reason.WRONG_TYPE, f"{name} holds an {_type_name(value)}, not a string")
    text = value if isinstance(value, str) else dump_json(value).decode()
    if name in _LIMITED and len(text) > MAX_FIELD:
        raise Refused(Reason.FIELD_TOO_LONG, f"{name} has {len(text)} characters, more than {MAX_FIELD}")
    return text


def _service(draft: Draft, key: bytes | None) -> str:
    """The service a record names, else its logger field, else the Kafka key, else the logger's class, else unknown."""
    named = _text(draft.service, "service")
    weak_name, weak = draft.weak_service or ("", None)
    if named and weak_name:
        keep(draft.extra, weak_name, weak)
    return named or (weak_name and _text(weak, "service")) or _key_text(key) or _text(weak, "service") or "unknown"


def _key_text(key: bytes | None) -> str | None:
    """A Kafka key as a service's name: printable UTF-8 of a sensible length."""
    try:
        text = (key or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.strip() and text.isprintable() and len(text) <= MAX_FIELD else None


# -- levels ----------------------------------------------------------------------------------------

# Spellings that say no more than the canonical name: the original is not retained.
_PLAIN = {
    "TRACE": "TRACE", "TRC": "TRACE", "T": "TRACE", "DEBUG": "DEBUG", "DBG": "DEBUG", "D": "DEBUG", "INFO": "INFO",
    "INF": "INFO", "I": "INFO", "INFORMATION": "INFO", "INFORMATIONAL": "INFO", "WARN": "WARN", "WRN": "WARN",
    "W": "WARN", "WARNING": "WARN", "ERROR": "ERROR", "ERR": "ERROR", "E": "ERROR", "FATAL": "FATAL", "F": "FATAL",
    "FTL": "FATAL", "UNKNOWN": "UNKNOWN",
}  # fmt: skip
# Names that are mapped, and retained because the mapping merges them with others.
_MERGED = {
    "VERBOSE": "TRACE", "VRB": "TRACE", "V": "TRACE", "ALL": "TRACE", "FINEST": "TRACE", "FINER": "DEBUG",
    "FINE": "DEBUG", "CONFIG": "INFO", "NOTICE": "INFO", "SUCCESS": "INFO", "CRITICAL": "FATAL", "CRIT": "FATAL",
    "C": "FATAL", "SEVERE": "FATAL", "EMERG": "FATAL", "EMERGENCY": "FATAL", "PANIC": "FATAL", "DPANIC": "FATAL",
    "ALERT": "FATAL", "FAILURE": "ERROR",
}  # fmt: skip
_NAMES = _PLAIN | _MERGED
_PLAIN_LEVELS = (
    _PLAIN | {name.lower(): level for name, level in _PLAIN.items()}
    | {name.title(): level for name, level in _PLAIN.items()} | {None: "UNKNOWN"}
)  # fmt: skip
_SYSLOG = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")  # RFC 5424, 6.2.1
_LOGBACK = {5_000: "TRACE", 10_000: "DEBUG", 20_000: "INFO", 30_000: "WARN", 40_000: "ERROR", 50_000: "FATAL"}
_OTEL_NAME = re.compile(r"(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)[2-4]")


def normalise_level(value: Any, scheme: str = "any") -> str:
    """The canonical level of any spelling; UNKNOWN where it is absent or not recognised.

    Numbers: scheme "otel" reads severityNumber 1-24 (OpenTelemetry log data model), "syslog" reads 0-7 (RFC 5424).
    "any" tells by the value: 0-7 syslog (as GELF and journald do), 10, 20 … 60 pino and bunyan, other numbers up
    to 24 OpenTelemetry (9 is INFO), 5000 … 50000 logback. Digit strings count as numbers.
    """
    return _read_level(value, scheme)[0]


def _read_level(value: Any, scheme: str) -> tuple[str, bool]:
    """The canonical level, and whether the original must be retained because it says more."""
    if isinstance(value, str):
        name = value.strip().upper()
        if name in _NAMES:
            return _NAMES[name], name not in _PLAIN
        if found := _OTEL_NAME.fullmatch(name):
            return found[1], True
        if not re.fullmatch(r"\d{1,5}", name, re.ASCII):
            return "UNKNOWN", bool(name)
        value = int(name)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        return "UNKNOWN", value is not None
    return _numbered_level(value, scheme)


def _numbered_level(number: int, scheme: str) -> tuple[str, bool]:
    if scheme != "otel" and 0 <= number <= 7:
        return _SYSLOG[number], True
    if scheme == "any" and number % 10 == 0 and 10 <= number <= 60:
        return LEVELS[number // 10 - 1], False
    if scheme != "syslog" and 1 <= number <= 24:
        return LEVELS[(number - 1) // 4], (number - 1) % 4 != 0
    level = _LOGBACK.get(number) if scheme == "any" else None
    return (level, False) if level else ("UNKNOWN", True)


def _event_level(draft: Draft) -> str:
    """The first candidate that is recognised; the others are retained where they say something else."""
    read = [(c, *_read_level(_level_value(c.value), c.scheme)) for c in draft.levels]
    best = next((entry for entry in read if entry[1] != "UNKNOWN"), read[0] if read else None)
    if best is None:
        return "UNKNOWN"
    for entry in read:
        candidate, level, says_more = entry
        if candidate.name and (says_more or level != best[1]):
            keep(draft.extra, "level_original" if entry is best else candidate.name, candidate.value)
    return best[1]


def _level_value(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise Refused(Reason.WRONG_TYPE, f"level holds an {_type_name(value)}, not a string")
    if isinstance(value, str | Number) and len(getattr(value, "text", value)) > MAX_FIELD:
        raise Refused(Reason.FIELD_TOO_LONG, f"level has more than {MAX_FIELD} characters")
    return value


# -- times -----------------------------------------------------------------------------------------

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?: ?(?:([Zz]|UTC|GMT)|([+-])(\d\d):?(\d\d)?))?",
    re.ASCII,
)
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MICROS = {"s": Fraction(1_000_000), "ms": Fraction(1_000), "us": Fraction(1), "ns": Fraction(1, 1_000)}
_LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Moment(NamedTuple):
    """A parsed time: microseconds UTC, whether they say all that the original did, and whether its zone is known."""

    micros: int
    exact: bool
    zoned: bool


def parse_time(value: Any, unit: str = "") -> Moment:
    """The moment of an RFC 3339 text or of an epoch number (or its digits in a text).

    Texts: `T` or space, `.` or `,` before up to nine digits, any offset, no zone means UTC, a leap second is the next
    one. Numbers below 10^11 are seconds (to the year 5138), below 10^14 milliseconds (from March 1973), below 10^17
    microseconds, above nanoseconds, unless `unit` (s, ms, us, ns) is given. What is finer than a microsecond is cut
    off, not rounded. Raises Refused (wrong_type, invalid_timestamp, timestamp_out_of_range).
    """
    if value is None or isinstance(value, bool | dict | list):
        raise Refused(Reason.WRONG_TYPE, f"timestamp holds a JSON {_type_name(value)}")
    text = str(value).strip() if isinstance(value, str | int) else dump_json(value).decode()
    moment = _epoch_moment(text, unit) if _NUMBER.fullmatch(text) else _calendar_moment(text)
    if not 0 <= moment.micros <= _LAST:
        raise Refused(Reason.TIMESTAMP_OUT_OF_RANGE, "timestamp is before 1970 or after 9999")
    return moment


def _epoch_moment(text: str, unit: str) -> Moment:
    number = Fraction(text)
    micros = number * _MICROS[unit or epoch_unit(number)]
    whole = int(micros // 1)
    return Moment(whole, micros == whole, True)


def epoch_unit(number: Fraction | Decimal) -> str:
    """The unit of an epoch number, told from its size; see `parse_time`."""
    size = abs(number)
    return "s" if size < 10**11 else "ms" if size < 10**14 else "us" if size < 10**17 else "ns"


def _calendar_moment(text: str) -> Moment:
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise Refused(Reason.INVALID_TIMESTAMP, f"timestamp of {len(text)} characters is no RFC 3339 time or number")
    year, month, day, hour, minute, second, fraction, utc, sign, offset_hours, offset_minutes = found.groups()
    seconds, digits = int(second or 0), (fraction or "").ljust(9, "0")
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    zone = timezone(-offset if sign == "-" else offset) if offset < timedelta(days=1) else None
    try:
        start = datetime(int(year), int(month), int(day), int(hour), int(minute), min(seconds, 59), tzinfo=zone)
    except ValueError:
        zone = None
    if zone is None or seconds > 60 or int(offset_minutes or 0) > 59:
        raise Refused(Reason.INVALID_TIMESTAMP, "timestamp names a date, time or offset that does not exist")
    micros = (start - _EPOCH) // _MICROSECOND + int(digits[:6]) + (1_000_000 if seconds == 60 else 0)
    exact = digits[6:] == "000" and not offset and seconds < 60
    return Moment(micros, exact, bool(utc or sign))


def _event_time(draft: Draft, kafka_timestamp: int) -> int:
    """The first usable candidate; the others, and an original that says more than microseconds UTC, are retained."""
    chosen, moment = _choose_time(draft.times)
    for time in draft.times:
        if time is not chosen:
            keep(draft.extra, time.name, time.value)
    if not moment.exact:
        keep(draft.extra, "timestamp_original", chosen.value)
    if 0 <= kafka_timestamp < moment.micros - DAY:
        raise Refused(Reason.TIMESTAMP_IN_FUTURE, "timestamp is more than one day ahead of the Kafka timestamp")
    return moment.micros


def _choose_time(times: list[Time]) -> tuple[Time, Moment]:
    local = None
    refused = Refused(Reason.MISSING_TIMESTAMP, "no timestamp under any known name, or an empty one")
    for time in times:
        try:
            moment = parse_time(time.value, time.unit)
        except Refused as error:
            refused = error
            continue
        if moment.zoned or not time.needs_zone:
            return time, moment
        local = local or (time, moment)
    if local is None:
        raise refused
    return local
