"""Tests that count days begin on the day on which they end."""

import time
from datetime import UTC, datetime, timedelta


def keep_off(minutes: float) -> None:
    """Wait for the next UTC day if less than so many minutes are left of this one."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    if midnight - now < timedelta(minutes=minutes):
        time.sleep((midnight - now).total_seconds())
