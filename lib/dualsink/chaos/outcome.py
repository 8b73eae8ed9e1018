"""What a scenario showed."""

from dataclasses import dataclass, field

from dualsink import ledger


@dataclass(frozen=True)
class Counts:
    """A ledger in five numbers; in words: archive + quarantine of Kafka, OpenSearch, the verdict."""

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
        """The sums of a ledger."""
        partitions = [
            sum(getattr(line, name) for line in book.partitions) for name in ("kafka", "archive", "quarantine")
        ]
        return cls(*partitions, sum(line.opensearch for line in book.days), book.holds)


@dataclass(frozen=True)
class Outcome:
    """What a scenario showed. `before` is the ledger after the fault, `after` the one after recovery.

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
        """Whether the ledger holds, no process was left, and all went as it should."""
        return bool(self.after and self.after.holds) and not self.orphans and not self.problems
