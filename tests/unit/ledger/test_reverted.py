"""What was committed once, and is in no table any more."""

from dataclasses import replace
from datetime import date

import pytest

from dualsink.iceberg.markers import Reach
from dualsink.ledger import reverted
from dualsink.ledger.position import Partition, Position
from dualsink.ledger.seals import Seal

ENDS = (0, 20)


def position(*reached: int, earlier: int = 9) -> Position:
    """Each partition is read up to before an offset; of an earlier topic `earlier` was the last one."""
    reaches = {p: Reach(0, end - 1) for p, end in enumerate(reached)}
    partitions = {p: Partition(*ENDS, reach) for p, reach in reaches.items()}
    return Position("logs", "now", partitions, {"now": reaches, "then": {0: Reach(0, earlier)}})


def seal(topic_id: str, **read_up_to: int) -> Seal:
    read = {int(p.removeprefix("p")): end for p, end in read_up_to.items()}
    return Seal("archive", date(2026, 11, 28), "logs", topic_id, 1, "1", "f", {}, read, "t", "r")


@pytest.mark.parametrize(
    ("once", "seals", "committed", "expected"),
    [
        ({}, [], {}, {}),
        ({}, [], {0: 8, 1: 5}, {0: (5, 8)}),
        ({}, [], {0: 99}, {0: (5, 20)}),
        ({}, [seal("now", p1=7)], {}, {1: (5, 7)}),
        ({}, [seal("then", p1=7)], {}, {}),
        ({"now": {0: Reach(0, 10)}}, [seal("now", p0=9)], {0: 7}, {0: (5, 11)}),
        ({"now": {0: Reach(0, 3)}, "then": {1: Reach(0, 30)}}, [], {}, {}),
    ],
    ids=[
        "nobody remembers", "a checkpoint", "Kafka lost its end", "a seal", "another topic's seal",
        "the furthest of all", "nothing further",
    ],
)  # fmt: skip
def test_whoever_remembers_further_than_the_markers_is_believed(once, seals, committed, expected):
    found = position(5, 5)
    assert reverted.offsets(found, once, seals, committed, again=lambda: found) == expected


def test_what_was_committed_meanwhile_was_not_reverted():
    assert reverted.offsets(position(5, 5), {}, [], {0: 8, 1: 8}, again=lambda: position(8, 6)) == {1: (6, 8)}


def test_an_earlier_topic_is_remembered_as_far_as_it_was_read():
    once = {"then": {0: Reach(0, 12), 1: Reach(0, 4)}, "now": {0: Reach(0, 19)}}
    known = reverted.remembering(position(5, 5), once).progress
    assert known == {"now": {0: Reach(0, 4), 1: Reach(0, 4)}, "then": {0: Reach(0, 12), 1: Reach(0, 4)}}
    assert reverted.remembering(position(5, 5, earlier=20), once).progress["then"][0] == Reach(0, 20)


def test_rows_without_a_marker_do_not_say_where_reading_ended():
    found = replace(position(5, 5), marked=False)
    assert reverted.offsets(found, {}, [], {0: 8}, again=lambda: found) == {}
    empty = replace(found, progress={})
    assert reverted.offsets(empty, {}, [], {0: 8}, again=lambda: empty) == {0: (5, 8)}
