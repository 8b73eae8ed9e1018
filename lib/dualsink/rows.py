"""From Kafka records to typed rows: the Arrow function that Spark runs over every batch."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from dualsink.documents import bulk_lines, document, document_id, index_name, is_hot
from dualsink.events import Event, Refusal, parse
from dualsink.settings import Settings

COORDINATES = ("topic", "partition", "offset", "kafka_timestamp")
EVENT_COLUMNS = Event._fields

# One row a record: the coordinates, then either an event (with `bulk` where it is hot) or a refusal with its bytes.
ROW_SCHEMA = """
    topic string, partition int, offset long, kafka_timestamp timestamp,
    log_id string, timestamp timestamp, level string, service string, host string, message string,
    stack_trace string, trace_id string, span_id string, attributes string,
    bulk binary, reason string, detail string, key binary, value binary, headers array<struct<key:string,value:binary>>
"""
_UTC = pa.timestamp("us", tz="UTC")
_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
_EVENT_TYPES = {name: _UTC if name == "timestamp" else pa.string() for name in EVENT_COLUMNS}
_REFUSAL_TYPES = {
    "bulk": pa.binary(),
    "reason": pa.string(),
    "detail": pa.string(),
    "key": pa.binary(),
    "value": pa.binary(),
    "headers": _HEADERS,
}


def typed_rows(records: DataFrame, settings: Settings) -> DataFrame:
    """Rows of ROW_SCHEMA for records of the Kafka source (`includeHeaders` on)."""
    columns = records.select(
        "topic", "partition", "offset", F.col("timestamp").alias("kafka_timestamp"), "key", "value", "headers"
    )
    alias, hot_days = settings.opensearch_index, settings.hot_days

    def parse_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield parse_batch(batch, alias, hot_days)

    return columns.mapInArrow(parse_batches, ROW_SCHEMA)


def parse_batch(batch: pa.RecordBatch, alias: str, hot_days: int) -> pa.RecordBatch:
    """Rows of one Arrow batch of records, in order, one for one."""
    keys, values = batch["key"].to_pylist(), batch["value"].to_pylist()
    topics, partitions, offsets = (batch[name].to_pylist() for name in COORDINATES[:3])
    times = batch["kafka_timestamp"].cast(pa.int64()).to_pylist()
    outcomes = [parse(value, key, time) for value, key, time in zip(values, keys, times, strict=True)]
    events = [o if isinstance(o, Event) else _NO_EVENT for o in outcomes]
    bulk = [
        _bulk_lines(o, topic, partition, offset, time, alias, hot_days) if isinstance(o, Event) else None
        for o, topic, partition, offset, time in zip(outcomes, topics, partitions, offsets, times, strict=True)
    ]
    columns = {name: batch[name] for name in COORDINATES}
    typed = zip(*events, strict=True) if events else [()] * len(EVENT_COLUMNS)
    for (name, kind), column in zip(_EVENT_TYPES.items(), typed, strict=True):
        columns[name] = pa.array(column, type=kind)
    refusals = _refusal_columns(outcomes, keys, values, batch["headers"])
    for name, kind in _REFUSAL_TYPES.items():
        columns[name] = pa.array(bulk if name == "bulk" else refusals[name], type=kind)
    return pa.RecordBatch.from_pydict(columns)


_NO_EVENT = Event(*[None] * len(EVENT_COLUMNS))


def _bulk_lines(event, topic, partition, offset, kafka_timestamp, alias, hot_days) -> bytes | None:
    if not is_hot(event.timestamp, kafka_timestamp, hot_days):
        return None
    milliseconds = kafka_timestamp // 1000
    source = document(event, topic, partition, offset, milliseconds)
    name = document_id(topic, partition, offset, milliseconds)
    return bulk_lines(index_name(alias, event.timestamp), name, source)


def _refusal_columns(outcomes: list[Event | Refusal], keys: list, values: list, headers: pa.Array) -> dict[str, list]:
    """The bytes as they came travel only with refused records."""
    empty: list = [None] * len(outcomes)
    columns = {name: empty.copy() for name in ("reason", "detail", "key", "value", "headers")}
    for i, outcome in enumerate(outcomes):
        if isinstance(outcome, Refusal):
            columns["reason"][i], columns["detail"][i] = outcome.reason, outcome.detail
            columns["key"][i], columns["value"][i], columns["headers"][i] = keys[i], values[i], headers[i].as_py()
    return columns
