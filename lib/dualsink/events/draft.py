"""Drafts of events, before limits are checked.

A draft holds what a format found of an event.
"""

from typing import Any

from dualsink.events.levels import Level
from dualsink.events.model import Reason, Refused
from dualsink.events.timestamps import Moment


class Draft:
    """Fields of one event.

    What no field took is in `extra`, which becomes the event's `attributes`.
    """

    moment: Moment | None = None
    time_key: str = ""
    time_value: Any = None
    likely: bool = False
    """Whether the time is within years of its arrival."""
    error: Refused | None = None
    """Why there is no time."""
    level: Level | None = None
    level_key: str = ""
    level_value: Any = None
    message: Any = None
    service: str | None = None
    logger: str | None = None
    """The service for want of a better one."""
    logger_class: str | None = None
    """Likewise, if the Kafka key names none."""
    host: str | None = None
    log_id: str | None = None
    stack_trace: str | None = None
    trace_id: str | None = None
    span_id: str | None = None

    def __init__(self, extra: dict[str, Any]) -> None:
        self.extra = extra  # all else has its default in the class, which costs nothing

    @property
    def missing_time(self) -> Refused:
        """Reason for which there is no time, made anew."""
        if self.error:
            return Refused(self.error.reason, self.error.detail)
        return Refused(Reason.MISSING_TIMESTAMP, "no timestamp under any known name, or an empty one")


def keep(extra: dict[str, Any], name: str, value: Any) -> None:
    """Add to the attributes without overwriting.

    A name that is taken gets underscores in front, and a number behind if that many are taken too.
    """
    extra[_free(extra, name) if name in extra else name] = value


def _free(extra: dict[str, Any], name: str) -> str:
    for _ in range(_UNDERSCORES):
        name = "_" + name
        if name not in extra:
            return name
    number = len(extra)  # one key thousands of times must not cost its square
    while f"{name}{number}" in extra:
        number += 1
    return f"{name}{number}"


_UNDERSCORES = 8


def merge(inner: Draft, outer: Draft) -> Draft:
    """Complete an application's draft by its envelope's.

    `inner` is changed and returned. The application wins, but for the host, which is the node, and for a time of
    unknown zone or of other years.
    """
    extra, ours, theirs = inner.extra, inner.__dict__, outer.__dict__
    _merge_times(inner, outer)
    if outer.level is not None:
        _merge_levels(inner, outer, outer.level)
    for name in _COMPLETED:
        if (value := theirs.get(name)) is not None and ours.setdefault(name, value) != value:
            keep(extra, f"container_{name}", value)
    if outer.host is not None:
        if inner.host is not None and inner.host != outer.host:
            keep(extra, "hostname", inner.host)
        inner.host = outer.host
    if extra.keys().isdisjoint(outer.extra):
        extra.update(outer.extra)
    else:
        for name, value in outer.extra.items():
            keep(extra, name, value)
    if outer.message:
        keep(extra, "container_message", outer.message)
    inner.logger = inner.logger or outer.logger
    inner.logger_class = inner.logger_class or outer.logger_class
    return inner


_COMPLETED = ("service", "log_id", "stack_trace", "trace_id", "span_id")


def _merge_times(inner: Draft, outer: Draft) -> None:
    if outer.moment is None:
        inner.error = inner.error or outer.error
    elif inner.moment is not None and inner.likely and inner.moment.zoned:
        keep(inner.extra, outer.time_key, outer.time_value)
    else:
        if inner.time_value is None:
            inner.time_value = inner.extra.pop(inner.time_key, None)  # a time that was no time
        if inner.time_value is not None:
            keep(inner.extra, "log_time", inner.time_value)
        inner.moment, inner.time_key, inner.time_value = outer.moment, outer.time_key, outer.time_value
        inner.likely = outer.likely


def _merge_levels(inner: Draft, outer: Draft, theirs: Level) -> None:
    """Take the first level that is recognised.

    The other is retained if it says something else.
    """
    ours = inner.level
    if ours is None or (ours.name == "UNKNOWN" and theirs.name != "UNKNOWN"):
        if ours is not None and ours.says_more and inner.level_key:
            keep(inner.extra, inner.level_key, inner.level_value)
        inner.level, inner.level_key, inner.level_value = theirs, outer.level_key, outer.level_value
    elif outer.level_key and (theirs.says_more or theirs.name != ours.name):
        keep(inner.extra, outer.level_key, outer.level_value)
