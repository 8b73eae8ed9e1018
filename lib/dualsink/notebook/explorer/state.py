"""State of the page, as it is in the address."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dualsink.errors import SettingsError
from dualsink.notebook.explorer.answers import Search, Tier
from dualsink.timeline import moment

RANGES: dict[str, timedelta | None] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
MOST = 1_000
"""Longest list of events in the page."""
PATIENCE = 1.0
"""Seconds of reading the archive after which a person sees what was found so far."""


class State(msgspec.Struct, frozen=True):
    """Query, times, filters and tier.

    `range` is a name of RANGES, or `custom` for `start` to `end` (ISO 8601, UTC without a zone, empty for open). The
    archive is read for PATIENCE seconds, newest days first, or as long as it takes if it is wanted `whole`.
    """

    q: str = ""
    range: str = "24h"
    start: str = ""
    end: str = ""
    level: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    tier: Tier = "hot"
    size: int = 100
    whole: bool = False

    def search(self) -> Search:
        """Return the search as of now.

        Raises SettingsError for an unknown range or time.
        """
        start, end = self._times(datetime.now(UTC))
        size, patience = max(1, min(self.size, MOST)), None if self.whole else PATIENCE
        return Search(self.q, start, end, self.level, self.service, self.tier, size, patience=patience)

    def _times(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        if self.range == "custom":
            return _time(self.start), _time(self.end)
        if self.range not in RANGES:
            raise SettingsError(f"There is no range {self.range}: use {', '.join(RANGES)} or custom.")
        span = RANGES[self.range]
        return (now - span, now) if span else (None, None)


def read(values: Mapping[str, Any]) -> State:
    """Return the state of a page's message.

    Raises SettingsError naming a value that cannot be one.
    """
    try:
        return msgspec.convert(values, State)
    except msgspec.ValidationError as error:
        raise SettingsError(f"The address does not name a search: {error}.") from None


def _time(text: str) -> datetime | None:
    try:
        return moment(text.strip()) if text.strip() else None
    except ValueError:
        raise SettingsError(f"Cannot read the time {text}: write 2026-11-23, or 2026-11-23 10:00:00.") from None
