"""Days of a test, taken while it runs: the suite may cross midnight."""

from datetime import UTC, date, datetime, timedelta

from dualsink.kafka import generator


def day(ago: int) -> date:
    """The UTC day that was so many days ago."""
    return datetime.now(UTC).date() - timedelta(days=ago)


def end_of_events() -> datetime:
    """Newest moment (UTC) of which generated events are of one day, its own."""
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date(), datetime.min.time(), UTC)
    return now if now - midnight > generator.SPREAD else midnight - timedelta(microseconds=1)
