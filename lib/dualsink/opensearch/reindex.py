"""Documents rebuilt from archive rows, for repair and rehydration.

Spark's tasks send them.
"""

import pickle
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
from pyspark.sql import DataFrame

from dualsink.errors import DeploymentError
from dualsink.events.model import COORDINATES, EVENT_COLUMNS, Event
from dualsink.opensearch import bulk, index
from dualsink.opensearch.bulk import BulkWriter, Tally
from dualsink.opensearch.documents import bulk_lines, source
from dualsink.opensearch.hot_tier import HotTier

_RESULT = "sent binary"


@dataclass
class Sent:
    """Result of sending documents; `add` sums results up.

    `refused` is the reason by coordinates, `cpu_seconds` the CPU time of the Python tasks.
    """

    created: int = 0
    existing: int = 0
    cpu_seconds: float = 0.0
    refused: dict[tuple, str] = field(default_factory=dict)

    def add(self, other: "Sent") -> None:
        """Add another one to this."""
        self.created += other.created
        self.existing += other.existing
        self.cpu_seconds += other.cpu_seconds
        self.refused |= other.refused


def send(rows: DataFrame, hot: HotTier, action: Literal["create", "index"], prefix: str) -> Sent:
    """Send documents of archive rows to `<prefix>-<event day>`.

    `rows` have the columns of the archive, `prefix` is one of the hot tier's. `create` leaves a document that is there
    alone, `index` overwrites it. Raises what BulkWriter raises.
    """

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        start, sent = time.thread_time(), Sent()
        with index.connect(hot.cluster) as client:
            writer = BulkWriter(client, hot.limits)
            for batch in batches:
                sent.add(_outcome(batch, writer.write(_lines(batch, action.encode(), prefix))))
        sent.cpu_seconds = time.thread_time() - start
        yield pa.RecordBatch.from_pydict({"sent": [pickle.dumps(sent)]})

    with index.connect(hot.cluster) as client:
        index.restore_template(client, hot)
    total = Sent()
    for row in rows.mapInArrow(task, _RESULT).collect():
        total.add(pickle.loads(row.sent))
    return total


def delete(places: DataFrame, hot: HotTier) -> int:
    """Delete documents by their `index`, `id` and `routing`.

    Returns how many were there. Raises what BulkWriter raises, DeploymentError where a deletion is refused for good.
    """

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        deleted = 0
        with index.connect(hot.cluster) as client:
            writer = BulkWriter(client, hot.limits)
            for batch in batches:
                tally = writer.write([bulk.deletion(**place) for place in batch.to_pylist()])
                _check_refusals(tally)
                deleted += tally.created
        yield pa.RecordBatch.from_pydict({"deleted": [deleted]})

    return sum(row.deleted for row in places.mapInArrow(task, "deleted long").collect())


def _check_refusals(tally: Tally) -> None:
    if tally.refused:
        _, reason, detail = tally.refused[0]
        raise DeploymentError(f"OpenSearch refused to delete {len(tally.refused)} documents: {reason} ({detail}).")


def _lines(rows: pa.RecordBatch, action: bytes, prefix: str) -> list[bytes]:
    times, arrivals = (rows[name].cast(pa.int64()).to_pylist() for name in ("timestamp", "kafka_timestamp"))
    lines = []
    for row, moment, arrived in zip(rows.to_pylist(), times, arrivals, strict=True):
        event = Event(**{name: row[name] for name in EVENT_COLUMNS} | {"timestamp": moment})
        place = (*(row[name] for name in COORDINATES[:-1]), arrived // 1000)
        lines.append(bulk_lines(action, prefix, moment, source(event), *place))
    return lines


def _outcome(rows: pa.RecordBatch, tally: Tally) -> Sent:
    positions = pa.array([position for position, _, _ in tally.refused], pa.int32())
    places = (tuple(row.values()) for row in rows.take(positions).select(list(COORDINATES)).to_pylist())
    refused = {place: reason for place, (_, reason, _) in zip(places, tally.refused, strict=True)}
    return Sent(tally.created, tally.existing, refused=refused)
