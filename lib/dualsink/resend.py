"""Documents made again from rows of the archive and sent by Spark's tasks, for repair and rehydration."""

import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
from pyspark.sql import DataFrame

from dualsink import hot, search
from dualsink.bulk import BulkWriter, Tally
from dualsink.documents import bulk_lines, source
from dualsink.events import Event
from dualsink.settings import Settings
from dualsink.tables import COORDINATES, EVENT_COLUMNS

_RESULT = "sent binary"


@dataclass
class Sent:
    """What came of the documents; `add` sums it up.

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


def send(rows: DataFrame, settings: Settings, action: Literal["create", "index"], prefix: str) -> Sent:
    """Send the documents of archive rows to the indices `<prefix>-<event day>`.

    `create` leaves a document that is there alone, `index` overwrites it. Raises what BulkWriter raises.
    """

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        began, sent = time.thread_time(), Sent()
        with search.connect(settings) as client:
            writer = BulkWriter(client, hot.limits(settings))
            for batch in batches:
                sent.add(_outcome(batch, writer.write(_lines(batch, action.encode(), prefix))))
        sent.cpu_seconds = time.thread_time() - began
        yield pa.RecordBatch.from_pydict({"sent": [pickle.dumps(sent)]})

    total = Sent()
    for row in rows.mapInArrow(task, _RESULT).collect():
        total.add(pickle.loads(row.sent))
    return total


def _lines(rows: pa.RecordBatch, action: bytes, prefix: str) -> list[bytes]:
    times, arrivals = (rows[name].cast(pa.int64()).to_pylist() for name in ("timestamp", "kafka_timestamp"))
    lines = []
    for row, moment, arrived in zip(rows.to_pylist(), times, arrivals, strict=True):
        event = Event(**{name: row[name] for name in EVENT_COLUMNS} | {"timestamp": moment})
        place = (row["topic"], row["partition"], row["offset"], arrived // 1000)
        lines.append(bulk_lines(action, prefix, moment, source(event), *place))
    return lines


def _outcome(rows: pa.RecordBatch, tally: Tally) -> Sent:
    positions = pa.array([position for position, _, _ in tally.refused], pa.int32())
    places = (tuple(row.values()) for row in rows.take(positions).select(COORDINATES).to_pylist())
    refused = {place: reason for place, (_, reason, _) in zip(places, tally.refused, strict=True)}
    return Sent(tally.created, tally.existing, refused=refused)
