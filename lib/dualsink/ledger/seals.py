"""Seals: proofs of days, kept in a chain.

A ledger that held has made them. A seal is of one topic and of one day of the archive or of the quarantine. It says how
many events the day had, the sum of their digests, of which offsets they were, and which files held them (see
`iceberg.day_files`). The audit table keeps it; each seal holds the hash of the one before it, so that none can be
altered or taken out without a trace.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date, datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from dualsink import __version__
from dualsink.events.reading import Reading
from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.markers import Run
from dualsink.ledger import digest
from dualsink.ledger.accounts import Place

ACTION = "sealed"
COLUMNS = ("seal", "previous", "hash")
"""Columns of the audit table that only seals fill."""


@dataclass(frozen=True)
class Span:
    """Events and offsets of one partition on one day.

    Events, records of which the first event is here, first and last offset.
    """

    events: int
    records: int
    first: int
    last: int


@dataclass(frozen=True)
class Seal:
    """Seal of a table's day, by a ledger that held.

    `content_digest` is a decimal number, as in the ledger. `read_up_to` says, by partition of the topic's incarnation
    `topic_id`, the first offset that is not sealed, and `reading` how records were parsed (see `reading_of`).
    `previous` holds the hashes of the newest seals before it, separated by commas, and is empty for a first one. A day
    without a row of the topic is sealed too.
    """

    table: str
    day: date
    topic: str
    topic_id: str
    events: int
    content_digest: str
    files: str
    places: Mapping[Place, Span]
    read_up_to: Mapping[int, int]
    taken_at: str
    reading: str
    digest_version: int = digest.VERSION
    previous: str = ""

    def reaches(self, runs: Mapping[Place, Iterable[Run]]) -> bool:
        """Return whether the day's offsets reach into a run.

        Files know the bounds of all partitions together, each of which advances at its own pace.
        """
        return any(
            first <= span.last and span.first <= last
            for place, span in self.places.items()
            for first, last in runs.get(place, ())
        )

    def content(self) -> str:
        """Return the seal as JSON, for the column `seal`."""
        places = [[*place, span.events, span.records, span.first, span.last] for place, span in self.places.items()]
        names = ("topic", "topic_id", "content_digest", "digest_version", "files", "taken_at", "reading")
        values = {name: getattr(self, name) for name in names}
        read = {str(partition): offset for partition, offset in self.read_up_to.items()}
        return json.dumps(values | {"places": sorted(places), "read_up_to": read}, sort_keys=True)

    def __str__(self) -> str:
        return f"{self.table.rpartition('.')[2]} {self.day} of {self.topic}, sealed {self.taken_at}"

    def says_the_same(self, other: "Seal | None") -> bool:
        """Return whether the day's other seal makes this one superfluous."""
        known = other and (other.files, other.events, other.content_digest, other.reading)
        return known == (self.files, self.events, self.content_digest, self.reading)

    @property
    def hash(self) -> str:
        """Hash that the next seal holds of this one."""
        return hash_of(self.previous, self.table, str(self.day), self.events, self.content())


def hash_of(previous: str, table: str, day: str, events: int, content: str) -> str:
    """Return SHA-256, in hexadecimal, of an entry's fields.

    A line each; docs/audit.md has it as SQL.
    """
    return hashlib.sha256("\n".join([previous, table, day, str(events), content]).encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """Seal as the audit table holds it.

    `time` is UTC, ISO 8601.
    """

    time: str
    table: str
    day: date
    events: int
    content: str
    previous: str
    hash: str

    def seal(self) -> Seal | None:
        """Parse the seal, None for somebody else's entry."""
        try:
            values = json.loads(self.content)
            places = {(of, p): Span(*span) for of, p, *span in values.pop("places")}
            read = {int(partition): offset for partition, offset in values.pop("read_up_to").items()}
            return Seal(
                self.table,
                self.day,
                events=self.events,
                places=places,
                read_up_to=read,
                previous=self.previous,
                **values,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    @property
    def altered(self) -> bool:
        """True if it is not as it was written."""
        return self.hash != hash_of(self.previous, self.table, str(self.day), self.events, self.content)

    @property
    def after(self) -> list[str]:
        """Hashes of the seals that it follows."""
        return self.previous.split(",") if self.previous else []

    def __str__(self) -> str:
        return f"{self.table.rpartition('.')[2]} {self.day}, entered {self.time}"


@dataclass(frozen=True)
class Chain:
    """Seals of an audit table, oldest first, and their breaks.

    A break names an entry and what is wrong with it. `heads` are the hashes of the newest ones, of which there are
    several where two ledgers sealed at a time. A chain that was begun again after a break is judged from its newest
    beginning on.
    """

    seals: tuple[Seal, ...] = ()
    breaks: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()

    @property
    def unbroken(self) -> bool:
        """True if every seal is as written, and none missing."""
        return not self.breaks

    def newest(self, topic: str) -> dict[tuple[str, date], Seal]:
        """Return the newest seal of each table and day.

        Of one topic and in today's digest; none of a broken chain.
        """
        known = (seal for seal in self.seals if seal.topic == topic and seal.digest_version == digest.VERSION)
        return {(seal.table, seal.day): seal for seal in known} if self.unbroken else {}

    def appended(self, seals: Iterable[Seal]) -> list[Seal]:
        """Link seals to the newest ones.

        After a break they begin a new chain.
        """
        previous, linked = ",".join(self.heads) if self.unbroken else "", []
        for seal in seals:
            linked.append(replace(seal, previous=previous))
            previous = linked[-1].hash
        return linked


def chain(spark: SparkSession, archive: Archive) -> Chain:
    """Read and verify the chain."""
    if not spark.catalog.tableExists(archive.audit):
        return Chain()
    log = snapshots.pinned(spark, archive.audit)
    if not set(COLUMNS) <= set(log.columns):
        return Chain()
    time = F.date_format("time", "yyyy-MM-dd'T'HH:mm:ss'+00:00'").alias("time")
    texts = [F.coalesce(name, F.lit("")).alias(name) for name in COLUMNS]
    rows = log.where(F.col("action") == ACTION).select(time, "table_name", "day", "rows", *texts).collect()
    return verified((Entry(*row) for row in rows), snapshots.tampered(spark, archive.audit))


def verified(entries: Iterable[Entry], tampered: Iterable[tuple[datetime, str]] = ()) -> Chain:
    """Verify the chain of some entries.

    `tampered` is what was done to their table besides appending, and when: it is named if the hashes tell of no break,
    as the newest seals leave no gap in the chain.
    """
    read = [(seal.taken_at if (seal := entry.seal()) else entry.time, entry, seal) for entry in entries]
    read.sort(key=lambda each: each[0])
    begun = max((time for time, entry, seal in read if seal and not entry.after), default="")
    written = {entry.hash for _, entry, _ in read}
    current = [(entry, seal) for time, entry, seal in read if time >= begun]
    breaks = [f"{entry}: it {fault}" for entry, seal in current if (fault := _fault(entry, seal, written))]
    breaks = breaks or [f"{told}, at {_text(moment)}" for moment, told in tampered if _text(moment) > begun]
    followed = {each for entry, _ in current for each in entry.after}
    heads = sorted({entry.hash for entry, _ in current} - followed)
    return Chain(tuple(seal for _, seal in current if seal), tuple(breaks), tuple(heads))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _fault(entry: Entry, seal: Seal | None, written: Set[str]) -> str:
    if seal is None or entry.altered:
        return "was altered"
    return "" if set(entry.after) <= written else "follows one that is missing"


def reading_of(reading: Reading) -> str:
    """Return the fingerprint of how records are parsed.

    SHA-256, hexadecimal, of this version, a user's formats and the form of the bytes.
    """
    parts = [__version__, reading.formats, reading.record_format]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
