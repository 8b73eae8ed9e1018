"""Times: every form becomes microseconds in UTC.

They count since 1970; what is not unambiguous is refused.

Refused because they are not unambiguous: dates without a year, zone abbreviations but UTC and GMT (`CST` is three
zones), numbers of day and month in an order that only a country knows.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dualsink.events.model import Reason, Refused, type_name
from dualsink.events.strict_json import dump_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Moment(NamedTuple):
    """Moment: a parsed time in microseconds UTC.

    With whether they say all that the original did, and whether its zone is known.
    """

    micros: int
    exact: bool
    zoned: bool


def parse_time(value: Any, unit: str = "") -> Moment:
    """Return the moment of a text, number or object.

    An epoch number may be digits in a text, an object has a known meaning.

    Texts: RFC 3339 (`T` or space, `.` or `,` before up to nine digits, any offset), ISO 8601 basic, RFC 1123 and 2822,
    `ctime` and `date`, Apache's, Go's, `ISODate(…)`, an offset or an IANA zone behind, AM or PM. No zone means UTC, a
    leap second is the next one. Numbers below 10^11 are seconds (to the year 5138), below 10^14 milliseconds (from
    March 1973), below 10^17 microseconds, above nanoseconds, unless `unit` (s, ms, us, ns) is given. What is finer than
    a microsecond is cut off, not rounded. Objects: `{"$date": …}`, seconds with nanoseconds, a list of date fields.
    Raises Refused (wrong_type, invalid_timestamp, timestamp_out_of_range).
    """
    kind = type(value)
    is_text = kind is str and not unit and value[4:5] == "-"
    moment = _usual_text(value) if is_text else _usual_number(value, unit)
    return moment or _any_time(value, unit)


def micros_of(value: Any) -> int | None:
    """Return a time in µs UTC, None for none.

    As `parse_time` reads it.
    """
    try:
        return parse_time(value)[0]
    except Refused:
        return None


# -- the usual forms, read without a search ------------------------------------------------------------

# Every third character, from the year's end to what follows the second; `fromisoformat` would take a colon there too.
_SEPARATORS = frozenset(
    date + clock + after for date in ("--T", "-- ") for clock in ("::",) for after in (".", ",", "Z", "+", "-", "")
)
_CANONICAL = ("--T::.", "--T::Z", "--T::+", "--T::")
_CANONICAL_LENGTHS = (26, 23, 19)


def canonical_time(text: str) -> int | None:
    """Return the microseconds of `2026-11-23T22:15:01`.

    With 0, 3 or 6 digits of fraction, in UTC; None for any other form.
    """
    if text[4:20:3] not in _CANONICAL:
        return None
    local = text[:-1] if text[-1] == "Z" else text.removesuffix("+00:00")
    return _since_epoch(local) if len(local) in _CANONICAL_LENGTHS else None


def _since_epoch(local: str) -> int | None:
    try:
        since = datetime.fromisoformat(local) - _NAIVE_EPOCH
    except (ValueError, TypeError):  # no such date, or another offset inside
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds if since.days >= 0 else None


@lru_cache(maxsize=8_192)  # the records of a second stand together
def _second(head: str) -> int | None:
    """Return the microseconds of a text's whole seconds.

    `head` is its first twenty characters; None if they are of another form.
    """
    return _since_epoch(head[:19]) if head[4:20:3] in _SEPARATORS else None


def _usual_text(text: str) -> Moment | None:
    """Return the moment of an RFC 3339 text.

    In UTC or with an offset; None where a closer look is needed.
    """
    micros = _second(text[:20])
    if micros is None:
        return None
    end, zoned = len(text), True  # where the digits end
    offset: int | None = 0
    if text[-1] == "Z":
        end -= 1
    elif end > 24 and text[-3] == ":" and text[-6] in "+-":
        end, offset = end - 6, _offset(text[-6:])
    else:
        zoned = False
    if offset is None or end < 19:
        return None
    exact = offset == 0
    if end != 19:
        digits = text[20:end]
        if text[19] not in ".," or end > 29 or not (digits.isdecimal() and digits.isascii()):
            return None
        if end <= 26:
            micros += int(digits) * _MICROS_AT[end]
        else:
            whole, finer = divmod(int(digits), _PER_MICRO[end])
            micros, exact = micros + whole, exact and not finer
    return _new(Moment, (micros - offset, exact, zoned)) if 0 <= micros - offset <= _LAST else None


_MICROS_AT = {end: 10 ** (26 - end) for end in range(21, 27)}  # of a fraction's last digit, by where it ends
_PER_MICRO = {end: 10 ** (end - 26) for end in range(27, 30)}
_new = tuple.__new__  # a named tuple without its own constructor, at a third of the cost


@lru_cache(maxsize=256)
def _offset(text: str) -> int | None:
    """Return the microseconds of an offset.

    Such as `+01:00`; None for one that does not exist.
    """
    if not re.fullmatch(r"[+-](?:[01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        return None
    minutes = int(text[1:3]) * 60 + int(text[4:])
    return minutes * (-60_000_000 if text[0] == "-" else 60_000_000)


def _usual_number(value: Any, unit: str) -> Moment | None:
    """Return the moment of a number of our time.

    None where a closer look is needed.
    """
    kind = type(value)
    if kind is str and value.isdecimal() and value.isascii() and len(value) < 20:
        value, kind = int(value), int
    if kind is int and not unit and 10**11 <= value < _COMPACT_SECONDS[0]:
        return _new(Moment, (value * 1_000, True, True))
    if kind is int and (unit or not _may_be_compact(value)):
        micros, rest = divmod(value * _PER_UNIT.get(unit or epoch_unit(value), 0), 1_000)
        return _new(Moment, (micros, not rest, True)) if 0 < micros < _LAST else None
    if kind is not float or unit not in ("", "s") or not 10**8 <= value < 10**10:
        return None
    micros = round(value * 1_000_000)
    return _new(Moment, (micros, True, True)) if micros / 1_000_000 == value else None


_COMPACT_SECONDS, _COMPACT_MILLIS = (2 * 10**13, 21 * 10**12), (2 * 10**16, 21 * 10**15)
"""Numbers that are years, months, days and clock without signs between; as epoch numbers they were of the year 2600."""


def _may_be_compact(value: int) -> bool:
    return _COMPACT_SECONDS[0] <= value < _COMPACT_SECONDS[1] or _COMPACT_MILLIS[0] <= value < _COMPACT_MILLIS[1]


_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


# -- any form ------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
UNITS = ("s", "ms", "us", "ns")
"""Units of epoch numbers."""
_MICROS = {"s": Fraction(1_000_000), "ms": Fraction(1_000), "us": Fraction(1), "ns": Fraction(1, 1_000)}


def _any_time(value: Any, unit: str) -> Moment:
    whole = not isinstance(value, dict) or "iChronology" not in value
    if isinstance(value, dict | list):
        value, unit = _unwrapped(value, unit)
    if value is None or isinstance(value, bool | dict | list):
        raise Refused(Reason.WRONG_TYPE, f"timestamp holds a JSON {type_name(value)}")
    text = str(value).strip() if isinstance(value, str | int) else dump_json(value).decode()
    if not unit and (compact := _COMPACT.fullmatch(text)):
        moment = _dated(compact.groupdict())
    else:
        moment = _epoch_moment(text, unit) if _NUMBER.fullmatch(text) else _calendar_moment(text)
    if not 0 <= moment.micros <= _LAST:
        raise Refused(Reason.TIMESTAMP_OUT_OF_RANGE, "timestamp is before 1970 or after 9999")
    return moment if whole else moment._replace(exact=False)


_SECONDS = (("epochSecond", "nanoOfSecond"), ("seconds", "nanos"), ("seconds", "nanoseconds"), ("sec", "nsec"),
            ("epochSecond", "nano"), ("_seconds", "_nanoseconds"))  # fmt: skip


def _unwrapped(value: dict | list, unit: str) -> tuple[Any, str]:
    """Return the text or number in an object, and unit.

    The object has a known meaning; the value itself where it has none.

    MongoDB's extended JSON, Avro's, Log4j's `instant` and protobuf's Timestamp (which leaves out zeros), loguru's pair,
    PHP's DateTime, PowerShell's, Jackson's lists of date fields, Gson's LocalDateTime and Joda's.
    """
    if isinstance(value, list):
        return _date_fields(value) or value, unit
    if value.keys() == {"$date"}:
        inner = value["$date"]
        number = isinstance(inner, int) and not isinstance(inner, bool)
        wrapped = isinstance(inner, dict) and inner.keys() == {"$numberLong"}
        return (inner["$numberLong"], "ms") if wrapped else (inner, "ms" if number else "")
    for whole, part in _SECONDS:
        if value.keys() in ({whole, part}, {whole}) and _are_seconds(value[whole], value.get(part, 0)):
            return int(value[whole]) * 10**9 + value.get(part, 0), "ns"
    if value.keys() == {"date", "timezone_type", "timezone"}:
        return f"{value['date']} {value['timezone']}", unit
    if value.keys() >= {"value", "DateTime"}:
        return value["value"], unit
    if value.keys() == {"repr", "timestamp"}:
        return value["timestamp"], "s"
    if value.keys() == {"$numberLong"}:
        return value["$numberLong"], unit
    if value.keys() >= {"iMillis", "iChronology"}:
        return value["iMillis"], "ms"
    if len(value) == 1 and value.keys() <= _AVRO:
        return next(iter(value.values())), unit
    return _local_fields(value) or value, unit


_AVRO = frozenset(("long", "string", "double"))


def _local_fields(value: dict) -> str | None:
    """Return ISO text of java.time's LocalDateTime.

    As Gson writes it, local time without a zone.
    """
    day, clock = value.get("date"), value.get("time")
    if value.keys() != {"date", "time"} or not (isinstance(day, dict) and isinstance(clock, dict)):
        return None
    fields = [day.get("year"), day.get("month"), day.get("day")]
    return _date_fields(fields + [clock.get(name) for name in ("hour", "minute", "second", "nano")])


def _are_seconds(whole: Any, nanos: Any) -> bool:
    """Return whether these are seconds and nanoseconds.

    Protobuf's JSON writes numbers of 64 bits as text.
    """
    digits = type(whole) is str and whole.isdecimal() and whole.isascii() and len(whole) < 20
    return (digits or type(whole) is int) and type(nanos) is int and 0 <= nanos < 10**9


def _date_fields(fields: list) -> str | None:
    """Return ISO text of a list of date fields.

    `[2026, 11, 23, 10, 0, 0, 123000000]` is local time without a zone.
    """
    if not 5 <= len(fields) <= 7 or not all(type(n) is int and 0 <= n < 10**9 for n in fields):
        return None
    year, month, day, hour, minute, second, nanos = (*fields, 0, 0)[:7]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{nanos:09d}"


def _epoch_moment(text: str, unit: str) -> Moment:
    number = Fraction(text)
    micros = number * _MICROS[unit or epoch_unit(number)]
    whole = int(micros // 1)
    return Moment(whole, micros == whole, True)


def epoch_unit(number: Fraction | Decimal | int) -> str:
    """Return the unit of an epoch number.

    By its size; see `parse_time`.
    """
    size: Any = abs(number)
    return "s" if size < 10**11 else "ms" if size < 10**14 else "us" if size < 10**17 else "ns"


_CLOCK = (
    r"(?P<hour>\d\d|\d(?=:.{5}[ \u202f][AP]M)):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:(?:[.,]|:(?=\d{3}(?!\d)))(?P<fraction>\d{1,9}))?)?"
    r"(?:[ \u202f](?P<half>[AP]M))?"
)
_ZONE = r"(?: ?(?P<utc>[Zz]|UTC|GMT)|(?: ?(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?))"
_WORDS = r"(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAYS = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        # RFC 3339 and its relatives; Go writes the zone twice, java.time adds its name in brackets
        rf"(?:{_DAYS},? )?(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[Tt ]{_CLOCK}"
        rf"{_ZONE}?(?P<again> (?:UTC|GMT|[+-]\d{{4}}|[A-Z]{{3,4}})(?: m=[+-][\d.]+)?|\[[A-Za-z_/+-]+\d*\])?",
        rf"(?P<year>\d{{4}})[/.](?P<month>\d\d)[/.](?P<day>\d\d)[ T]{_CLOCK}{_ZONE}?",  # Go's log, nginx, ClickHouse
        rf"(?P<year>\d{{4}}) {_WORDS} {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK}{_ZONE}?",  # Cisco's, with a year
        # ISO 8601 basic
        rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)[T ](?P<hour>\d\d)(?P<minute>\d\d)"
        rf"(?:(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,9}}))?)?{_ZONE}?",
        rf"\[?(?P<day>\d\d)/{_WORDS}/(?P<year>\d{{4}})[: ]{_CLOCK}{_ZONE}?\]?",  # Apache's common log format
        rf"(?:{_DAYS}, )?(?P<day>\d{{1,2}})[ -]{_WORDS}[ -](?P<year>\d{{4}})[ :]{_CLOCK}"
        rf"(?:{_ZONE}(?: \([A-Z]{{1,5}}\))?)?",  # RFC 1123, 2822
        # ctime, date
        rf"(?:{_DAYS} )?{_WORDS} {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK}(?: GMT(?=[+-]))?{_ZONE}? (?P<year>\d{{4}})",
        rf"(?:{_DAYS} )?{_WORDS} {{1,2}}(?P<day>\d{{1,2}}) (?P<year>\d{{4}}) {_CLOCK}(?: GMT(?=[+-]))?{_ZONE}?"
        r"(?: \(.{1,60}\))?",
        rf"{_WORDS} {{1,2}}(?P<day>\d{{1,2}}), (?P<year>\d{{4}})(?: @|,)? {_CLOCK}{_ZONE}?",  # Kibana, java.util
    )
)
_MONTHS = {name: i for i, name in enumerate(_WORDS[len("(?P<name>") : -1].split("|"), 1)}
_COMPACT = re.compile(
    r"(?P<year>20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>[0-3]\d)(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)"
    rf"(?P<second>[0-5]\d)(?:(?:[.,]|(?=\d{{3}}\Z))(?P<fraction>\d{{1,9}}))?{_ZONE}?",
    re.ASCII,
)
"""Date and clock without signs between, as LDAP's generalized time (https://www.rfc-editor.org/rfc/rfc4517#section-3.3.13)."""
_WRAPPED = re.compile(r"ISODate\(['\"](.{1,40})['\"]\)|/Date\((\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)
_NAMED_ZONE = re.compile(r"(.{10,30}?)(?: |\[)([A-Z][A-Za-z]+/[A-Za-z_/+-]+\d*)\]?", re.ASCII)


def _calendar_moment(text: str) -> Moment:
    if wrapped := _WRAPPED.fullmatch(text):
        return _epoch_moment(wrapped[2], "ms") if wrapped[2] else _calendar_moment(wrapped[1])
    if len(text) <= 100:
        for form in _FORMS:
            if found := form.fullmatch(text):
                return _dated(found.groupdict())
        if named := _NAMED_ZONE.fullmatch(text):
            return _in_zone(named[1], named[2])
    raise Refused(Reason.INVALID_TIMESTAMP, f"timestamp of {len(text)} characters is no known form of a time")


def _not_there() -> Refused:
    return Refused(Reason.INVALID_TIMESTAMP, "timestamp names a date, time or offset that does not exist")


def _dated(parts: Mapping[str, Any]) -> Moment:
    """Return the moment of the parts of a text.

    `again` is the zone once more, which must be there a first time.
    """
    seconds, digits = int(parts["second"] or 0), (parts["fraction"] or "").ljust(9, "0")
    hours, minutes, again = int(parts.get("hours") or 0), int(parts.get("minutes") or 0), parts.get("again")
    zoned = bool(parts.get("utc") or parts.get("sign"))
    if seconds > 60 or minutes > 59 or hours > 23 or (again and not zoned):
        if again and again[0] == "[":  # local time in a named zone
            return _in_zone(_without_zone(parts), again[1:-1])
        if again and not zoned:
            raise Refused(Reason.INVALID_TIMESTAMP, "timestamp names a zone by letters that several zones have")
        raise _not_there()
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if parts.get("sign") == "-" else 1)
    month = parts.get("month") or _MONTHS[parts["name"]]
    try:
        start = datetime(
            int(parts["year"]), int(month), int(parts["day"]), _hour(parts), int(parts["minute"]),
            min(seconds, 59), tzinfo=timezone(offset),
        )  # fmt: skip
    except ValueError:
        raise _not_there() from None
    micros = (start - _EPOCH) // _MICROSECOND + int(digits[:6]) + (1_000_000 if seconds == 60 else 0)
    return Moment(micros, digits[6:] == "000" and not offset and seconds < 60 and not again, zoned)


def _hour(parts: Mapping[str, str | None]) -> int:
    """Return the hour of a day.

    Of a clock of twelve hours it is one of 1 to 12, else ValueError is raised.
    """
    hour, half = int(parts["hour"] or 0), parts.get("half")
    if half and not 1 <= hour <= 12:
        raise ValueError("no hour of a clock of twelve")
    return hour % 12 + (12 if half == "PM" else 0) if half else hour


def _without_zone(parts: Mapping[str, str | None]) -> str:
    clock = f"{parts['hour']}:{parts['minute']}:{parts['second'] or '00'}.{parts['fraction'] or '0'}"
    return f"{parts['year']}-{parts['month']}-{parts['day']}T{clock} {parts['half'] or ''}".rstrip()


def _in_zone(text: str, zone: str) -> Moment:
    """Return the moment of a local time in a zone.

    An IANA zone; the hour that occurs twice in autumn is the earlier one.
    """
    local = _calendar_moment(text)
    if local.zoned:
        return local._replace(exact=False)
    wall = datetime(1970, 1, 1) + local.micros * _MICROSECOND
    moment = wall.replace(tzinfo=_zone(zone)).astimezone(UTC)
    return Moment((moment - _EPOCH) // _MICROSECOND, False, True)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise Refused(Reason.INVALID_TIMESTAMP, "timestamp names a time zone that does not exist") from None
