"""Replay: read Kafka again, add what the stores lack."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import SparkSession

from dualsink import words
from dualsink.errors import CheckpointError, SettingsError
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.tables import check_tables
from dualsink.kafka import reader
from dualsink.kafka import topic as topics
from dualsink.kafka.reader import by_coordinates
from dualsink.kafka.topic import Topic
from dualsink.operations import plan as plan_of
from dualsink.settings import Settings
from dualsink.stream import exactly_once
from dualsink.stream.checkpoint import Checkpoint
from dualsink.stream.exactly_once import Claim, Compared, OffsetRange
from dualsink.stream.sink import store
from dualsink.stream.target import Target
from dualsink.stream.task import Summary
from dualsink.timeline import moment


@dataclass(frozen=True)
class Replayed(plan_of.Result):
    """Result of a replay: records, and what stores lacked."""

    events: int
    archive_repaired: int
    quarantine_repaired: int
    hot_repaired: int
    already_there: int

    @property
    def fact(self) -> str:
        """Records replayed, and what was added where."""
        if not self.events:
            return "the topic holds no record of that range that the stream has read: nothing was replayed"
        stores = {"the archive": self.archive_repaired, "the quarantine": self.quarantine_repaired}
        stores["OpenSearch"] = self.hot_repaired
        added = [f"{count:,} added to {store}" for store, count in stores.items() if count]
        return f"{words.count(self.events, 'record')} replayed: {', '.join(added) or 'nothing was missing'}"


Bound = int | datetime | dict[int, int]
"""One end of a range of the topic: an offset for every partition, a time, or offsets by partition."""


def read_bound(text: str) -> Bound:
    """Read a bound: an offset, a time, or partition offsets.

    `1200`, `2026-11-23T10:00` (UTC without a zone) or `0:1200,3:900`. Raises SettingsError.
    """
    try:
        if text.isdecimal():
            return int(text)
        if "-" in text:
            return moment(text)
        return dict(tuple(map(int, pair.split(":"))) for pair in text.split(","))
    except (TypeError, ValueError):
        raise SettingsError(
            f"Cannot read {text!r} as a bound: give a time (2026-11-23T10:00), an offset (1200), "
            "or offsets by partition (0:1200,3:900)."
        ) from None


def read_range(start: str, end: str) -> tuple[Bound, Bound]:
    """Read both bounds.

    Raises SettingsError for an unusable one, or if nothing can be between them.
    """
    first, last = read_bound(start), read_bound(end)
    alike = type(first) is type(last) and not isinstance(first, dict)
    if alike and first >= last:  # type: ignore[operator]
        raise SettingsError(f"The range from {start} to {end} is empty: the end, not included, must be later.")
    return first, last


@dataclass(frozen=True)
class Bounds:
    """Range of the topic: offsets per partition.

    `first` is included, `end` is not.
    """

    first: dict[int, int]
    end: dict[int, int]

    def ranges(self, topic: str) -> exactly_once.Ranges:
        """Return the same as ranges of offsets."""
        return tuple(OffsetRange(topic, p, self.first[p], self.end[p] - 1) for p in sorted(self.first))


def replay(spark: SparkSession, settings: Settings, start: str, end: str) -> Replayed:
    """Replay a range of Kafka and describe what was missing.

    `start` and `end` are each a time (ISO 8601, UTC where no zone is given), an offset for every partition (`1200`),
    or offsets by partition (`0:1200,3:900`), which leaves out the partitions that it does not name; `end` is exclusive.
    Only what the stream has read already is replayed, the rest is its own to write. Raises SettingsError for an
    unusable bound, CheckpointError while a stream runs.
    """
    wanted = read_range(start, end)
    archive = Archive.of(settings)
    check_tables(spark, archive)
    checkpoint, topic = Checkpoint.of(settings), Topic.of(settings)
    with checkpoint.locked(spark), topics.Incarnation(topic) as incarnation:
        checkpoint.check(incarnation.id)
        bounds = _bounds(topic, checkpoint, *wanted)
        count = sum(bounds.end[p] - bounds.first[p] for p in bounds.end)
        if not count:
            return _replayed(Summary())
        ranges, compared = bounds.ranges(topic.name), Compared.now(spark, archive)

        def confirm() -> None:
            checkpoint.confirm()
            incarnation.verify()

        claim = Claim("replay", ranges, compared, confirm, {})
        records = by_coordinates(reader.between(spark, topic, bounds.first, bounds.end), incarnation.id)
        held = exactly_once.with_held(records, archive, claim)
        return _replayed(store(held, Target.of(settings), claim))


def _replayed(found: Summary) -> Replayed:
    documents = found.documents
    return Replayed(found.events, found.archived, found.quarantined, documents["created"], documents["existing"])


def _bounds(topic: Topic, checkpoint: Checkpoint, start: Bound, end: Bound) -> Bounds:
    read = checkpoint.committed().get(topic.name, {})
    if not read:
        raise CheckpointError(f"The stream has read nothing of {topic.name} yet: run 03_stream instead.")
    marks = topics.watermarks(topic)
    first, last = _offsets(topic, start, marks), _offsets(topic, end, marks)
    named = read.keys() & first.keys() & last.keys()
    low = {p: max(first[p], marks[p][0]) for p in named}
    high = {p: min(last[p], read[p], marks[p][1]) for p in named}
    kept = [p for p in named if low[p] < high[p]]
    return Bounds({p: low[p] for p in kept}, {p: high[p] for p in kept})


def _offsets(topic: Topic, bound: Bound, marks: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Return the offset that a bound means in every partition.

    Partitions it does not name are left out of the range.
    """
    if isinstance(bound, int):
        return dict.fromkeys(marks, bound)
    if isinstance(bound, datetime):
        return topics.offsets_at(topic, bound)
    return {p: offset for p, offset in bound.items() if p in marks}
