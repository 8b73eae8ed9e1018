"""Book of a ledger: its lines, findings, and their names."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame

from dualsink import invocation, words
from dualsink.errors import LedgerMismatch
from dualsink.ledger import digest
from dualsink.ledger.verdicts import VERDICTS

NAMED_AT_MOST = 20
# By what a difference is named.
NAMES = ["topic", "topic_id", "partition", "offset", "position", "kafka_timestamp"]
_ORDER = list(VERDICTS)


@dataclass(frozen=True)
class Difference:
    """Event by which the stores differ.

    `kind` is a verdict's name. A store lacks it, doubles it, holds it alone, or holds it with other content.
    """

    kind: str
    store: str
    topic: str
    topic_id: str
    partition: int
    offset: int
    position: int
    kafka_timestamp: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.store}: {self.place} at {self.kafka_timestamp}, topic id {self.topic_id}"

    @property
    def place(self) -> str:
        """`topic-partition-offset`, with the position in the record after the first."""
        return f"{self.topic}-{self.partition}-{self.offset}" + (f" position {self.position}" if self.position else "")


@dataclass(frozen=True)
class Finding:
    """Verdict on one store: count, examples, and a command.

    The command ends it. `examples` are at most 20 events, `names` at most 20 of what is no single event: an index, a
    range of offsets. `command` is by default the verdict's own.
    """

    verdict: str
    store: str
    count: int
    examples: tuple[Difference, ...] = ()
    names: tuple[str, ...] = ()
    note: str = ""
    command: str | None = None

    @property
    def differs(self) -> bool:
        """True if a ledger with it does not hold."""
        return VERDICTS[self.verdict].differs

    @property
    def remedy(self) -> str:
        """Command that ends it; empty if there is none."""
        return VERDICTS[self.verdict].command if self.command is None else self.command

    def lines(self) -> list[str]:
        """Return verdict, count and command, then the names, for people."""
        note = f" ({self.note})" if self.note else ""
        ends = f"; `{invocation.command(self.remedy)}` ends it" if self.remedy else ""
        head = f"{self.verdict} in {self.store}: {self.count:,}{note}{ends}"
        return [head, *(f"  {each}" for each in (*map(str, self.examples), *self.names))]

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        return {
            "verdict": self.verdict,
            "store": self.store,
            "count": self.count,
            "meaning": VERDICTS[self.verdict].meaning,
            "differs": self.differs,
            "command": self.remedy,
            "note": self.note,
            "coordinates": [*(d.place for d in self.examples), *self.names],
        }


@dataclass(frozen=True)
class PartitionLine:
    """Statement 1 for one partition: events by store.

    `holds` says whether all are the same. `beginning` and `end` are Kafka's offsets, `position` is the first offset
    that the stream has not read. `kafka`, `archive` and `quarantine` count events between `beginning` and `position`;
    `waiting` counts offsets from there to `end`. `beyond_kafka` counts events of the tables that Kafka no longer has,
    `lost` the records that nothing holds, `acknowledged` those of them that a person answers for.
    """

    topic: str
    partition: int
    beginning: int
    end: int
    kafka: int
    archive: int
    quarantine: int
    holds: bool
    position: int = 0
    waiting: int = 0
    beyond_kafka: int = 0
    lost: int = 0
    acknowledged: int = 0


@dataclass(frozen=True)
class DayLine:
    """Statement 2 for one event day (UTC): counts and digests.

    Of a day outside of the hot window whose index is still there, OpenSearch may hold a part; `holds` says that the
    archive proves each of its documents.
    """

    day: str
    archive: int
    opensearch: int
    hot_refusals: int
    archive_digest: str
    opensearch_digest: str
    holds: bool


@dataclass(frozen=True)
class Ledger:
    """Whole proof, up to the position of the newest markers.

    `earlier` counts rows of the archive and quarantine whose records have left Kafka (retention, compaction, or an
    earlier topic of the same name), `acknowledged` the lost records of all incarnations that a person answers for.
    `sealed_events` of `sealed_days` were proven by an earlier ledger and not read again from the archive. Digests are
    comparable where `digest_version` is the same.
    """

    taken_at: str
    partitions: list[PartitionLine]
    days: list[DayLine]
    earlier: int
    findings: list[Finding] = field(default_factory=list)
    acknowledged: int = 0
    digest_version: int = digest.VERSION
    sealed_days: int = 0
    sealed_events: int = 0

    @property
    def holds(self) -> bool:
        """True if both statements hold."""
        lines: list[PartitionLine | DayLine] = [*self.partitions, *self.days]
        return all(line.holds for line in lines) and not any(finding.differs for finding in self.findings)

    @property
    def differences(self) -> list[Difference]:
        """Events by which the stores differ.

        At most 20 of each finding.
        """
        return differences_of(self.findings)

    @property
    def lost(self) -> int:
        """Records that nothing holds, and that nobody answers for."""
        return sum(finding.count for finding in self.findings if finding.verdict == "lost")

    def lines(self) -> list[str]:
        """Return findings that are no differences, for people.

        What waits, what is beyond Kafka, what was acknowledged.
        """
        told = [line for finding in in_order(self.findings) if not finding.differs for line in finding.lines()]
        if self.acknowledged:
            told.append(f"acknowledged: {words.count(self.acknowledged, 'lost record')}")
        if self.sealed_days:
            sealed = f"{words.count(self.sealed_events, 'event')} of {words.count(self.sealed_days, 'day')}"
            told.append(f"sealed: {sealed}, proven before and unchanged; `validate --all` reads them again")
        return told

    def as_dict(self) -> dict[str, Any]:
        """Return the ledger as JSON types."""
        told = [finding.as_dict() for finding in in_order(self.findings)]
        differences = [asdict(difference) for difference in self.differences]
        values = {name: value for name, value in asdict(self).items() if name != "findings"}
        return {"holds": self.holds, **values, "differences": differences, "verdicts": told}

    def check(self) -> None:
        """Raise LedgerMismatch if the ledger does not hold.

        It names coordinates, and the command that mends.
        """
        if not self.holds:
            told = [line for finding in in_order(self.findings) if finding.differs for line in finding.lines()]
            named = "\n  ".join(told or ["the sums differ"])
            raise LedgerMismatch(f"The stores do not hold the same events:\n  {named}")


BOTH_TABLES = "archive and quarantine"


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of the verdicts."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.verdict))


def differences_of(findings: Iterable[Finding]) -> list[Difference]:
    """Return the events that differing findings name."""
    return [difference for finding in in_order(findings) if finding.differs for difference in finding.examples]


def differences_in(rows: DataFrame, kind: str, store: str) -> list[Difference]:
    """Return at most NAMED_AT_MOST of the rows as differences."""
    found = rows.select(*NAMES).orderBy(*NAMES).limit(NAMED_AT_MOST).collect()
    return [Difference(kind, store, **row.asDict() | {"kafka_timestamp": _iso(row.kafka_timestamp)}) for row in found]


def finding_in(rows: DataFrame, kind: str, store: str, count: int, named: bool, **more: Any) -> Sequence[Finding]:
    """Return the finding of some rows, if there are any.

    It has examples if `named`.
    """
    if not count:
        return []
    return [Finding(kind, store, count, tuple(differences_in(rows, kind, store)) if named else (), **more)]


def _iso(moment: datetime | None) -> str:
    # Spark's times come to Python in the machine's zone.
    return moment.astimezone(UTC).isoformat() if moment else "no time"
