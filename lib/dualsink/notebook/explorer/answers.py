"""Search and answer, alike for both tiers."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from dualsink.events.model import COORDINATES
from dualsink.timeline import bar_width

Tier = Literal["hot", "archive", "both"]
FIELDS = ("timestamp", "level", "service", "host", "message", "stack_trace")
FIELDS += ("trace_id", "span_id", "log_id", "attributes", *COORDINATES)
"""Columns of an event. `timestamp` is a datetime in UTC, `attributes` a dict or None.

Numbers in attributes are those that were sent, to the last digit (`strict_json.Number`).
"""


@dataclass(frozen=True)
class Search:
    """Search: text, times, filters and tier.

    Times are UTC, `end` excluded, None for open; no level or service means all of them. `oldest` asks for the first
    events instead of the newest. `patience` is how many seconds the archive may read, None for as long as it takes.
    """

    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    levels: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    tier: Tier = "hot"
    size: int = 100
    oldest: bool = False
    patience: float | None = None

    def within(self, start: datetime, end: datetime) -> "Search":
        """Return the same search between two times."""
        return replace(self, start=start, end=end)

    @property
    def step(self) -> timedelta:
        """Width of the histogram's bars; needs both times."""
        return bar_width(self.start, self.end)


@dataclass
class Answer:
    """Answer to a search.

    `events` are the newest (or oldest) of `total`, as dicts of FIELDS and `tier`. A level's count does not depend on
    the levels chosen, nor a service's on the services. `histogram` counts by (start of the bar, level). `troubles` says
    which store failed and how; `seconds` is each store's own time. `since` is the time since when the archive was read
    if the search had not the patience for all of it, else None.
    """

    total: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    histogram: Counter[tuple[datetime, str]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    since: datetime | None = None

    def add(self, other: "Answer", size: int, oldest: bool = False) -> None:
        """Add another store's answer, of other events."""
        self.total += other.total
        self.events = sorted(self.events + other.events, key=order, reverse=not oldest)[:size]
        self.levels += other.levels
        self.services += other.services
        self.histogram += other.histogram
        self.troubles += other.troubles
        self.since = self.since or other.since


def order(event: dict[str, Any]) -> tuple:
    """Return the key that sorts events by time.

    Events of one instant are sorted by their place in Kafka.
    """
    return event["timestamp"], event["partition"], event["offset"], event["position"]
