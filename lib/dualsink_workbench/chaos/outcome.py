"""Outcome of a scenario."""

from dataclasses import dataclass, field

from dualsink.ledger import ledger


@dataclass(frozen=True)
class Counts:
    """Ledger in five numbers.

    In words: archive + quarantine of Kafka, OpenSearch, the verdict. What waits for the stream counts as Kafka's, and
    the ledger holds here only once nothing waits.
    """

    kafka: int
    archive: int
    quarantine: int
    opensearch: int
    holds: bool

    def __str__(self) -> str:
        held = f"{self.archive:,} + {self.quarantine:,} of {self.kafka:,}, OpenSearch {self.opensearch:,}"
        return f"{held}: {'holds' if self.holds else 'differs'}"

    @classmethod
    def of(cls, book: ledger.Ledger) -> "Counts":
        """Sum up a ledger."""
        waiting = sum(line.waiting for line in book.partitions)
        kafka, archive, quarantine = (
            sum(getattr(line, name) for line in book.partitions) for name in ("kafka", "archive", "quarantine")
        )
        opensearch = sum(line.opensearch for line in book.days)
        return cls(kafka + waiting, archive, quarantine, opensearch, book.holds and not waiting)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a scenario.

    `before` is the ledger after the fault, `after` the one after recovery.

    `seconds_to_recover` runs from `measured_from` to a ledger that holds. `problems` lists what should not have been.
    """

    scenario: str
    done: str
    first_end: str
    before: Counts | None
    after: Counts | None
    seconds_to_recover: float | None
    measured_from: str
    events: int
    orphans: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if the ledger holds and all went as expected.

        No process may be left behind.
        """
        return bool(self.after and self.after.holds) and not self.orphans and not self.problems
