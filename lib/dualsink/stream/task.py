"""Spark task: one pass over its share of a batch.

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

from dualsink.events.model import DAY, Event, Refusal, hot_window
from dualsink.events.records import PLACE, Parsed, listed, micros, some
from dualsink.iceberg import markers, quarantine
from dualsink.iceberg.data_files import DataFile, DataFileWriter, Layout
from dualsink.iceberg.markers import Run
from dualsink.iceberg.storage import file_system
from dualsink.iceberg.tables import ARCHIVE, HELD
from dualsink.opensearch.documents import bulk_lines, indexable, source
from dualsink.opensearch.sender import Sender
from dualsink.stream.target import Target

HOT_REASON = "hot: "
"""Prefix of reasons that OpenSearch gave."""
RESULT = "summary binary"
_AHEAD = Refusal("day_ahead", "the event's day is after tomorrow (UTC): `redrive` sends it once that is over")
_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Span:
    """Span of one partition: offsets of records, newest arrival (µs)."""

    runs: Sequence[Run]
    arrived: int

    def __or__(self, other: "Span") -> "Span":
        return Span(markers.merged([*self.runs, *other.runs]), max(self.arrived, other.arrived))


@dataclass
class Summary:
    """Summary of the tasks' work; `add` sums summaries up.

    `good` counts typed records, `archived` those new in the archive, `refused` the others by reason, and with
    HOT_REASON the documents that OpenSearch refused, whose coordinates are in `hot_refused`; `quarantined` counts what
    is new in the quarantine. `archived_only` counts events that are not sent to OpenSearch because their days have left
    the hot window, `partly_indexed` documents with attributes that no index can take. `newest` is the newest event of
    each store in µs, `documents` counts by outcome, `seconds` is CPU time by leg.
    """

    events: int = 0
    good: int = 0
    archived: int = 0
    quarantined: int = 0
    archived_only: int = 0
    partly_indexed: int = 0
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
        self.spans[place] = self.spans[place] | span if place in self.spans else span

    def note_newest(self, store: str, moment: int) -> None:
        """Remember the moment (µs) if it is the store's newest."""
        self.newest[store] = max(moment, self.newest.get(store, moment))


def one_pass(
    target: Target, archive: Layout, kept: Layout
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that Spark runs over a task's records.

    It takes batches of RECORD_COLUMNS and perhaps HELD, and returns one row of RESULT.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with _without_collector(), Task(target, archive, kept) as task:
            for batch in batches:
                task.take(batch)
            yield pa.RecordBatch.from_pydict({"summary": [pickle.dumps(task.finish())]})

    return run


@contextmanager
def _without_collector() -> Iterator[None]:
    """Run without Python's cycle collector.

    Nothing here makes cycles, and a collector that walks over all live records takes a third of a task's CPU.

    What is loaded before is frozen, so that the collection between two tasks is short.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def sum_up(rows: Iterable[Any]) -> Summary:
    """Sum up what the tasks returned."""
    total = Summary()
    for row in rows:
        total.add(pickle.loads(row.summary))
    return total


class Task:
    """Task as a context manager that ends its sender.

    Also in the middle of a retry.
    """

    def __init__(self, target: Target, archive: Layout, kept: Layout):
        storage, name = file_system(target.archive.storage), uuid.uuid4().hex
        self._hot = target.hot
        self._parser = target.reading.parser
        self._archive = DataFileWriter(archive, storage, name)
        self._quarantine = DataFileWriter(kept, storage, name)
        self._sender = Sender(self._hot.cluster, self._hot.limits, self._refuse_documents)
        self._summary = Summary()

    def __enter__(self) -> "Task":
        self._sender.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._sender.__exit__(*error)

    def take(self, records: pa.RecordBatch) -> None:
        """Parse records; hand documents to the sender, rows to files."""
        self._note_spans(records)
        with self._timed("parse"):
            parsed = Parsed.of(records, self._parser)
        held, outcomes = _held(parsed), parsed.outcomes
        good = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, Event)]
        refused = {i: outcome for i, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)}
        self._summary.events += len(outcomes)
        self._summary.good += len(good)
        self._summary.refused.update(refusal.reason for refusal in refused.values())
        self._refuse(parsed, {i: refusal for i, refusal in refused.items() if not held[i]}, quarantine.PARSE)
        # Refused by an older parser: it waits for a re-drive, and must not be in two places.
        wanted = [i for i in good if quarantine.PARSE not in held[i]]
        self._send(parsed, wanted)
        self._keep(parsed, [i for i in wanted if ARCHIVE not in held[i]])

    def finish(self) -> Summary:
        """Wait for the sender, write last files, return the summary."""
        with self._timed("archive"):
            self._summary.archive_files = self._archive.close()
        self._sender.drain()
        self._summary.quarantine_files = self._quarantine.close()
        self._summary.documents = self._sender.outcomes
        self._summary.seconds["send"] = self._sender.seconds  # type: ignore[assignment]  # counts floats as well
        return self._summary

    def _send(self, parsed: Parsed, rows: list[int]) -> None:
        with self._timed("documents"):
            window, events = hot_window(self._hot.days), parsed.events
            hot = [i for i in rows if events[i].timestamp // DAY in window]
            ahead = [i for i in rows if events[i].timestamp // DAY >= window.stop]
            lines = _bulk_lines(self._hot.alias, parsed, hot)
        self._summary.archived_only += len(rows) - len(hot) - len(ahead)
        self._summary.partly_indexed += sum(_is_partly_indexed(events[i]) for i in hot)
        if ahead:
            self._refuse_documents(parsed, dict.fromkeys(ahead, _AHEAD))
        if hot:
            self._summary.note_newest("opensearch", max(events[i].timestamp for i in hot))
            self._sender.send(lines, parsed, hot)

    def _keep(self, parsed: Parsed, rows: list[int]) -> None:
        if not rows:
            return
        with self._timed("archive"):
            self._archive.add(parsed.archive_rows(rows))
        self._summary.archived += len(rows)
        self._summary.note_newest("archive", max(parsed.events[i].timestamp for i in rows))

    def _refuse_documents(self, parsed: Parsed, refused: Mapping[int, Refusal]) -> None:
        """Quarantine documents that OpenSearch refused for good.

        The archive keeps the event.
        """
        refused = dict(sorted(refused.items()))
        held, places = _held(parsed), some(parsed.coordinates, list(refused))
        self._summary.hot_refused += [tuple(row.values()) for row in places.to_pylist()]
        self._summary.refused.update(HOT_REASON + refusal.reason for refusal in refused.values())
        self._refuse(parsed, {i: r for i, r in refused.items() if quarantine.HOT not in held[i]}, quarantine.HOT)

    def _refuse(self, parsed: Parsed, refusals: Mapping[int, Refusal], stage: str) -> None:
        if refusals:
            rows, now = list(refusals), datetime.now(UTC)
            places, records = some(parsed.coordinates, rows), parsed.records_of(rows)
            self._quarantine.add(quarantine.rows(places, records, stage, list(refusals.values()), now))
            self._summary.quarantined += len(refusals)

    def _note_spans(self, records: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([records]).select(list(PLACE)).group_by(["topic", "partition"])
        found = table.aggregate([("offset", "list"), ("kafka_timestamp", "max")])
        places = zip(found["topic"].to_pylist(), found["partition"].to_pylist(), strict=True)
        arrived = micros(found["kafka_timestamp_max"].combine_chunks())
        for place, offsets, moment in zip(places, found["offset_list"], arrived, strict=True):
            runs = markers.runs(offsets.values.to_numpy())
            self._summary.note_span(place, Span(runs, moment))

    @contextmanager
    def _timed(self, leg: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self._summary.seconds[leg] += time.thread_time() - began  # type: ignore[assignment]  # counts floats as well


def _held(parsed: Parsed) -> list[Sequence[str]]:
    """Return where each event is already, if anywhere.

    Nowhere, for records that are surely new.
    """
    if HELD not in parsed.records.schema.names:
        return [()] * len(parsed.outcomes)
    held = parsed.records[HELD].to_pylist()
    numbers = parsed.coordinates.select(["position", "positions"]).to_pylist()
    return [_places(held[row] or (), **number) for row, number in zip(parsed.rows, numbers, strict=True)]


def _places(held: Iterable[Mapping[str, Any]], position: int, positions: int) -> Sequence[str]:
    """Return where an event is.

    A record that was split otherwise before is held as it was: nothing is added to it.
    """
    if any(entry["positions"] != positions for entry in held):
        return (quarantine.PARSE,)
    return [entry["place"] for entry in held if entry["position"] == position]


def _is_partly_indexed(event: Event) -> bool:
    return event.attributes is not None and indexable(event.attributes) is not None


def _bulk_lines(prefix: str, parsed: Parsed, rows: Iterable[int]) -> list[bytes]:
    values, arrived = parsed.records["value"].to_pylist(), micros(parsed.coordinates["kafka_timestamp"])
    names = ("topic", "topic_id", "partition", "offset", "position", "positions")
    topics, ids, partitions, offsets, position, positions = (listed(parsed.coordinates[name]) for name in names)
    events, records = parsed.events, parsed.rows
    return [
        bulk_lines(
            b"create", prefix, events[i].timestamp, source(events[i], values[records[i]]),
            topics[i], ids[i], partitions[i], offsets[i], position[i], positions[i], arrived[i] // 1000,
        )
        for i in rows
    ]  # fmt: skip
