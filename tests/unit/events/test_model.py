"""Identity in bytes: ids, index names and bulk lines are what stores of this version hold for ever."""

import importlib.util
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.identity import EVENTS, TOPIC_ID

from dualsink.events import model
from dualsink.events.model import Event, document_id, index_name
from dualsink.ledger import digest
from dualsink.opensearch.documents import WHOLE, bulk_lines, source
from dualsink.opensearch.index import MAPPING
from dualsink.settings import project_root


@pytest.mark.parametrize(("identity", "timestamp", "name", "index"), EVENTS)
def test_id_and_index_name_in_bytes(identity, timestamp, name, index):
    assert document_id(*identity).encode() == name
    assert index_name("application-logs", timestamp).encode() == index


def test_bulk_lines_in_bytes():
    event = Event(None, 1_795_472_101_123_456, "INFO", "cart", None, 'say "hi"', None, None, None, '{"a":1.50}')
    place = ("application_logs", TOPIC_ID, 3, 42, 5, 7, 1_795_472_102_000)
    assert bulk_lines(b"create", "application-logs", event.timestamp, source(event), *place) == (
        b'{"create":{"_index":"application-logs-2026.11.23","_id":"kC0YVm9lT0OrQ9nqj1Yb3w-3-0000000000000000042-5"}}\n'
        b'{"timestamp":"2026-11-23T22:15:01.123456Z","level":"INFO","service":"cart","message":"say \\"hi\\"",'
        b'"attributes":{"a":1.50},"topic":"application_logs","topic_id":"kC0YVm9lT0OrQ9nqj1Yb3w","partition":3,'
        b'"offset":42,"position":5,"positions":7,"kafka_timestamp":1795472102000}\n'
    )


def test_an_id_has_room_for_every_coordinate():
    longest = document_id(TOPIC_ID, 2**31 - 1, 2**63 - 1, 2**31 - 1)
    assert len(longest.encode()) < 512


def test_ids_of_a_partition_sort_by_offset():
    ids = [document_id(TOPIC_ID, 3, offset, 0) for offset in (0, 9, 10, 99, 100, 2**63 - 1)]
    assert ids == sorted(ids)


def test_the_fields_of_a_document_are_the_columns_of_the_archive():
    assert set(MAPPING["properties"]) - {WHOLE} == set(model.ARCHIVE_COLUMNS) == set(model.DOCUMENT_COLUMNS)
    event = Event("l", 0, "INFO", "s", "h", "m", "t", "i", "j", "{}")
    document = bulk_lines(b"index", "a", 0, source(event), "t", TOPIC_ID, 0, 0, 0, 1, 0).splitlines()[1]
    assert set(json.loads(document)) == set(model.ARCHIVE_COLUMNS)


def test_the_script_for_others_hashes_the_columns_that_the_ledger_does():
    spec = importlib.util.spec_from_file_location("recompute", project_root() / "docs" / "recompute.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert list(model.DOCUMENT_COLUMNS) == script.COLUMNS
    assert digest.VERSION == script.DIGEST_VERSION


@pytest.mark.parametrize(
    ("day", "is_in"), [("2026-11-15", False), ("2026-11-16", True), ("2026-11-24", True), ("2026-11-25", False)]
)
def test_the_hot_window_reaches_from_hot_days_ago_to_tomorrow(day, is_in):
    now = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    number = (datetime.fromisoformat(f"{day}T00:00:00+00:00") - model.EPOCH).days
    assert (number in model.hot_window(7, now)) == is_in


def test_a_day_in_the_window_was_in_it_whenever_an_event_of_it_was_sent():
    late = model.hot_window(7, datetime(2026, 11, 23, tzinfo=UTC))
    early = model.hot_window(7, datetime(2026, 11, 20, tzinfo=UTC))
    assert all(day in early or day >= early.stop for day in late)


def test_the_first_hot_day_is_the_windows_first():
    assert model.first_hot_day(7) == datetime.now(UTC).date() - timedelta(days=7)
