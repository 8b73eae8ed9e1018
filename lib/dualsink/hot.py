"""The hot leg of a batch: its documents to OpenSearch, from the Spark workers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa
from pyspark.sql import DataFrame

from dualsink.bulk import BulkWriter, Limits, Tally
from dualsink.errors import MappingRefused
from dualsink.search import connect
from dualsink.settings import Settings

# One row a worker's Arrow batch with its counts, and one row a refused document with its coordinates.
_COUNTS = ("created", "existing", "requests", "retries", "bytes")
_RESULT = pa.schema(
    [(name, pa.int64()) for name in _COUNTS]
    + [("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64())]
    + [("reason", pa.string()), ("detail", pa.string())]
)
_RESULT_DDL = ", ".join(f"{name} long" for name in _COUNTS) + (
    ", topic string, partition int, offset long, reason string, detail string"
)
# Below this many refusals a batch is too small for a share to mean anything.
FEW = 10


@dataclass(frozen=True)
class HotResult:
    """What OpenSearch made of a batch's documents; `refused` holds (topic, partition, offset, reason, detail)."""

    created: int
    existing: int
    requests: int
    retries: int
    bytes: int
    refused: list[tuple[str, int, int, str, str]]

    @property
    def refused_by_reason(self) -> dict[str, int]:
        """Counts of refusals, `hot: <error type>`."""
        return dict(Counter(f"hot: {reason}" for _, _, _, reason, _ in self.refused))


def write(rows: DataFrame, settings: Settings) -> HotResult:
    """Write the `bulk` lines of `rows` (with their coordinates); every partition is consumed once.

    Raises MappingRefused when more than `max_refused_share` of the documents (and more than 10) were refused: then
    the mapping is wrong, not the data. Raises what BulkWriter raises, through Spark's own exception.
    """
    limits = Limits(
        settings.bulk_max_bytes,
        settings.bulk_max_documents,
        settings.retry_deadline_seconds,
        settings.retry_cap_seconds,
    )

    def send(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with connect(settings) as client:
            writer = BulkWriter(client, limits)
            for batch in batches:
                tally = Tally()
                writer.write(batch["bulk"], tally)
                yield _result(batch, tally)

    documents = rows.where("bulk IS NOT NULL").select("topic", "partition", "offset", "bulk")
    found = documents.mapInArrow(send, _RESULT_DDL).collect()
    counts: Counter[str] = Counter()
    for row in found:
        counts.update({name: row[name] for name in _COUNTS})
    refusals = [tuple(row[name] for name in _RESULT.names[len(_COUNTS) :]) for row in found if row.reason]
    _check_share(refusals, counts["created"] + counts["existing"] + len(refusals), settings.max_refused_share)
    return HotResult(**{name: counts[name] for name in _COUNTS}, refused=refusals)


def _result(batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
    counts = {name: value for name, value in asdict(tally).items() if name in _COUNTS}
    rows = [counts] + [
        dict.fromkeys(_COUNTS, 0)
        | {name: batch[name][position].as_py() for name in ("topic", "partition", "offset")}
        | {"reason": reason, "detail": detail}
        for position, reason, detail in tally.refused
    ]
    return pa.RecordBatch.from_pylist(rows, schema=_RESULT)


def _check_share(refusals: list[tuple], documents: int, share: float) -> None:
    if len(refusals) > max(FEW, share * documents):
        topic, partition, offset, reason, detail = refusals[0]
        raise MappingRefused(
            f"OpenSearch refused {len(refusals)} of {documents} documents, over {share:.0%}: the mapping is wrong, "
            f"not the data. The first, {topic}-{partition}-{offset}: {reason} ({detail}). Compare the index template."
        )
