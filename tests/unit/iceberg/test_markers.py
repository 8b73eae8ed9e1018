"""Markers: what was read is counted once, and offsets without a record are known."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dualsink.iceberg import markers
from dualsink.iceberg.markers import Reach
from dualsink.iceberg.snapshots import Snapshot


def marker(number: int, summary: dict[str, str]) -> Snapshot:
    return Snapshot(number, datetime.now(UTC), summary)


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [([], []), ([4], [(4, 4)]), ([3, 1, 2], [(1, 3)]), ([9, 1, 2, 5, 4], [(1, 2), (4, 5), (9, 9)])],
)
def test_runs_of_offsets(offsets, expected):
    assert markers.runs(np.array(offsets, dtype=np.int64)) == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], [(0, 9)]),
        ([(0, 9)], []),
        ([(-5, 2), (4, 4), (8, 20)], [(3, 3), (5, 7)]),
        ([(12, 14)], [(0, 9)]),
        ([(2, 5), (3, 4)], [(0, 1), (6, 9)]),
    ],
)
def test_gaps_of_a_range(pieces, expected):
    assert markers.gaps((0, 9), pieces) == expected


@pytest.mark.parametrize(
    ("planned", "found", "expected"),
    [
        ((10, 19), [(10, 19)], Reach(0, 19, 1)),
        ((10, 19), [(10, 12), (14, 18)], Reach(0, 19, 3)),
        ((0, 9), [], Reach(0, 9, 1)),
        ((5, 14), [(10, 12)], Reach(0, 14, 3)),
        ((30, 39), [(30, 39)], Reach(0, 39, 1)),
    ],
    ids=["new", "holes", "read before", "partly read before", "records that nobody read are no records of ours"],
)
def test_a_reach_counts_what_is_new(planned, found, expected):
    assert Reach(0, 9, 1).extended(planned, found) == expected


def test_the_newest_marker_says_all_that_was_read_in_every_incarnation():
    first = markers.properties("logs", "a", {}, {0: 0, 1: 5}, {0: (0, 9), 1: (5, 5)}, {0: [(0, 7)], 1: [(5, 5)]})
    before = markers.progress([marker(1, first)], "logs")
    assert before == {"a": {0: Reach(0, 9, 2), 1: Reach(5, 5)}}
    second = markers.properties("logs", "b", before, {0: 0}, {0: (0, 3)}, {0: [(0, 3)]})
    history = [marker(3, {}), marker(2, second), marker(1, first)]
    assert markers.progress(history, "logs") == {**before, "b": {0: Reach(0, 3)}}
    assert markers.progress(history, "other") is None
    assert list(markers.no_records(history, {"a"})) == [("a", 0, (8, 9))]
    assert list(markers.no_records(history, {"b"})) == []


def test_a_marker_says_from_where_on_nothing_of_a_partition_without_records_may_be_lost():
    begins = {0: 0, 1: 5}
    before = markers.extended({}, "a", begins, {0: (0, 9)}, {0: [(0, 9)]})
    assert before == {"a": {0: Reach(0, 9), 1: Reach(5, 4)}}
    after = markers.extended(before, "a", {0: 10, 1: 5, 2: 7}, {2: (7, 8)}, {2: [(7, 8)]})
    assert after == {"a": {0: Reach(0, 9), 1: Reach(5, 4), 2: Reach(0, 8)}}, "2 was added since, and began at 0"


# -- batches that are in one table only ----------------------------------------------------------------

BATCH = {
    "dualsink.query-id": "q", "dualsink.batch-id": "7", "dualsink.offsets": "{}", "dualsink.progress": '{"logs": {}}',
}  # fmt: skip
EARLIER, NOW = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 11, tzinfo=UTC)
FOLLOWED = BATCH | markers.quarantine_follows(True)


def quarantine(*summaries: dict[str, str], made_at: datetime = NOW, parent: int | None = None) -> list[Snapshot]:
    return [Snapshot(100 + i, made_at, summary, parent) for i, summary in enumerate(summaries)]


@pytest.mark.parametrize(
    ("newest", "kept", "expected"),
    [
        (BATCH, [], [2, 1]),
        (FOLLOWED, [], [1]),
        (FOLLOWED, quarantine({}, BATCH), [2, 1]),
        (FOLLOWED, quarantine({}, made_at=EARLIER), [1]),
        (FOLLOWED, quarantine({}, parent=99), [2, 1]),
        (FOLLOWED, quarantine({}), [1]),
    ],
    ids=[
        "nothing follows", "the quarantine is empty yet", "it followed", "the quarantine's newest is older",
        "its commit has expired", "the quarantine's whole history lacks it",
    ],
)  # fmt: skip
def test_a_batch_counts_once_both_tables_have_it(newest, kept, expected):
    history = [Snapshot(2, NOW, newest), Snapshot(1, EARLIER, BATCH)]
    assert [snapshot.id for snapshot in markers.complete(history, lambda: kept, "logs")] == expected
    later = [Snapshot(4, NOW, {}), Snapshot(3, NOW, {"dualsink.progress": '{"other": {}}'}), *history]
    assert [snapshot.id for snapshot in markers.complete(later, lambda: kept, "logs")] == expected
