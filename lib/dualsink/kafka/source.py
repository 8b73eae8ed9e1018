"""Source of records: the generator, or a file of logs.

Records come at full speed or at a given pace.
"""

import secrets
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dualsink.errors import InputError
from dualsink.events.model import DAY, hot_window
from dualsink.events.reading import Reading
from dualsink.kafka import generator, log_files
from dualsink.kafka.records import Record, Records
from dualsink.settings import Settings

_SEED = secrets.randbelow(2**31) + 1


@dataclass(frozen=True)
class Source:
    """Source of records: the file at `path`, else generated `events`.

    Their newest is of now (a file's only with `shift_to_now`). `per_second` paces them in records a second, 0 does not.
    """

    path: str
    reading: Reading
    shift_to_now: bool
    events: int
    seed: int
    malformed_share: float
    per_second: float

    @classmethod
    def of(cls, settings: Settings) -> "Source":
        """Return the source of the settings.

        The generator's seed is the parameter, or if that is 0 one of the run, else one of this process. Raises
        SettingsError for formats that are no declarations.
        """
        return cls(
            settings.input_path,
            Reading.of(settings),
            settings.shift_to_now,
            settings.num_log_events,
            settings.seed or (zlib.crc32(settings.run_id.encode()) if settings.run_id else _SEED),
            settings.malformed_share,
            settings.events_per_second,
        )

    def check(self) -> None:
        """Raise InputError if there is no file at `path`.

        Call it before anything is started for the source.
        """
        if self.path and not Path(self.path).is_file():
            raise InputError(f"There is no file {self.path}: correct input_path, or leave it empty to generate events.")

    def __str__(self) -> str:
        if self.path:
            return f"records of {self.path}"
        return f"generated with seed {self.seed}: -p seed {self.seed} makes the same texts again"

    def records(self) -> Records:
        """Return the records, one by one.

        Raises InputError for a file that cannot be read.
        """
        now = datetime.now(UTC)
        if self.path:
            found = log_files.read(self.path, self.reading, now if self.shift_to_now else None)
        else:
            found = generator.generate(self.events, self.seed, self.malformed_share, end=now)
        return paced(found, self.per_second) if self.per_second else found


class Watched:
    """Records on their way, those beyond the hot window counted.

    `old` counts a file's events whose days have left the window of `hot_days`; generated ones end now.
    """

    def __init__(self, found: Records, hot_days: int) -> None:
        self._found = found
        self._first = hot_window(hot_days).start * DAY
        self.old = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self._found:
            for moment in record.times:
                self.old += moment < self._first
            yield record

    def close(self) -> None:
        """End what reads the file, sent or not."""
        self._found.close()


def paced(found: Records, per_second: float) -> Records:
    """Yield the same records at a steady pace.

    The pace is `per_second` records a second.
    """
    start = time.monotonic()
    for i, record in enumerate(found):
        wait = start + i / per_second - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        yield record
