"""Shift of the times of records to another day.

In their bytes: whatever is no time stays as it is. A time is what follows a name that some format knows for one, at any
depth, also in JSON within a text; a log line may begin with one. A date and a clock time in two fields move as one. The
distance is whole seconds, so that fractions, zones and spacing stay.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dualsink.events.catalogue import GENERAL
from dualsink.events.formats import Format, fold
from dualsink.events.model import DAY, EPOCH
from dualsink.events.timestamps import epoch_unit, micros_of
from dualsink.kafka.records import Record

NEAR = 2 * DAY
"""How far a time may be from its event's to be moved with it, in µs: a day, and any zone."""
# An AWS load balancer's second time; of objects that are times; a line in the last three may begin with one.
_MORE = ("requestcreationtime", "$date", "$numberlong", "epochsecond", "seconds", "sec", "log", "message", "msg")
_CALENDAR = {
    rb"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d)?": "%Y-%m-%d{}%H:%M:%S",
    rb"\d{4}/\d\d/\d\d[T ]\d\d:\d\d(?::\d\d)?": "%Y/%m/%d{}%H:%M:%S",
    rb"\d{4}\.\d\d\.\d\d[T ]\d\d:\d\d(?::\d\d)?": "%Y.%m.%d{}%H:%M:%S",
    rb"\d?\d-[A-Z][a-z]{2}-\d{4}[ :]\d\d:\d\d(?::\d\d)?": "%d-%b-%Y{}%H:%M:%S",
    rb"\d?\d [A-Z][a-z]{2} \d{4}[ :]\d\d:\d\d(?::\d\d)?": "%d %b %Y{}%H:%M:%S",
    rb"\d{8}[T ]\d{4}(?:\d\d)?": "%Y%m%d{}%H%M%S",
    rb"20\d\d(?:0[1-9]|1[0-2])[0-3]\d[0-2]\d[0-5]\d[0-5]\d(?=(?:\d{3})?(?!\d))": "%Y%m%d{}%H%M%S",
    rb"\d{4} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d(?::\d\d)?": "%Y %b %d{}%H:%M:%S",
    rb"\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d(?::\d\d)?": "%d/%b/%Y{}%H:%M:%S",
    rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d \d{4}": "%a %b %d %H:%M:%S %Y",
    rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d\.\d{6} \d{4}": "%a %b %d %H:%M:%S.%f %Y",
    rb"[A-Z][a-z]{2} [ \d]?\d \d{4} \d\d:\d\d(?::\d\d)?": "%b %d %Y{}%H:%M:%S",
    rb"[A-Z][a-z]{2} \d?\d, \d{4}(?:,| @)? \d?\d:\d\d(?::\d\d)?": "%b %d, %Y{}%H:%M:%S",
    rb"[A-Z][a-z]{2}, \d?\d [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)?": "%a, %d %b %Y{}%H:%M:%S",
}
"""Forms of times, and how each is read and written; `{}` stands for what separates day and clock."""
_PARTS = re.compile(rb"(?<=\d)(\D{1,3})\d\d:\d\d(:\d\d)?|([T ]?)\d{4}(\d\d)?$", re.ASCII)
"""What separates day and clock, and the seconds."""
_HALF = rb"(?: |\xe2\x80\xaf)[AP]M"
_TWELVE = re.compile(rb"(\d?\d)(:\d\d(?::\d\d)?)(%b)" % _HALF, re.ASCII)
"""Time on a clock of twelve hours, with AM or PM."""
_ONE_DIGIT = re.compile(rb"(?<!\d)\d(?!\d)", re.ASCII)
_NUMBER = rb"\d{9,19}(?=(?:\.\d{1,19})?\s*[\",}\\])|\d\.\d{1,19}[eE]\+?1?\d(?!\d)"
_TIME = re.compile(
    rb'"\s*+:\s*+(?:\\?"\s*+)?+\[?+(?=[\dA-Z])(?:((?:%b)(?:%b)?)|(%b))' % (b"|".join(_CALENDAR), _HALF, _NUMBER),
    re.ASCII,
)
"""A time behind a name's last quote."""
_DAY = re.compile(rb'"[@_]?date"\s*:\s*"([\dA-Z][\w/, -]{7,16})"', re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(
    rb'"[@_]?time"\s*:\s*"(\d\d:\d\d(?::\d\d)?|\d{4}(?:\d\d)?)([ -!#-\[\]-~]{0,40})"', re.ASCII | re.IGNORECASE
)
_OFFSET = re.compile(rb'"tz"\s*:\s*"([+-]\d\d:?\d\d)"', re.ASCII | re.IGNORECASE)
_PER_UNIT = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
Moved = tuple[int, bytes]
"""A time's microseconds since 1970, its zone taken for UTC, and its text after the move."""


class Shift:
    """Shift of all times by whole seconds.

    `formats` are those whose names of times are looked for.
    """

    def __init__(self, seconds: int, formats: Iterable[Format]) -> None:
        self._seconds, self._formats = seconds, tuple(formats)
        places = [place.path for format in (*self._formats, GENERAL) for place in format.time]
        self._names = {*_MORE, *(path.rsplit(".", 1)[-1] for path in places)}
        self._is_time = lru_cache(maxsize=4_096)(self._is_name_of_time)
        self._calendar: Callable[[bytes], Moved | None] = lru_cache(maxsize=65_536)(self._moved_calendar)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without what it remembers."""
        return Shift, (self._seconds, self._formats)

    def record(self, record: Record) -> Record:
        """Shift the times of a record's events.

        One without events stays.
        """
        key, value, reason, times = record
        if not times:
            return record
        micros = self._seconds * 1_000_000
        return Record(key, self.moved(value, times), reason, tuple([moment + micros for moment in times]))

    def moved(self, value: bytes, near: Sequence[int]) -> bytes:
        """Shift the times in a record.

        Its events are at `near` (µs UTC); times further than NEAR from all of them stay.
        """
        parts, end = [], 0
        for found in _TIME.finditer(value):
            if not self._is_time(_name_before(value, found.start())):
                continue
            calendar, number = found.groups()
            moved = self._calendar(calendar) if calendar else self._moved_number(number)
            if moved and _is_near(moved[0], near):
                parts += value[end : found.start(found.lastindex)], moved[1]
                end = found.end()
        parts.append(value[end:])
        return self._moved_pair(b"".join(parts), near)

    def _moved_pair(self, value: bytes, near: Sequence[int]) -> bytes:
        """Shift a date and a clock time in two fields.

        As in W3C's files, if an event's time came from them.
        """
        day = _DAY.search(value)
        clock = day and _CLOCK.search(value)
        zone = day and clock and _OFFSET.search(value)
        if not (day and clock):
            return value
        text = b"%b %b%b%b" % (day[1], *clock.groups(), zone[1] if zone else b"")
        if micros_of(text.decode()) not in near:
            return value
        moved = self._calendar(day[1] + b" " + clock[1])
        if moved is None:
            return value
        size = len(clock[1])
        parts = sorted([(day.span(1), moved[1][: -size - 1]), (clock.span(1), moved[1][-size:])])
        ((start, end), first), ((start_2, end_2), second) = parts
        return value[:start] + first + value[end:start_2] + second + value[end_2:]

    def _is_name_of_time(self, key: bytes) -> bool:
        return key.isascii() and fold(key.decode().rsplit(".", 1)[-1]) in self._names

    def _moved_calendar(self, text: bytes) -> Moved | None:
        if text.endswith(b"M"):
            return self._moved_twelve(text)
        form = next((form for pattern, form in _CALENDAR.items() if re.fullmatch(pattern, text, re.ASCII)), None)
        if form is None:
            return None
        before, seconds, before_2, seconds_2 = _PARTS.search(text).groups()
        form = form.format((before or before_2 or b"").decode())
        if not (seconds or seconds_2):
            form = form.replace(":%S", "").replace("%S", "")
        try:
            moment = datetime.strptime(text.decode(), form).replace(tzinfo=UTC)
            moved = moment + timedelta(seconds=self._seconds)
        except (ValueError, OverflowError):  # there is no such day
            return None
        return (moment - EPOCH) // timedelta(microseconds=1), f"{moved:{_in_width(form, text)}}".encode()

    def _moved_twelve(self, text: bytes) -> Moved | None:
        """Shift a time on a clock of twelve hours."""
        head, hour, rest, half, _ = _TWELVE.split(text)
        moved = self._moved_calendar(b"%b%02d%b" % (head, int(hour) % 12 + 12 * (half[-2:] == b"PM"), rest))
        if moved is None:
            return None
        micros, whole = moved
        at = len(whole) - len(rest) - 2
        later = int(whole[at : at + 2])
        hour = b"%0*d" % (len(hour), later % 12 or 12)
        return micros, b"%b%b%b%b%cM" % (whole[:at], hour, whole[at + 2 :], half[:-2], b"AP"[later // 12])

    def _moved_number(self, text: bytes) -> Moved:
        number = int(text) if text.isdigit() else Decimal(text.decode())
        per_second = _PER_UNIT[epoch_unit(number)]
        moved = number + self._seconds * per_second
        return int(number * 10**6 // per_second), (b"%d" % moved if type(moved) is int else f"{moved:f}".encode())


def _name_before(value: bytes, quote: int) -> bytes:
    """Return the name that ends at a quote.

    The quote may be escaped.
    """
    end = quote - 1 if value[quote - 1 : quote] == b"\\" else quote
    return value[value.rfind(b'"', 0, end) + 1 : end]


def _in_width(form: str, text: bytes) -> str:
    """Return a form that writes days as a text does.

    With a zero, a space or nothing before one digit.
    """
    return form.replace("%d", ("%e" if b"  " in text else "%-d") if _ONE_DIGIT.search(text) else "%d")


def _is_near(moment: int, events: Sequence[int]) -> bool:
    return abs(moment - events[0]) <= NEAR or any(abs(moment - event) <= NEAR for event in events[1:])
