"""Where records come from: the generator, or a file of real logs; at full speed, or paced."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from dualsink import generator, logfiles
from dualsink.generator import Record
from dualsink.settings import Settings


def records(settings: Settings) -> Iterator[Record]:
    """Records as the settings say: the file at `input_path` where given, else `num_log_events` generated ones.

    Both end now (a file only with `shift_to_now`); `events_per_second` paces them. Raises InputError for a file that
    cannot be read.
    """
    now = datetime.now(UTC)
    if settings.input_path:
        found = logfiles.read(settings.input_path, shift_to=now if settings.shift_to_now else None)
    else:
        found = generator.generate(settings.num_log_events, settings.seed, settings.malformed_share, end=now)
    return paced(found, settings.events_per_second) if settings.events_per_second else iter(found)


def paced(found: Iterator[Record], per_second: float) -> Iterator[Record]:
    """The same records, none before its turn at `per_second` records a second."""
    start = time.monotonic()
    for i, record in enumerate(found):
        wait = start + i / per_second - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield record
