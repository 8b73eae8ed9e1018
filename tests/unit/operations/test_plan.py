"""What operations plan and report: lines for people, JSON for programs, one fact. No server is asked."""

import json
from datetime import UTC, date, datetime

import pytest

from dualsink.cli.jobs import Streamed
from dualsink.errors import LedgerMismatch, MaintenanceRefused, SettingsError
from dualsink.ledger.book import DayLine, Difference
from dualsink.operations import archive_retention, hot_retention, maintenance, plan, redrive, repair, replay, setup
from dualsink.operations.alerts import Told
from dualsink.operations.rehydration import Proof, Rehydration, Skipped

DAY = date(2026, 11, 23)
HOT = hot_retention.Step(DAY, "logs-2026.11.23", 1, 12_345, verb="delete", reason="proven")
COLD = archive_retention.Step("lake.demo.logs", DAY, 5, 999, "7 years", 42, reason="held")
FILES = maintenance.Figures(2, 5_000, 7, 1, 1, 9, 20_000)
MEASURED = maintenance.Measured({"lake.demo.logs": FILES}, 0.25)
PLANNED = "nothing was changed; it would be"
NO_RECORD = "the topic holds no record of that range that the stream has read"
EXPIRE = maintenance.Step("lake.demo.logs", "1 of 2 snapshots", verb="expire", reason="old")


def test_a_step_is_a_verb_a_target_and_a_reason():
    assert str(HOT) == "delete    logs-2026.11.23 (1 document, 12 kB): proven"
    assert str(COLD) == "keep      logs 2026-11-23 (5 rows, 999 bytes): held"
    assert str(EXPIRE) == "expire    logs, 1 of 2 snapshots: old"


def test_steps_keep_their_json():
    assert HOT.as_dict() == {"day": "2026-11-23", "index": "logs-2026.11.23", "action": "delete", "reason": "proven"}
    assert COLD.as_dict() == {
        "table": "lake.demo.logs", "day": "2026-11-23", "last": None, "rows": 5, "bytes": 999,
        "action": "keep", "reason": "held",
    }  # fmt: skip
    assert EXPIRE.as_dict() == {
        "table": "lake.demo.logs", "what": "1 of 2 snapshots", "action": "expire", "reason": "old",
    }  # fmt: skip


def test_a_dry_run_lists_steps_and_executes_none():
    said: list[str] = []
    assert plan.carry_out([HOT], None, said.append) == [HOT]
    assert said == [str(HOT)]


def test_what_was_executed_is_said_as_it_was_done():
    said: list[str] = []
    done = plan.carry_out([HOT], lambda steps: [COLD for _ in steps], said.append)
    assert (done, said) == ([COLD], [str(COLD)])


@pytest.mark.parametrize(
    ("result", "fact"),
    [
        (hot_retention.Retention(False, [HOT], [], {}), "1 day deleted, 0 merged, 0 kept"),
        (hot_retention.Retention(True, [HOT] * 2, [], {}), f"{PLANNED} 2 days deleted, 0 merged, 0 kept"),
        (archive_retention.Retirement(False, "anna", [COLD]), "0 days deleted, 0 rows"),
        (maintenance.Maintenance(False, MEASURED, MEASURED, [EXPIRE]), "0 days compacted, 1 history shortened, 0 kept"),
        (redrive.Redriven(0, 0, 0), "the quarantine holds nothing that waits"),
        (redrive.Redriven(1, 1, 0), "1 of 1 quarantined record resolved"),
        (replay.Replayed(0, 0, 0, 0, 0), f"{NO_RECORD}: nothing was replayed"),
        (replay.Replayed(3, 1, 0, 2, 1), "3 records replayed: 1 added to the archive, 2 added to OpenSearch"),
        (repair.Repaired(False, []), "both stores are equal: nothing to repair"),
        (setup.SetUp([], {"topic": "exists", "table": "exists"}), "all 2 objects exist already"),
        (setup.SetUp([], {"topic": "created", "table": "exists"}), "1 object created, 1 exist already"),
        (setup.SetUp([], {"topic": "created", "table": "created"}), "2 objects created"),
        (Told(0, [], 3), "0 alerts fire (0 sent now) by 3 rules"),
    ],
)  # fmt: skip
def test_a_result_is_one_fact_and_json(result, fact):
    assert result.fact == fact
    assert json.dumps(result.as_dict())
    assert all(isinstance(line, str) for line in result.lines())


def test_a_stream_says_what_is_only_in_the_archive():
    totals = {"events": 5_400, "batches": 2, "archived_only": 5_381, "partly_indexed": 0}
    done = Streamed(totals)
    assert done.fact == (
        "5,400 events in 2 batches, 5,381 events archived only: their days are outside of the hot window"
    )
    assert done.lines() == ["`rehydrate` brings days back into OpenSearch."]
    assert Streamed(totals | {"archived_only": 0}).fact == "5,400 events in 2 batches"


def test_a_stream_says_which_documents_search_finds_in_part():
    (line,) = Streamed({"archived_only": 0, "partly_indexed": 1}).lines()
    assert line == "1 document indexed in part: attributes too long for an index are kept, not found."


def test_an_alert_that_fires_ends_the_command_with_3():
    assert (Told(0, [], 1).exit_status, Told(2, [], 1).exit_status) == (0, 3)


def test_a_rehydration_of_nothing_is_told_as_such_and_not_as_proven():
    nothing = Rehydration(0, 0, 0, 0.0, {}, [], Proof([], []), None)
    assert nothing.fact == "nothing was rehydrated: the archive holds no event of that range"
    hot = Rehydration(0, 0, 0, 0.0, {}, [Skipped("2026-11-23", 1, reason="hot")], Proof([], []), None)
    assert hot.fact == "nothing was rehydrated: 1 day of that range stay out, for the reasons above"
    assert hot.as_dict()["skipped"] == [{"day": "2026-11-23", "events": 1, "reason": "hot"}]
    assert list(hot.lines()) == ["keep      2026-11-23, 1 event: hot"]


def test_a_rehydration_that_is_not_equal_fails_by_its_check():
    line = DayLine("2026-11-23", 2, 1, 0, "1", "2", False)
    lost = Difference("missing", "OpenSearch", "t", "i", 0, 7, 0, str(datetime(2026, 11, 23, tzinfo=UTC)))
    done = Rehydration(1, 0, 0, 1.0, {"tasks": 9.0}, [], Proof([line], [lost]), None)
    assert "NOT equal" in done.fact and "NOT EQUAL" in list(done.lines())[0]
    with pytest.raises(LedgerMismatch):
        done.check()


def test_maintenance_that_had_to_leave_files_fails_by_its_check_and_a_dry_run_does_not():
    with pytest.raises(MaintenanceRefused, match="another branch"):
        maintenance.Maintenance(False, MEASURED, MEASURED, [], "another branch").check()
    maintenance.Maintenance(True, MEASURED, MEASURED, [], "another branch").check()


@pytest.mark.parametrize("bound", ["yesterday", "0:a", "1,2", "²", "2026-13-01", ""])
def test_a_bound_that_means_nothing_is_refused_with_examples(bound):
    with pytest.raises(SettingsError, match="Cannot read .* as a bound: give a time"):
        replay.read_bound(bound)


def test_bounds_are_offsets_times_or_offsets_by_partition():
    assert replay.read_range("5", "10") == (5, 10)
    assert replay.read_range("0:1,3:9", "10") == ({0: 1, 3: 9}, 10)
    first, last = replay.read_range("2026-11-23", "2026-11-23T10:00")
    assert (first, last) == (datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC))


@pytest.mark.parametrize(("start", "end"), [("5", "5"), ("9", "5"), ("2026-11-24", "2026-11-23")])
def test_a_range_without_room_is_refused(start, end):
    with pytest.raises(SettingsError, match="The range from"):
        replay.read_range(start, end)
