"""Where the explorer's two tiers meet: which part of the archive is asked when OpenSearch has some of the days."""

from datetime import UTC, date, datetime, timedelta

from tests.support.days import day

from dualsink.iceberg.reader import Slice
from dualsink.notebook.explorer import tiers
from dualsink.notebook.explorer.stores import Stores
from dualsink.notebook.explorer.tiers import archive_slices
from dualsink.settings import Settings


def midnight(ago: int) -> datetime:
    return datetime.combine(day(ago), datetime.min.time(), UTC)


def slices(first: datetime, end: datetime, *hot: date) -> list[Slice]:
    return archive_slices(first, end, hot)


def test_without_a_hot_day_the_archive_is_asked_for_everything():
    assert slices(midnight(9), midnight(0)) == [Slice(midnight(9), midnight(0))]


def test_days_that_opensearch_has_are_left_out():
    assert slices(midnight(9), midnight(-1), day(2), day(0)) == [
        Slice(midnight(9), midnight(2)),
        Slice(midnight(1), midnight(0)),
    ]


def test_a_search_within_hot_days_alone_does_not_ask_the_archive():
    assert slices(midnight(1) + timedelta(hours=3), midnight(0) + timedelta(hours=5), day(1), day(0)) == []


def test_a_day_that_waits_for_its_proof_is_the_archives(monkeypatch):
    days = {day(8): "logs-8", day(7): "logs-7", day(0): "logs-0"}
    monkeypatch.setattr(tiers.index, "day_indices", lambda client, alias: days)
    assert tiers._hot_days(Stores.of(Settings(hot_days=7)), "both") == [day(7), day(0)]
    assert tiers._hot_days(Stores.of(Settings(hot_days=7)), "archive") == []
