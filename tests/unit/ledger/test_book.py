"""What a ledger says in words, and as JSON."""

import time
from datetime import datetime

import pytest

from dualsink.errors import LedgerMismatch
from dualsink.ledger import book
from dualsink.ledger.book import DayLine, Difference, Finding, Ledger, PartitionLine
from dualsink.ledger.verdicts import LOST, MISSING, VERDICTS, WAITING

GONE = Difference(LOST, "archive and quarantine", "logs", "id", 0, 7, 0, "no time")
LOSS = Finding(LOST, "archive and quarantine", 1, (GONE,), ("logs-0-7, topic id id",), "", "acknowledge --count 1")
WAITS = Finding(WAITING, "Kafka", 3, names=("logs-0-8 to 10",))


def ledger(*findings: Finding, holds: bool = True, acknowledged: int = 0) -> Ledger:
    partition = PartitionLine("logs", 0, 0, 11, 7, 7, 0, holds, 8, 3)
    return Ledger("now", [partition], [DayLine("2026-11-23", 7, 7, 0, "1", "1", True)], 0, list(findings), acknowledged)


def test_what_is_normal_is_told_and_no_difference():
    book = ledger(WAITS, acknowledged=2)
    book.check()
    assert book.holds and book.differences == []
    assert book.lines() == [
        "waiting in Kafka: 3; `./run_all.sh stream` ends it", "  logs-0-8 to 10", "acknowledged: 2 lost records",
    ]  # fmt: skip


def test_a_difference_names_its_count_its_events_and_the_command_that_ends_it():
    with pytest.raises(LedgerMismatch) as told:
        ledger(WAITS, LOSS, holds=False).check()
    assert str(told.value).splitlines() == [
        "The stores do not hold the same events:",
        "  lost in archive and quarantine: 1; `./run_all.sh acknowledge --count 1` ends it",
        "    lost in archive and quarantine: logs-0-7 at no time, topic id id",
        "    logs-0-7, topic id id",
    ]


def test_json_has_the_lines_the_differences_and_the_verdicts_in_order():
    found = ledger(LOSS, Finding(MISSING, "OpenSearch", 2, command="repair"), holds=False).as_dict()
    assert [(v["verdict"], v["command"]) for v in found["verdicts"]] == [
        ("missing", "repair"), ("lost", "acknowledge --count 1"),
    ]  # fmt: skip
    assert [d["offset"] for d in found["differences"]] == [7]
    assert found["verdicts"][1]["coordinates"] == ["logs-0-7", "logs-0-7, topic id id"]
    assert found.keys() >= {"holds", "taken_at", "partitions", "days", "earlier", "digest_version"}


def test_a_finding_that_differs_is_enough_for_a_ledger_not_to_hold():
    assert not ledger(LOSS).holds


def test_each_of_the_five_differences_has_a_command_and_what_is_beyond_kafka_needs_none():
    assert [verdict.command for verdict in VERDICTS.values()] == [
        "replay", "repair", "repair", "rescue", "acknowledge", "", "stream",
    ]  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_times_are_utc_on_every_machine(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        as_spark_gives_it = datetime.fromtimestamp(1_700_000_000)
        assert book._iso(as_spark_gives_it) == "2023-11-14T22:13:20+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
