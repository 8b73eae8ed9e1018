"""What is looked for and what is found, alike for both tiers."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from dualsink.timeline import bar_width

Tier = Literal["hot", "archive", "both"]
COORDINATES = ("topic", "partition", "offset", "kafka_timestamp")
FIELDS = ("timestamp", "level", "service", "host", "message", "stack_trace")
FIELDS += ("trace_id", "span_id", "log_id", "attributes", *COORDINATES)
"""Columns of an event. `timestamp` is a datetime in UTC, `attributes` a dict or None."""


@dataclass(frozen=True)
class Search:
    """What is looked for. Times are UTC, `end` excluded, None for open; no level or service means all of them."""

    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    levels: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    tier: Tier = "hot"
    size: int = 100

    def within(self, start: datetime, end: datetime) -> "Search":
        """The same between two times."""
        return replace(self, start=start, end=end)

    @property
    def step(self) -> timedelta:
        """Width of the histogram's bars, for a search with both times."""
        return bar_width(self.start, self.end)


@dataclass
class Answer:
    """What was found.

    `events` are the newest of `total`, as dicts of FIELDS and `tier`. A level's count does not depend on the levels
    chosen, nor a service's on the services. `histogram` counts by (start of the bar, level). `troubles` says which
    store failed and how; `seconds` is each store's own time.
    """

    total: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    histogram: Counter[tuple[datetime, str]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def add(self, other: "Answer", size: int) -> None:
        """Take in another store's answer, of other events."""
        self.total += other.total
        self.events = sorted(self.events + other.events, key=order, reverse=True)[:size]
        self.levels += other.levels
        self.services += other.services
        self.histogram += other.histogram


def order(event: dict[str, Any]) -> tuple:
    """Events in order of time, those of one instant by partition and offset."""
    return event["timestamp"], event["partition"], event["offset"]
