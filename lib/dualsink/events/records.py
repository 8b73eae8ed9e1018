"""Kafka records as Arrow batches, and their events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from dualsink.events.model import COORDINATES, EVENT_COLUMNS, Event, Refusal
from dualsink.events.parser import Parser

PLACE = tuple(name for name in COORDINATES if name not in ("position", "positions"))
RECORD_COLUMNS = (*PLACE, "key", "value", "headers")
"""What a record is made of: its place in Kafka and its bytes."""
_UTC = pa.timestamp("us", tz="UTC")
_EVENT_TYPES = [_UTC if kind == "timestamp" else pa.string() for kind in EVENT_COLUMNS.values()]
_NOTHING = (None,) * len(EVENT_COLUMNS)


@dataclass(frozen=True)
class Parsed:
    """Records and what they hold.

    Of each event or refusal the row of its record, and its COORDINATES.
    """

    records: pa.RecordBatch
    outcomes: list[Event | Refusal]
    rows: Sequence[int]
    coordinates: pa.RecordBatch

    @classmethod
    def of(cls, records: pa.RecordBatch, parser: Parser) -> "Parsed":
        """Parse every record; `records` has RECORD_COLUMNS and perhaps more."""
        values, keys, times = records["value"].to_pylist(), records["key"].to_pylist(), records["kafka_timestamp"]
        lists = list(map(parser.parse_record, values, keys, micros(times)))
        outcomes, places = list(chain.from_iterable(lists)), records
        rows: Sequence[int] = range(len(lists))
        position, positions = (pa.repeat(pa.scalar(number, pa.int32()), len(outcomes)) for number in (0, 1))
        if set(map(len, lists)) - {1}:
            rows = [row for row, found in enumerate(lists) for _ in found]
            position = pa.array([place for found in lists for place in range(len(found))], pa.int32())
            positions = pa.array([len(lists[row]) for row in rows], pa.int32())
            places = records.select(list(PLACE)).take(pa.array(rows, pa.int32()))
        numbered = {"position": position, "positions": positions}
        columns = [numbered[name] if name in numbered else places[name] for name in COORDINATES]
        return cls(records, outcomes, rows, pa.RecordBatch.from_arrays(columns, list(COORDINATES)))

    @property
    def events(self) -> list[Event]:
        """Outcomes, for rows that are no refusals."""
        return cast(list[Event], self.outcomes)

    def records_of(self, rows: Iterable[int]) -> pa.RecordBatch:
        """Return the records of some events, one for each."""
        return self.records.take(pa.array([self.rows[i] for i in rows], pa.int32()))

    def archive_rows(self, rows: list[int]) -> pa.RecordBatch:
        """Return rows of the archive for some events.

        Those of refusals have nothing but coordinates.
        """
        events = (e if isinstance(e := self.outcomes[i], Event) else _NOTHING for i in rows)
        columns = list(zip(*events, strict=True)) or [()] * len(_EVENT_TYPES)
        typed = [pa.array(column, kind) for column, kind in zip(columns, _EVENT_TYPES, strict=True)]
        places = some(self.coordinates, rows).columns
        return pa.RecordBatch.from_arrays([*typed, *places], [*EVENT_COLUMNS, *COORDINATES])


def some(batch: pa.RecordBatch, rows: list[int]) -> pa.RecordBatch:
    """Take some rows of a batch.

    None of them twice, in their order.
    """
    return batch if len(rows) == len(batch) else batch.take(pa.array(rows, pa.int32()))


def micros(moments: pa.Array) -> list[int]:
    """Times as microseconds since 1970 (UTC)."""
    return listed(moments.cast(pa.int64()))


def listed(column: pa.Array) -> list[Any]:
    """List the values of a column.

    Quickly for numbers and for a text that is always the same.
    """
    if column.null_count or not len(column):
        return column.to_pylist()
    if pa.types.is_integer(column.type):
        return column.to_numpy().tolist()
    first = column[0]
    return [first.as_py()] * len(column) if pc.all(pc.equal(column, first)).as_py() else column.to_pylist()
