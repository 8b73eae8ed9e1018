"""Records of several events: each event has its position, each row says how many its record held."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from dualsink.events import records
from dualsink.events.model import COORDINATES, Event, Refusal
from dualsink.events.parser import Parser
from dualsink.events.records import RECORD_COLUMNS, Parsed

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def batch(*values: bytes) -> pa.RecordBatch:
    """Records at offsets from 0 on."""
    count = len(values)
    columns = {
        "topic": pa.array(["t"] * count), "topic_id": pa.array(["i"] * count),
        "partition": pa.array([1] * count, pa.int32()), "offset": pa.array(range(count), pa.int64()),
        "kafka_timestamp": pa.array([NOW] * count, pa.timestamp("us", tz="UTC")),
        "key": pa.nulls(count, pa.binary()), "value": pa.array(values, pa.binary()), "headers": pa.nulls(count),
    }  # fmt: skip
    return pa.RecordBatch.from_arrays([columns[name] for name in RECORD_COLUMNS], list(RECORD_COLUMNS))


def event(message: str) -> bytes:
    return json.dumps({"timestamp": NOW.isoformat(), "service": "s", "message": message}).encode()


class OfLines(Parser):
    """A parser that reads an event from every line of a record."""

    def parse_record(self, value, *more):
        return [outcome for line in value.split(b"\n") for outcome in super(OfLines, self).parse_record(line, *more)]


def places(parsed: Parsed) -> list[tuple]:
    return [tuple(row[name] for name in ("offset", "position", "positions")) for row in parsed.coordinates.to_pylist()]


def test_a_record_of_one_event_is_at_position_0_of_1():
    parsed = Parsed.of(batch(event("a"), b"bad", event("b")), Parser())
    assert parsed.coordinates.schema.names == list(COORDINATES)
    assert places(parsed) == [(0, 0, 1), (1, 0, 1), (2, 0, 1)]
    assert [type(outcome) for outcome in parsed.outcomes][1] is Refusal


def test_a_record_of_several_events_has_a_row_for_each():
    parsed = Parsed.of(batch(event("a"), event("b") + b"\nbad\n" + event("c"), event("d")), OfLines())
    assert places(parsed) == [(0, 0, 1), (1, 0, 3), (1, 1, 3), (1, 2, 3), (2, 0, 1)]
    good = [i for i, outcome in enumerate(parsed.outcomes) if isinstance(outcome, Event)]
    rows = parsed.archive_rows(good).to_pylist()
    assert [(row["message"], row["offset"], row["position"]) for row in rows] == [
        ("a", 0, 0), ("b", 1, 0), ("c", 1, 2), ("d", 2, 0),
    ]  # fmt: skip
    assert parsed.records_of([2])["offset"].to_pylist() == [1]


def test_a_refused_position_has_coordinates_and_nothing_else():
    row = Parsed.of(batch(event("a") + b"\nbad"), OfLines()).archive_rows([0, 1]).to_pylist()[1]
    assert {name for name, value in row.items() if value is not None} == set(COORDINATES)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, 2**62], pa.int64()), pa.array([1, None], pa.int32()), pa.array(["a", "a"]),
        pa.array(["a", "b"]), pa.array(["a", None]), pa.array([], pa.string()), pa.array([], pa.int32()),
    ],
)  # fmt: skip
def test_a_column_is_listed_as_it_is(column):
    assert records.listed(column) == column.to_pylist()


def test_no_events_make_no_rows():
    assert Parsed.of(batch(), Parser()).archive_rows([]).num_rows == 0
