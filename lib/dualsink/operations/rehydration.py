"""Rehydration: a range of the archive back in OpenSearch, proven.

It is there for a while, in indices of its own. The documents have the ids that they had, so a rehydration that was
killed is simply given again. What the hot tier holds itself is left out: nothing is there twice behind the alias. Why
it is so: docs/decisions/0010-rehydration.md.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from opensearchpy import OpenSearch
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import words
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.events.model import COORDINATES, ddl, first_hot_day
from dualsink.iceberg import snapshots, tables
from dualsink.iceberg.archive import Archive
from dualsink.ledger import documents, hot_side
from dualsink.ledger.book import DayLine, Difference, differences_of
from dualsink.ledger.digest import digested
from dualsink.opensearch import index, ism, reindex, sender
from dualsink.opensearch.hot_tier import HotTier
from dualsink.operations import plan as plan_of
from dualsink.spark import local_rows
from dualsink.timeline import moment


@dataclass(frozen=True)
class Range:
    """Range of event time (UTC), with an optional SQL condition.

    From `first` to before `end`; `where` is the condition.
    """

    first: datetime
    end: datetime
    where: str = ""

    @classmethod
    def read(cls, start: str, end: str, where: str = "") -> "Range":
        """Read the range between two times.

        ISO 8601, UTC without a zone. Raises SettingsError for an empty one.
        """
        found = cls(_bound(start), _bound(end), where.strip())
        if found.first >= found.end:
            raise SettingsError(
                f"The range from {start} to {end} is empty: the end, which is not included, must be later."
            )
        return found

    def of(self, rows: DataFrame) -> DataFrame:
        """Return the rows, or documents, that are in the range.

        Raises SettingsError for an unusable condition.
        """
        within: Column = (F.col("timestamp") >= F.lit(self.first)) & (F.col("timestamp") < F.lit(self.end))
        try:
            return rows.where(within).where(self.where) if self.where else rows.where(within)
        except AnalysisException as error:
            reason = str(error).strip().splitlines()[0]
            raise SettingsError(f"The condition {self.where!r} cannot be asked of the archive: {reason}") from None


def _bound(text: str) -> datetime:
    try:
        return moment(text)
    except ValueError:
        raise SettingsError(f"Cannot read {text!r} as a time: write 2026-11-23 or 2026-11-23T10:00 (UTC).") from None


@dataclass(frozen=True)
class Skipped(plan_of.Step):
    """A day that was left out, and why."""

    day: str
    events: int

    @property
    def target(self) -> str:
        """Day and events."""
        return f"{self.day}, {words.count(self.events, 'event')}"

    def about(self) -> dict[str, Any]:
        """Return day and events as JSON types."""
        return {"day": self.day, "events": self.events}


@dataclass(frozen=True)
class Proof:
    """Proof of rehydrated days, the ledger's statement of a range.

    What the archive holds of it is what their indices hold.
    """

    days: list[DayLine]
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        """True if it holds for every day."""
        return all(line.holds for line in self.days)

    def check(self) -> None:
        """Raise LedgerMismatch naming coordinates where it does not hold."""
        if not self.holds:
            named = "\n  ".join(map(str, self.differences))
            raise LedgerMismatch(
                f"The rehydrated days are not what the archive holds:\n  {named}\n"
                "Delete the indices of those days and rehydrate them again; nothing else rests on them."
            )


@dataclass(frozen=True)
class Rehydration(plan_of.Result):
    """Result of a rehydration.

    `expires` is the earliest expiry (UTC) of the days' indices; CPU is in µs an event.
    """

    created: int
    existing: int
    refused: int
    seconds: float
    cpu_per_event: dict[str, float]
    skipped: list[Skipped]
    proof: Proof
    expires: datetime | None

    @property
    def rate(self) -> float:
        """Events a second."""
        return (self.created + self.existing + self.refused) / self.seconds if self.seconds else 0.0

    @property
    def fact(self) -> str:
        """Documents back, the proof's verdict, and their expiry."""
        if not self.proof.days:
            days = f"{words.count(len(self.skipped), 'day')} of that range stay out, for the reasons above"
            return f"nothing was rehydrated: {days if self.skipped else 'the archive holds no event of that range'}"
        until = f", searchable until {self.expires:%Y-%m-%d %H:%M} UTC" if self.expires else ""
        verdict = "all proven equal to the archive" if self.proof.holds else "NOT equal to the archive"
        return f"{words.count(self.created, 'document')} back, {self.existing:,} were there; {verdict}{until}"

    def lines(self) -> list[str]:
        """Return days left out, the proof, rate and CPU."""
        lines = [*map(str, self.skipped), *(_proven(line) for line in self.proof.days)]
        cpu = ", ".join(f"{cost:g} µs {name}" for name, cost in self.cpu_per_event.items())
        return [*lines, f"{self.rate:,.0f} events/s; CPU of an event: {cpu}"] if cpu else lines

    def check(self) -> None:
        """Raise LedgerMismatch if the days differ from the archive.

        It names coordinates.
        """
        self.proof.check()

    def as_dict(self) -> dict[str, Any]:
        """Return the same as JSON types."""
        proof = {"holds": self.proof.holds, **asdict(self.proof)}
        expires = self.expires.isoformat(timespec="seconds") if self.expires else None
        skipped = [{**day.about(), "reason": day.reason} for day in self.skipped]
        return {
            **asdict(self), "skipped": skipped, "rate": round(self.rate, 1), "proof": proof, "expires": expires,
        }  # fmt: skip


def _proven(line: DayLine) -> str:
    refused = f" ({line.hot_refusals:,} refused)" if line.hot_refusals else ""
    verdict = "equal" if line.holds else "NOT EQUAL"
    return f"{line.day}: archive {line.archive:,}{refused}, rehydrated {line.opensearch:,}, digests {verdict}"


def rehydrate(spark: SparkSession, archive: Archive, hot: HotTier, wanted: Range) -> Rehydration:
    """Rehydrate a range of the archive, and compare both sides.

    A day is left out while the hot tier holds it or must hold it. Given twice, it finds everything there. It may run
    beside the stream. Raises SettingsError for an unusable condition, MappingRefused where OpenSearch refuses more
    than a share of the documents, and what BulkWriter raises; the proof is the caller's to check.
    """
    tables.check_tables(spark, archive)
    rows = wanted.of(snapshots.pinned(spark, archive.table))
    counts = {
        row.day: row["count"]
        for row in rows.groupBy(F.to_date("timestamp").alias("day")).count().orderBy("day").collect()
    }
    with closing(index.connect(hot.cluster)) as client:
        skipped = _skipped(client, hot, list(counts))
        days = sorted(counts.keys() - skipped.keys())
        rows = rows.where(F.to_date("timestamp").isin(days))
        _create(client, hot, days)
        with _metered(client) as spent:
            sent = reindex.send(rows, hot, "create", hot.rehydrated)
        index.refresh(client, hot.alias)
        expires = _earliest(index.expiries(client, hot), days)
    sender.check_refusals(Counter(sent.refused.values()), sum(counts.values()), hot.limits.refused_share)
    left_out = [Skipped(str(day), counts[day], reason=reason) for day, reason in sorted(skipped.items())]
    copies = documents.read(spark, hot.cluster, [f"{hot.rehydrated}-{day:%Y.%m.%d}" for day in days])
    proof = _proof(rows, wanted.of(copies), list(sent.refused))
    return Rehydration(
        sent.created, sent.existing, len(sent.refused), round(spent["wall"], 3), _per_event(sent, spent["cpu"]),
        left_out, proof, expires,
    )  # fmt: skip


def _earliest(expiries: Mapping[date, datetime | None], days: Sequence[date]) -> datetime | None:
    return min((time for day in days if (time := expiries.get(day))), default=None)


def _per_event(sent: reindex.Sent, opensearch: float) -> dict[str, float]:
    """Return CPU in µs an event, if any was sent.

    Of the Python tasks and of OpenSearch.
    """
    events = sent.created + sent.existing + len(sent.refused)
    spent = {"tasks": sent.cpu_seconds, "opensearch": opensearch}
    return {name: round(seconds / events * 1e6, 1) for name, seconds in spent.items()} if events else {}


def _skipped(client: OpenSearch, hot: HotTier, days: Sequence[date]) -> dict[date, str]:
    """Return days that the hot tier holds, or should hold.

    The latter are for `repair`.
    """
    indices = index.day_indices(client, hot.alias)
    first_hot = first_hot_day(hot.days)
    there = {day: f"the hot tier holds it: {indices[day]}" for day in days if day in indices}
    window = {day: "it is in the hot window" for day in days if day >= first_hot}
    return window | there


def _create(client: OpenSearch, hot: HotTier, days: Sequence[date]) -> None:
    """Create the rehydrated indices, after template and policies.

    An index takes both at its creation.
    """
    index.ensure_template(client, hot)
    ism.ensure_policy(client, hot)
    for day in days:
        index.create_rehydrated(client, hot, day)


def _proof(rows: DataFrame, copies: DataFrame, refused: list[tuple]) -> Proof:
    found = documents.with_digest(copies).persist()
    refusals = local_rows.frame(rows.sparkSession, refused, ddl(COORDINATES))
    try:
        lines, findings = hot_side.compare(digested(rows), found, refusals)
        return Proof(lines, differences_of(findings))
    finally:
        found.unpersist()


@contextmanager
def _metered(client: OpenSearch) -> Iterator[dict[str, float]]:
    """Measure the block: seconds `wall`, OpenSearch's seconds `cpu`.

    Of all nodes, whatever they work on.
    """
    spent: dict[str, float] = {}
    began, before = time.monotonic(), _cpu_seconds(client)
    yield spent
    spent.update(wall=time.monotonic() - began, cpu=_cpu_seconds(client) - before)


def _cpu_seconds(client: OpenSearch) -> float:
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes) / 1000
