"""Back to hot: a range of the archive in OpenSearch again for a while, in indices of its own, and the proof of it.

The documents bear the ids that they had, so a rehydration that was killed is simply given again. What the hot tier
holds itself is left out: nothing stands twice behind the alias. Why it is so: docs/decisions/rehydration.md.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from opensearchpy import OpenSearch
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink import hot, ism, ledger, resend, search
from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.ledger import DayLine, Difference
from dualsink.settings import Settings
from dualsink.timeline import moment

_REFUSED = "topic string, partition int, offset long, kafka_timestamp timestamp"


@dataclass(frozen=True)
class Range:
    """Events from `first` to before `end` (event time, UTC) that meet the SQL condition `where`, or all of them."""

    first: datetime
    end: datetime
    where: str = ""

    @classmethod
    def read(cls, start: str, end: str, where: str = "") -> "Range":
        """The range between two times (ISO 8601, UTC without a zone). Raises SettingsError for an empty one."""
        found = cls(_bound(start), _bound(end), where.strip())
        if found.first >= found.end:
            raise SettingsError(f"Nothing lies from {start} to {end}: the end, which is not included, must be later.")
        return found

    def of(self, rows: DataFrame) -> DataFrame:
        """Those of archive rows, or of documents, that lie in it. Raises SettingsError for an unusable condition."""
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
class Skipped:
    """A day that was left out, and why."""

    day: str
    events: int
    reason: str


@dataclass(frozen=True)
class Proof:
    """The ledger's statement of rehydrated days: of the range, what the archive holds is what their indices hold."""

    days: list[DayLine]
    differences: list[Difference]

    @property
    def holds(self) -> bool:
        """Whether it holds for every day."""
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
class Rehydration:
    """What was done. `expires` is the earliest expiry (UTC) of the days' indices; CPU is in µs an event."""

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

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON types."""
        proof = {"holds": self.proof.holds, **asdict(self.proof)}
        expires = self.expires.isoformat(timespec="seconds") if self.expires else None
        return {**asdict(self), "rate": round(self.rate, 1), "proof": proof, "expires": expires}


def rehydrate(spark: SparkSession, settings: Settings, wanted: Range) -> Rehydration:
    """Put a range of the archive, as it is now, back into OpenSearch, and compare both sides.

    A day is left out while the hot tier holds it or must hold it. Given twice, it finds everything there. It may run
    beside the stream. Raises SettingsError for an unusable condition, MappingRefused where OpenSearch refuses more
    than a share of the documents, and what BulkWriter raises; the proof is the caller's to check.
    """
    rows = wanted.of(spark.table(settings.archive_table))
    counts = {
        row.day: row["count"]
        for row in rows.groupBy(F.to_date("timestamp").alias("day")).count().orderBy("day").collect()
    }
    with closing(search.connect(settings)) as client:
        skipped = _skipped(client, settings, list(counts))
        days = sorted(counts.keys() - skipped.keys())
        rows = rows.where(F.to_date("timestamp").isin(days))
        _create(client, settings, days)
        with _metered(client) as spent:
            sent = resend.send(rows, settings, "create", settings.rehydrated_prefix)
        search.refresh(client, settings.opensearch_index)
        expires = _earliest(search.expiries(client, settings), days)
    hot.check_refusals(Counter(sent.refused.values()), sum(counts.values()), settings.max_refused_share)
    left_out = [Skipped(str(day), counts[day], reason) for day, reason in sorted(skipped.items())]
    proof = _proof(spark, settings, wanted, rows, days, list(sent.refused))
    return Rehydration(
        sent.created, sent.existing, len(sent.refused), round(spent["wall"], 3), _per_event(sent, spent["cpu"]),
        left_out, proof, expires,
    )  # fmt: skip


def _earliest(expiries: Mapping[date, datetime | None], days: Sequence[date]) -> datetime | None:
    return min((time for day in days if (time := expiries.get(day))), default=None)


def _per_event(sent: resend.Sent, opensearch: float) -> dict[str, float]:
    """CPU in µs an event of the Python tasks and of OpenSearch; nothing where nothing was sent."""
    events = sent.created + sent.existing + len(sent.refused)
    spent = {"tasks": sent.cpu_seconds, "opensearch": opensearch}
    return {name: round(seconds / events * 1e6, 1) for name, seconds in spent.items()} if events else {}


def _skipped(client: OpenSearch, settings: Settings, days: Sequence[date]) -> dict[date, str]:
    """Days that the hot tier holds, or that its ledger demands of it; `repair` is what brings those back."""
    indices = search.day_indices(client, settings.opensearch_index)
    first_hot = datetime.now(UTC).date() - timedelta(days=settings.hot_days)
    there = {day: f"the hot tier holds it: {indices[day]}" for day in days if day in indices}
    window = {day: "it lies in the hot window" for day in days if day >= first_hot}
    return window | there


def _create(client: OpenSearch, settings: Settings, days: Sequence[date]) -> None:
    """The template and the policies first: an index takes both at its creation."""
    search.ensure_template(client, settings)
    ism.ensure_policy(client, settings)
    for day in days:
        search.create_rehydrated(client, settings, day)


def _proof(
    spark: SparkSession,
    settings: Settings,
    wanted: Range,
    rows: DataFrame,
    days: Sequence[date],
    refused: list[tuple],
) -> Proof:
    names = [f"{settings.rehydrated_prefix}-{day:%Y.%m.%d}" for day in days]
    found = ledger.digested(wanted.of(ledger.documents(spark, settings, names))).persist()
    refusals = spark.createDataFrame(refused, _REFUSED)
    try:
        return Proof(*ledger.compare(ledger.digested(rows), found, refusals))
    finally:
        found.unpersist()


@contextmanager
def _metered(client: OpenSearch) -> Iterator[dict[str, float]]:
    """Seconds of the block, `wall`, and of all OpenSearch nodes' CPU in it, `cpu`, whatever they work on."""
    spent: dict[str, float] = {}
    began, before = time.monotonic(), _cpu_seconds(client)
    yield spent
    spent.update(wall=time.monotonic() - began, cpu=_cpu_seconds(client) - before)


def _cpu_seconds(client: OpenSearch) -> float:
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    return sum(node["process"]["cpu"]["total_in_millis"] for node in nodes) / 1000
