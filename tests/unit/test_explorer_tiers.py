"""Where the explorer's two tiers meet: which part of the archive is asked when OpenSearch has some of the days."""

from datetime import UTC, date, datetime, timedelta

from dualsink.explorer.tiers import archive_slices
from dualsink.lake import Slice
from dualsink.settings import Settings

TODAY = datetime.now(UTC).date()


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def midnight(ago: int) -> datetime:
    return datetime.combine(day(ago), datetime.min.time(), UTC)


def slices(first: datetime, end: datetime, *hot: date) -> list[Slice]:
    return archive_slices(Settings(hot_days=7), first, end, hot)


def test_without_a_hot_day_the_archive_is_asked_for_everything():
    assert slices(midnight(9), midnight(0)) == [Slice(midnight(9), midnight(0))]


def test_days_that_opensearch_has_are_left_out():
    assert slices(midnight(9), midnight(-1), day(2), day(0)) == [
        Slice(midnight(9), midnight(2)),
        Slice(midnight(1), midnight(0)),
    ]


def test_a_search_within_hot_days_alone_does_not_ask_the_archive():
    assert slices(midnight(1) + timedelta(hours=3), midnight(0) + timedelta(hours=5), day(1), day(0)) == []


def test_of_a_day_that_waits_for_its_proof_only_what_came_too_late_is_asked():
    assert slices(midnight(10), midnight(8), day(9)) == [
        Slice(midnight(10), midnight(9)),
        Slice(midnight(9), midnight(8), arrived=midnight(1)),
    ]


def test_a_part_of_a_waiting_day_is_asked_for_that_part_alone():
    noon = midnight(9) + timedelta(hours=12)
    assert slices(noon, noon + timedelta(hours=1), day(9)) == [Slice(noon, noon + timedelta(hours=1), midnight(1))]
