"""Declarations of formats: their marks, and each field's places.

A format is data. `plans` compiles it for each set of keys it meets, `docs/formats.md` is written from it, and a user
adds one in a YAML file (`user_formats`). The formats that are known are in `catalogue`.

Places are paths with dots, folded: lower case without blanks, `_`, `-` and `@`. `log.level` finds both `"log.level"`
and `{"log": {"level": …}}`. Marks are names as they are written.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

FIELDS = (
    "time", "level", "message", "service", "logger", "logger_class", "host", "stack_trace", "trace_id", "span_id",
    "log_id", "method", "path", "status", "title",
)  # fmt: skip
"""Fields that places feed. `logger` names the service for want of a better one, `logger_class` if the Kafka key names
none either; method, path and status make the message of an access log that has none, `title` that of another event."""
PLACES = (*FIELDS, "line", "raw", "json", "inner")
"""All that a format declares places of."""


class Place(NamedTuple):
    """Place of a field in a record, and its reader.

    `reads` is the unit of a time, the scale of a level, or a reader's name.
    """

    path: str
    reads: str = ""
    stays: bool = False
    """Whether the value stays in the attributes as well."""


_DROPPED = str.maketrans("", "", " _-@")


@lru_cache(maxsize=16_384)
def fold(name: str) -> str:
    """Fold a field's name for comparison.

    Without case, blanks, underscores, hyphens and at signs. Two at signs stay: in CLEF they make a field the user's
    own.
    """
    if name[:2] == "@@":
        return name
    return name.lower().translate(_DROPPED)


@dataclass(frozen=True, kw_only=True)
class Format:
    """Declaration of a format.

    Places are tried in order; those of `catalogue.GENERAL` follow.
    """

    name: str
    specification: str
    """Address of the format's own documentation."""
    marks: tuple[str, ...] = ()
    """What must be there: a path, `a|b` either, `a:object` of this JSON type, `!a` nothing of the name."""
    time: tuple[Place, ...] = ()
    level: tuple[Place, ...] = ()
    message: tuple[Place, ...] = ()
    service: tuple[Place, ...] = ()
    logger: tuple[Place, ...] = ()
    logger_class: tuple[Place, ...] = ()
    host: tuple[Place, ...] = ()
    stack_trace: tuple[Place, ...] = ()
    trace_id: tuple[Place, ...] = ()
    span_id: tuple[Place, ...] = ()
    log_id: tuple[Place, ...] = ()
    method: tuple[Place, ...] = ()
    path: tuple[Place, ...] = ()
    status: tuple[Place, ...] = ()
    title: tuple[Place, ...] = ()
    """What happened, in an event without a message."""
    line: tuple[Place, ...] = ()
    """A line that the application wrote and nobody has read: JSON of any format, or text."""
    raw: tuple[Place, ...] = ()
    """Likewise, if the record has no level of its own."""
    json: tuple[Place, ...] = ()
    """A text that somebody has read, unless it is JSON of any format."""
    inner: tuple[Place, ...] = ()
    """An object that the application wrote, if there is no message beside it."""
    default_level: str | None = None
    events: str | None = None
    """An array of which each item is an event; what stands beside it belongs to all of them."""
    strict: bool = False
    """Whether host and service must be scalars and the message a text."""
    otel: bool = False
    """Whether values may be OpenTelemetry's typed ones, and attributes a list of pairs."""
    example: str = ""

    def matches(self, paths: Collection[str], kinds: Mapping[str, type]) -> bool:
        """Return whether a record has the marks.

        Its paths, and the types of those that marks ask for.
        """
        return all(_has(mark, paths, kinds) for mark in self.marks)


_KINDS = {"object": dict, "text": str, "array": list}


def _has(mark: str, paths: Collection[str], kinds: Mapping[str, type]) -> bool:
    if mark[0] == "!":
        return not _has(mark[1:], paths, kinds)
    return any(_has_one(each, paths, kinds) for each in mark.split("|"))


def _has_one(mark: str, paths: Collection[str], kinds: Mapping[str, type]) -> bool:
    path, _, kind = mark.partition(":")
    return path in paths and (not kind or kinds.get(path) is _KINDS[kind])


def places(*paths: str, reads: str = "", stays: bool = False) -> tuple[Place, ...]:
    """Places of one kind."""
    return tuple(Place(fold(path), reads, stays) for path in paths)
