"""Proof that the archive holds a day.

It must be there before the day may leave OpenSearch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.events.model import IDENTITY
from dualsink.iceberg import snapshots
from dualsink.iceberg.archive import Archive
from dualsink.ledger import documents
from dualsink.ledger.digest import digested, on_days
from dualsink.opensearch.cluster import Cluster

_NAMED = 3
_KINDS = ("missing", "doubled", "different")


@dataclass(frozen=True)
class DayProof:
    """Proof of one day index: documents, and those at fault.

    The archive lacks these, doubles them, or holds them otherwise. `examples` names some of those,
    `topic-partition-offset`. Rows that only the archive has are no obstacle.
    """

    documents: int
    missing: int = 0
    doubled: int = 0
    different: int = 0
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True if the archive holds every document once.

        With the same content.
        """
        return not (self.missing or self.doubled or self.different)

    def __str__(self) -> str:
        if self.holds:
            return f"the archive holds all {self.documents:,} events with the same content"
        told = ", ".join(f"{count:,} {kind}" for kind in _KINDS if (count := getattr(self, kind)))
        return f"the archive does not prove {self.documents:,} events: {told}, such as {', '.join(self.examples)}"


def of_days(
    spark: SparkSession, cluster: Cluster, archive: Archive, indices: Mapping[date, str]
) -> dict[date, DayProof]:
    """Prove each day index, by its event day (UTC).

    From both stores as they are now. It is the ledger's statement of the day, with the ledger's digest of coordinates
    and content, asked from one side: what is to be deleted must be in the archive. Unlike the ledger it answers for
    days outside the hot window too.
    """
    archived = _archived(spark, archive, list(indices))
    found = documents.read_digested(spark, cluster, list(indices.values()))
    compared = found.join(archived, list(IDENTITY), "left")
    compared = compared.select("index", _coordinates().alias("event"), _verdict().alias("verdict"))
    counts = [F.count_if(F.col("verdict") == kind).alias(kind) for kind in _KINDS]
    wrong = F.collect_set(F.when(F.col("verdict") != "proven", F.col("event")))
    examples = F.slice(F.sort_array(wrong), 1, _NAMED).alias("examples")
    rows = compared.groupBy("index").agg(F.count("*").alias("documents"), *counts, examples).collect()
    proofs = {r["index"]: DayProof(r.documents, r.missing, r.doubled, r.different, tuple(r.examples)) for r in rows}
    return {day: proofs.get(name, DayProof(0)) for day, name in indices.items()}


def _archived(spark: SparkSession, archive: Archive, days: list[date]) -> DataFrame:
    """Group rows of the days by coordinates.

    With the number of copies, and the digest of one of them. Literal bounds, by which Iceberg leaves out the files of
    other days unread.
    """
    rows = digested(snapshots.pinned(spark, archive.table).where(on_days(days)))
    return rows.groupBy(*IDENTITY).agg(F.count("*").alias("copies"), F.max("digest").alias("archived"))


def _coordinates() -> Column:
    return F.concat_ws("-", "topic", "partition", "offset")


def _verdict() -> Column:
    """Return the verdict on a document joined with its rows.

    `missing`, `doubled`, `different` or `proven`.
    """
    return (
        F.when(F.col("copies").isNull(), "missing")
        .when(F.col("copies") > 1, "doubled")
        .when(F.col("archived") != F.col("digest"), "different")
        .otherwise("proven")
    )
