"""Position: the offset of each partition that bounds a ledger."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from dualsink.iceberg.markers import ADDED, Progress, Reach
from dualsink.kafka import topic as topics
from dualsink.kafka.topic import Topic
from dualsink.ledger.tables import Tables


def own(topic: str, topic_id: str) -> Column:
    """Condition: a row is a topic's, by name or id."""
    return (F.col("topic") == topic) | (F.col("topic_id") == topic_id)


@dataclass(frozen=True)
class Partition:
    """Kafka's offsets of one partition, and the stream's reach.

    From `beginning` to before `end`. The reach is None if the stream has never seen the partition. Kafka and tables are
    compared from `beginning` to before `position`.
    """

    beginning: int
    end: int
    reach: Reach | None

    @property
    def unread(self) -> int:
        """The first offset that the stream has not read."""
        return self.reach.last + 1 if self.reach else self.beginning

    @property
    def next(self) -> int:
        """The first offset that the stream can read next."""
        return max(self.unread, self.beginning)

    @property
    def position(self) -> int:
        """The first offset that is not compared."""
        return max(self.beginning, min(self.unread, self.end))

    @property
    def waiting(self) -> int:
        """Offsets that the stream will read."""
        return max(0, self.end - self.next)

    @property
    def span(self) -> tuple[int, int] | None:
        """Offsets of which nothing may be lost.

        All that were read, and those that Kafka has dropped unread.
        """
        if self.reach is None:
            return None
        return min(self.reach.first, self.beginning), max(self.reach.last, self.beginning - 1)


@dataclass(frozen=True)
class Position:
    """Topic's present incarnation, its partitions, and the stream's progress.

    The progress is that in all incarnations; it is `marked`, or implied by the rows.
    """

    topic: str
    topic_id: str
    partitions: dict[int, Partition]
    progress: Progress
    marked: bool = True

    @classmethod
    def of(cls, topic: Topic, tables: Tables, topic_id: str) -> "Position":
        """Return the position of pinned tables.

        Kafka is asked after they were pinned: it had everything that they hold.
        """
        told = tables.progress(topic.name)
        progress = tables.held(topic.name) if told is None else told
        reached, marks = progress.get(topic_id, {}), topics.watermarks(topic)
        unnamed = ADDED if told and topic_id in told else None
        found = {p: Partition(*ends, reached.get(p, unnamed)) for p, ends in sorted(marks.items())}
        return cls(topic.name, topic_id, found, progress, told is not None)

    def lacking_before(self, goes_on: Mapping[int, int]) -> dict[int, tuple[int, int]]:
        """Return offsets, the end excluded, that nobody will read.

        By partition: Kafka has them, the tables do not reach so far, and a query goes on behind them.
        """
        ends = {p: (each.next, min(goes_on.get(p, 0), each.end)) for p, each in self.partitions.items()}
        return {p: (first, end) for p, (first, end) in ends.items() if first < end}

    @property
    def kafka(self) -> dict[int, tuple[int, int]]:
        """First and next offset of what Kafka has, by partition."""
        return {p: (each.beginning, each.end) for p, each in self.partitions.items()}

    @property
    def marks(self) -> dict[int, tuple[int, int]]:
        """First and next offset of what is compared, by partition."""
        return {p: (each.beginning, each.position) for p, each in self.partitions.items()}

    def own(self) -> Column:
        """Condition: a row is the topic's, by name or id.

        Kafka gives an id once: whatever name a row was given, its id says whose it is.
        """
        return own(self.topic, self.topic_id)

    def compared(self) -> Column:
        """Condition: Kafka had the record; the stream has read it."""
        return self.between(self.marks)

    def between(self, marks: Mapping[int, tuple[int, int]]) -> Column:
        """Condition: the record is between two offsets of its partition.

        Of this incarnation; the last is excluded.
        """
        return F.expr(self._where({p: f"offset >= {first} AND offset < {end}" for p, (first, end) in marks.items()}))

    def beyond_kafka(self) -> Column:
        """Condition: the stream has read it, Kafka has dropped it."""
        gone = {
            p: f"offset < {each.beginning} OR (offset >= {each.position} AND offset < {each.unread})"
            for p, each in self.partitions.items()
        }
        return F.expr(f"topic_id <> '{self.topic_id}' OR {self._where(gone)}")

    def unread(self) -> Column:
        """Condition: the record's batch is not whole in both tables."""
        return F.expr(self._where({p: f"offset >= {each.next}" for p, each in self.partitions.items()}))

    def under_way(self) -> Column:
        """Condition: Kafka has it, the stream has still to commit."""
        return self.between({p: (each.next, each.end) for p, each in self.partitions.items()})

    def never_in_kafka(self) -> Column:
        """Condition: Kafka has never given this offset."""
        later = {p: f"offset >= {max(each.unread, each.end)}" for p, each in self.partitions.items()}
        known = ", ".join(map(str, self.partitions)) or "-1"
        nowhere = f"(topic_id = '{self.topic_id}' AND partition NOT IN ({known}))"
        return F.expr(f"{self._where(later)} OR {nowhere}")

    def in_kafka(self) -> Column:
        """Condition: Kafka has the offset now."""
        return self.between(self.kafka)

    def _where(self, offsets: Mapping[int, str]) -> str:
        """Literals, by which Iceberg leaves out files unread."""
        found = " OR ".join(f"(partition = {number} AND ({each}))" for number, each in offsets.items())
        return f"(topic_id = '{self.topic_id}' AND ({found or 'false'}))"
