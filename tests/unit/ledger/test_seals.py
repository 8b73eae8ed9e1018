"""The chain of seals: whoever alters an entry or takes one out breaks it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dualsink.ledger.seals import Chain, Entry, Seal, Span, verified


def seal(day: int, taken_at: str = "2026-01-09T00:00:00+00:00", topic: str = "logs") -> Seal:
    places = {("id", 0): Span(3, 2, 10 * day, 10 * day + 4)}
    key = ("lake.db.logs", date(2026, 1, day))
    return Seal(*key, topic, "id", 3, "17", f"files {day}", places, {0: 99}, taken_at, "parser 1")


def entries(seals: list[Seal]) -> list[Entry]:
    return [Entry(s.taken_at, s.table, s.day, s.events, s.content(), s.previous, s.hash) for s in seals]


@pytest.fixture
def two() -> list[Entry]:
    """Two days sealed at once, and a third one later."""
    first = entries(Chain().appended([seal(1), seal(2)]))
    return [*first, *entries(verified(first).appended([seal(3, "2026-01-10T00:00:00+00:00")]))]


def test_a_seal_is_read_as_it_was_written():
    written = replace(seal(1), previous="abc,def")
    assert entries([written])[0].seal() == written


def test_each_seal_holds_the_hash_of_the_one_before_it(two):
    assert [each.after for each in two] == [[], [two[0].hash], [two[1].hash]]
    chain = verified(two)
    assert chain.unbroken and chain.heads == (two[2].hash,)
    assert set(chain.newest("logs")) == {("lake.db.logs", date(2026, 1, day)) for day in (1, 2, 3)}
    assert not chain.newest("another topic")


@pytest.mark.parametrize(
    ("runs", "reached"),
    [({("id", 0): [(14, 20)]}, True), ({("id", 0): [(0, 9), (15, 20)]}, False), ({("id", 1): [(10, 14)]}, False)],
)
def test_a_day_is_looked_at_again_where_its_own_offsets_of_the_partition_are_meant(runs, reached):
    assert seal(1).reaches(runs) is reached


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("change", [{"events": 2}, {"day": date(2026, 2, 1)}, {"table": "other"}, {"content": "x"}])
def test_an_altered_seal_is_named_also_where_it_cannot_be_read(two, number, change):
    two[number] = replace(two[number], **change)
    assert verified(two).breaks == (f"{two[number]}: it was altered",)
    assert not verified(two).newest("logs")


@pytest.mark.parametrize("number", range(3))
def test_a_seal_with_a_hash_made_anew_breaks_the_next(two, number):
    forged = replace(two[number].seal(), events=2)
    (two[number],) = entries([forged])
    follower = [f"{two[number + 1]}: it follows one that is missing"] if number < 2 else []
    assert list(verified(two).breaks) == follower


@pytest.mark.parametrize("number", range(2))
def test_a_seal_that_was_taken_out_is_missed(two, number):
    del two[number]
    assert verified(two).breaks == (f"{two[number]}: it follows one that is missing",)


def test_after_a_break_a_new_chain_begins_and_is_judged_alone(two):
    del two[1]
    again = entries(verified(two).appended([seal(1, "2026-02-01T00:00:00+00:00")]))
    chain = verified([*two, *again])
    assert chain.unbroken and chain.seals == (again[0].seal(),)


def test_what_was_done_to_the_table_besides_appending_breaks_the_chain_until_a_new_one_begins(two):
    done = [(datetime(2026, 1, 10, 12, tzinfo=UTC), "snapshot 7 was rolled back")]
    assert verified(two, done).breaks == ("snapshot 7 was rolled back, at 2026-01-10T12:00:00+00:00",)
    assert verified([], done).breaks
    again = entries(verified(two, done).appended([seal(1, "2026-01-10T13:00:00+00:00")]))
    assert verified([*two, *again], done).unbroken


def test_two_ledgers_that_seal_at_a_time_are_both_followed(two):
    one, other = (verified(two).appended([seal(day, "2026-01-11T00:00:00+00:00")]) for day in (4, 5))
    both = [*two, *entries(one), *entries(other)]
    assert len(verified(both).heads) == 2
    last = entries(verified(both).appended([seal(6, "2026-01-12T00:00:00+00:00")]))
    assert verified([*both, *last]).heads == (last[0].hash,)


def test_first_ledgers_that_overlap_break_nothing():
    one = entries(Chain().appended([seal(1)]))
    other = entries(Chain().appended([seal(1, "2026-01-11T00:00:00+00:00")]))
    third = entries(verified(one).appended([seal(2, "2026-01-12T00:00:00+00:00")]))
    chain = verified([*one, *other, *third])
    assert chain.unbroken and chain.heads == tuple(sorted([other[0].hash, third[0].hash]))


def test_the_newest_seal_of_a_day_counts(two):
    later = entries(verified(two).appended([replace(seal(1, "2026-01-11T00:00:00+00:00"), events=4)]))
    assert verified([*later, *two]).newest("logs")["lake.db.logs", date(2026, 1, 1)].events == 4
