"""Record: what goes to the topic.

In a module of its own, because kafka-python takes longer to import than all that reads a file.
"""

from collections.abc import Generator
from typing import NamedTuple


class Record(NamedTuple):
    """Record to send.

    `reason` is the refusal that the parser must give, None for an event.
    """

    key: bytes
    value: bytes
    reason: str | None
    times: tuple[int, ...] = ()
    """Times of a file's events in µs UTC, none for what is no event."""


Records = Generator[Record, None, None]
"""Records one by one, which may be closed before their end."""
