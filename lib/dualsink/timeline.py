"""Times that people write, and steps of histograms.

Steps are round widths, the same in every picture and both stores.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

BARS = 60
"""At most this many bars in a picture of events over time."""
_WIDTHS = [timedelta(seconds=s) for s in (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400)]


def bar_width(first: Any, last: Any) -> timedelta:
    """Return the smallest round width of at most sixty bars.

    They cover the span from `first` to `last`; whole days for a long one.
    """
    span = last - first
    fitting = [width for width in _WIDTHS if span <= width * BARS]
    return fitting[0] if fitting else timedelta(days=-(-span.days // BARS))


def moment(text: str) -> datetime:
    """Parse an instant in ISO 8601, in UTC.

    A text without a zone is taken as UTC. Raises ValueError for any other text.
    """
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
