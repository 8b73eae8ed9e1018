"""Proof that the archive holds a day: what must stand before the day may leave OpenSearch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from dualsink.ledger import _KEY, CONTENT, digested, documents
from dualsink.settings import Settings

_NAMED = 3
_KINDS = ("missing", "doubled", "different")


@dataclass(frozen=True)
class DayProof:
    """One day index: its documents, and how many of them the archive lacks, doubles or holds otherwise.

    `examples` names some of those, `topic-partition-offset`. Rows that only the archive has are no obstacle.
    """

    documents: int
    missing: int = 0
    doubled: int = 0
    different: int = 0
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the archive holds every document of the index once, with the same content."""
        return not (self.missing or self.doubled or self.different)

    def __str__(self) -> str:
        if self.holds:
            return f"the archive holds all {self.documents:,} events with the same content"
        told = ", ".join(f"{count:,} {kind}" for kind in _KINDS if (count := getattr(self, kind)))
        return f"the archive does not prove {self.documents:,} events: {told}, such as {', '.join(self.examples)}"


def of_days(spark: SparkSession, settings: Settings, indices: Mapping[date, str]) -> dict[date, DayProof]:
    """The proof of each day index by its event day (UTC), taken from both stores as they are now.

    It is the ledger's statement of the day, with the ledger's digest of coordinates and content, asked from one side:
    what is to be deleted must be in the archive. Unlike the ledger it answers for days outside the hot window too.
    """
    archived = _archived(spark, settings, list(indices))
    found = digested(documents(spark, settings, list(indices.values())), "index")
    compared = found.join(archived, _KEY, "left")
    compared = compared.select("index", _coordinates().alias("event"), _verdict().alias("verdict"))
    counts = [F.count_if(F.col("verdict") == kind).alias(kind) for kind in _KINDS]
    wrong = F.collect_set(F.when(F.col("verdict") != "proven", F.col("event")))
    examples = F.slice(F.sort_array(wrong), 1, _NAMED).alias("examples")
    rows = compared.groupBy("index").agg(F.count("*").alias("documents"), *counts, examples).collect()
    found = {r["index"]: DayProof(r.documents, r.missing, r.doubled, r.different, tuple(r.examples)) for r in rows}
    return {day: found.get(name, DayProof(0)) for day, name in indices.items()}


def _archived(spark: SparkSession, settings: Settings, days: list[date]) -> DataFrame:
    """Rows of the days by coordinates: copies, and the digest of one of them."""
    rows = spark.table(settings.archive_table).where(F.to_date("timestamp").isin(days))
    digests = rows.select(*_KEY, F.xxhash64(*CONTENT).alias("archived"))
    return digests.groupBy(*_KEY).agg(F.count("*").alias("copies"), F.max("archived").alias("archived"))


def _coordinates() -> Column:
    return F.concat_ws("-", "topic", "partition", "offset")


def _verdict() -> Column:
    """`missing`, `doubled`, `different` or `proven`, for a document joined with its rows in the archive."""
    return (
        F.when(F.col("copies").isNull(), "missing")
        .when(F.col("copies") > 1, "doubled")
        .when(F.col("archived") != F.col("digest"), "different")
        .otherwise("proven")
    )
