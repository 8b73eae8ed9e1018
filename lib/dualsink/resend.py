"""Documents made again from rows of the archive and sent by Spark's tasks, for repair and rehydration."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pyspark.sql import DataFrame, Row

from dualsink import hot, search
from dualsink.bulk import BulkWriter, Tally
from dualsink.documents import bulk_lines, source
from dualsink.events import Event
from dualsink.settings import Settings
from dualsink.tables import COORDINATES, EVENT_COLUMNS

_REFUSAL = "struct<topic:string,partition:int,offset:bigint,kafka_timestamp:timestamp,reason:string>"
_SCHEMA = f"created long, existing long, cpu_seconds double, refused array<{_REFUSAL}>"
_ARROW = pa.schema(
    {
        "created": pa.int64(),
        "existing": pa.int64(),
        "cpu_seconds": pa.float64(),
        "refused": pa.list_(
            pa.struct(
                {
                    "topic": pa.string(),
                    "partition": pa.int32(),
                    "offset": pa.int64(),
                    "kafka_timestamp": pa.timestamp("us", tz="UTC"),
                    "reason": pa.string(),
                }
            )
        ),
    }
)


@dataclass(frozen=True)
class Sent:
    """What came of the documents. `refused` are coordinates and reason; `cpu_seconds` is that of the Python tasks."""

    created: int
    existing: int
    cpu_seconds: float
    refused: list[Row]


def send(rows: DataFrame, settings: Settings, action: Literal["create", "index"], prefix: str) -> Sent:
    """Send the documents of archive rows to the indices `<prefix>-<event day>`.

    `create` leaves a document that is there alone, `index` overwrites it. Raises what BulkWriter raises.
    """

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with search.connect(settings) as client:
            writer, began = BulkWriter(client, hot.limits(settings)), time.thread_time()
            for batch in batches:
                tally = writer.write(_lines(batch, action.encode(), prefix))
                yield _outcome(batch, tally, time.thread_time() - began)
                began = time.thread_time()

    found = rows.mapInArrow(task, _SCHEMA).collect()
    sums = (sum(row[name] for row in found) for name in ("created", "existing", "cpu_seconds"))
    return Sent(*sums, [refusal for row in found for refusal in row.refused])


def _lines(rows: pa.RecordBatch, action: bytes, prefix: str) -> list[bytes]:
    times, arrivals = (rows[name].cast(pa.int64()).to_pylist() for name in ("timestamp", "kafka_timestamp"))
    lines = []
    for row, moment, arrived in zip(rows.to_pylist(), times, arrivals, strict=True):
        event = Event(**{name: row[name] for name in EVENT_COLUMNS} | {"timestamp": moment})
        place = (row["topic"], row["partition"], row["offset"], arrived // 1000)
        lines.append(bulk_lines(action, prefix, moment, source(event), *place))
    return lines


def _outcome(rows: pa.RecordBatch, tally: Tally, cpu_seconds: float) -> pa.RecordBatch:
    refused = [_refusal(rows, position, reason) for position, reason, _ in tally.refused]
    values = {"created": tally.created, "existing": tally.existing, "cpu_seconds": cpu_seconds, "refused": refused}
    return pa.RecordBatch.from_pylist([values], _ARROW)


def _refusal(rows: pa.RecordBatch, position: int, reason: str) -> dict[str, Any]:
    return {**{name: rows[name][position].as_py() for name in COORDINATES}, "reason": reason}
