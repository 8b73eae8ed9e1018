"""What one Spark task does with its share of a batch, in a single pass.

Every record is parsed once. Its document goes to OpenSearch from a thread of its own, while the task parses on and
writes its rows into data files of the archive; what a store cannot take goes into data files of the quarantine.
Nothing is visible in a table before the driver commits the files.
"""

import gc
import pickle
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from dualsink import quarantine, s3
from dualsink.datafiles import DataFile, DataFileWriter, Layout
from dualsink.documents import bulk_lines, is_hot, source
from dualsink.events import Event, Refusal, parse
from dualsink.hot import Sender
from dualsink.settings import Settings
from dualsink.tables import ARCHIVE, COORDINATES, EVENT_COLUMNS, HELD

HOT_REASON = "hot: "
"""Prefix of reasons that OpenSearch gave."""
RESULT = "summary binary"
_UTC = pa.timestamp("us", tz="UTC")
_EVENT_TYPES = [_UTC if name == "timestamp" else pa.string() for name in EVENT_COLUMNS]


@dataclass(frozen=True)
class Span:
    """Offsets `first` to `last` (both inclusive) of one partition, and the newest arrival in µs."""

    first: int
    last: int
    arrived: int

    def __or__(self, other: "Span") -> "Span":
        arrived = max(self.arrived, other.arrived)
        return Span(min(self.first, other.first), max(self.last, other.last), arrived)


@dataclass
class Summary:
    """What tasks did with their records; `add` sums summaries up.

    `good` counts typed records, `archived` those new in the archive, `refused` the others by reason, and with
    HOT_REASON the documents that OpenSearch refused, whose coordinates are in `hot_refused`; `quarantined` counts what
    is new in the quarantine. `newest` is the newest event of each store in µs, `documents` counts by outcome, `seconds`
    is CPU time by leg.
    """

    events: int = 0
    good: int = 0
    archived: int = 0
    quarantined: int = 0
    spans: dict[tuple[str, int], Span] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    newest: dict[str, int] = field(default_factory=dict)
    documents: Counter[str] = field(default_factory=Counter)
    hot_refused: list[tuple] = field(default_factory=list)
    archive_files: list[DataFile] = field(default_factory=list)
    quarantine_files: list[DataFile] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Summary") -> None:
        """Add another one to this."""
        for place, span in other.spans.items():
            self.note_span(place, span)
        for store, moment in other.newest.items():
            self.note_newest(store, moment)
        for name in (f.name for f in fields(self) if f.name not in ("spans", "newest")):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def note_span(self, place: tuple[str, int], span: Span) -> None:
        """Widen the span of a topic's partition."""
        self.spans[place] = span | self.spans.get(place, span)

    def note_newest(self, store: str, moment: int) -> None:
        """Remember the moment (µs) if it is the store's newest."""
        self.newest[store] = max(moment, self.newest.get(store, moment))


def one_pass(
    settings: Settings, archive: Layout, kept: Layout
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark runs over every task's records.

    It takes batches of COORDINATES, `key`, `value`, `headers` and perhaps HELD, and returns one row of RESULT.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with _without_collector(), Task(settings, archive, kept) as task:
            for batch in batches:
                task.take(batch)
            yield pa.RecordBatch.from_pydict({"summary": [pickle.dumps(task.finish())]})

    return run


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing here makes cycles, and a collector that walks over all live records takes a third of a task's CPU.

    What is loaded before is frozen, so that the collection between two tasks is short.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def sum_up(rows: Iterable[Any]) -> Summary:
    """The sum of what the tasks returned."""
    total = Summary()
    for row in rows:
        total.add(pickle.loads(row.summary))
    return total


class Task:
    """One task; a context manager that ends its sender, also in the middle of a retry."""

    def __init__(self, settings: Settings, archive: Layout, kept: Layout):
        storage, name = s3.storage(settings), uuid.uuid4().hex
        self._settings = settings
        self._archive = DataFileWriter(archive, storage, name)
        self._quarantine = DataFileWriter(kept, storage, name)
        self._sender = Sender(settings, self._refuse_documents)
        self._summary = Summary()

    def __enter__(self) -> "Task":
        self._sender.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._sender.__exit__(*error)

    def take(self, records: pa.RecordBatch) -> None:
        """Parse records, hand their documents to the sender and their rows to the data files."""
        self._note_spans(records)
        with self._timed("parse"):
            outcomes = _parsed(records)
        held = _held(records)
        good = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Event)]
        bad = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
        self._summary.events += len(outcomes)
        self._summary.good += len(good)
        self._summary.refused.update(outcomes[i].reason for i in bad)
        self._refuse(records, {i: outcomes[i] for i in bad if not held[i]}, quarantine.PARSE)
        # Refused by an older parser: it waits for a re-drive, and must not be in two places.
        wanted = [i for i in good if quarantine.PARSE not in held[i]]
        self._send(records, wanted, outcomes)
        self._keep(records, [i for i in wanted if ARCHIVE not in held[i]], outcomes)

    def finish(self) -> Summary:
        """Wait for the sender, write the last files, and say what was done."""
        with self._timed("archive"):
            self._summary.archive_files = self._archive.close()
        self._sender.drain()
        self._summary.quarantine_files = self._quarantine.close()
        self._summary.documents = self._sender.outcomes
        self._summary.seconds["send"] = self._sender.seconds
        return self._summary

    def _send(self, records: pa.RecordBatch, positions: list[int], outcomes: list) -> None:
        with self._timed("documents"):
            arrived, days = _micros(records["kafka_timestamp"]), self._settings.hot_days
            hot = [i for i in positions if is_hot(outcomes[i].timestamp, arrived[i], days)]
            lines = _bulk_lines(self._settings.opensearch_index, records, hot, outcomes, arrived)
        if hot:
            self._summary.note_newest("opensearch", max(outcomes[i].timestamp for i in hot))
            self._sender.send(lines, records, hot)

    def _keep(self, records: pa.RecordBatch, positions: list[int], outcomes: list) -> None:
        if not positions:
            return
        with self._timed("archive"):
            columns = zip(*(outcomes[i] for i in positions), strict=True)
            typed = [pa.array(column, kind) for column, kind in zip(columns, _EVENT_TYPES, strict=True)]
            places = _at(records, positions).select(COORDINATES).columns
            self._archive.add(pa.RecordBatch.from_arrays([*typed, *places], [*EVENT_COLUMNS, *COORDINATES]))
        self._summary.archived += len(positions)
        self._summary.note_newest("archive", max(outcomes[i].timestamp for i in positions))

    def _refuse_documents(self, records: pa.RecordBatch, refused: Mapping[int, Refusal]) -> None:
        """What OpenSearch refused for good; the archive keeps the event."""
        held, places = _held(records), _at(records, list(refused)).select(COORDINATES)
        self._summary.hot_refused += [tuple(row.values()) for row in places.to_pylist()]
        self._summary.refused.update(HOT_REASON + refusal.reason for refusal in refused.values())
        self._refuse(records, {i: r for i, r in refused.items() if quarantine.HOT not in held[i]}, quarantine.HOT)

    def _refuse(self, records: pa.RecordBatch, refusals: Mapping[int, Refusal], stage: str) -> None:
        if refusals:
            rows = quarantine.rows(_at(records, list(refusals)), stage, list(refusals.values()), datetime.now(UTC))
            self._quarantine.add(rows)
            self._summary.quarantined += len(refusals)

    def _note_spans(self, records: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([records]).select(COORDINATES).group_by(["topic", "partition"])
        for row in table.aggregate([("offset", "min_max"), ("kafka_timestamp", "max")]).to_pylist():
            arrived = _micros(pa.array([row["kafka_timestamp_max"]], _UTC))[0]
            span = Span(row["offset_min_max"]["min"], row["offset_min_max"]["max"], arrived)
            self._summary.note_span((row["topic"], row["partition"]), span)

    @contextmanager
    def _timed(self, leg: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self._summary.seconds[leg] += time.thread_time() - began


def _parsed(records: pa.RecordBatch) -> list[Event | Refusal]:
    keys, values = records["key"].to_pylist(), records["value"].to_pylist()
    return [parse(*record) for record in zip(values, keys, _micros(records["kafka_timestamp"]), strict=True)]


def _bulk_lines(
    alias: str, records: pa.RecordBatch, positions: list[int], events: Sequence[Event], arrived: list[int]
) -> list[bytes]:
    values, topics, partitions, offsets = (records[n].to_pylist() for n in ("value", "topic", "partition", "offset"))
    return [
        bulk_lines(
            b"create", alias, events[i].timestamp, source(events[i], values[i]),
            topics[i], partitions[i], offsets[i], arrived[i] // 1000,
        )
        for i in positions
    ]  # fmt: skip


def _held(records: pa.RecordBatch) -> list[Sequence[str]]:
    """Where each record is already; nowhere, for records that are surely new."""
    if HELD not in records.schema.names:
        return [()] * len(records)
    return [places or () for places in records[HELD].to_pylist()]


def _micros(moments: pa.Array) -> list[int]:
    return moments.cast(pa.int64()).to_pylist()


def _at(records: pa.RecordBatch, positions: list[int]) -> pa.RecordBatch:
    return records if len(positions) == len(records) else records.take(pa.array(positions, pa.int32()))
