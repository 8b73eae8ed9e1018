"""Outcomes of chaos scenarios: judged, told in a line, kept as JSON, shown as a table."""

from dataclasses import asdict, replace

import pytest

from dualsink.errors import LedgerMismatch, SettingsError
from dualsink.notebook.results import record
from dualsink.settings import Settings
from dualsink_workbench.chaos import report
from dualsink_workbench.chaos.outcome import Counts, Outcome
from dualsink_workbench.chaos.registry import SCENARIOS

BEFORE, AFTER = Counts(2000, 1200, 3, 600, False), Counts(2000, 1990, 10, 1990, True)
GOOD = Outcome("kill", "`kill -9` here", "killed by SIGKILL", BEFORE, AFTER, 12.34, "start of the recovering run", 2000)


def test_an_outcome_is_good_only_with_a_ledger_that_holds_no_orphan_and_no_problem():
    assert GOOD.ok
    assert not replace(GOOD, after=None).ok
    assert not replace(GOOD, after=BEFORE).ok
    assert not replace(GOOD, orphans=["42 java"]).ok
    assert not replace(GOOD, problems=["it went on"]).ok


LINE = (
    "kill: before 1,200 + 3 of 2,000, OpenSearch 600: differs; after 1,990 + 10 of 2,000, OpenSearch 1,990: holds; "
    "left behind: nothing; 12 s from the start of the recovering run"
)


def test_the_line_of_a_good_outcome_tells_both_ledgers_orphans_and_seconds():
    assert report.line(GOOD) == f"[OK] {LINE}"


def test_the_line_of_a_bad_outcome_says_why():
    assert report.line(replace(GOOD, problems=["odd"])) == f"[FAIL] {LINE}; odd"
    assert "left behind: 42 java" in report.line(replace(GOOD, orphans=["42 java"]))
    assert report.line(replace(GOOD, after=BEFORE)).startswith("[FAIL] kill: ")


def test_bad_outcomes_are_raised_together():
    report.check([GOOD])
    with pytest.raises(LedgerMismatch, match=r"^\[FAIL\] kill: .*; odd$"):
        report.check([GOOD, replace(GOOD, problems=["odd"])])


def test_the_table_shows_what_each_ledger_said():
    assert report.table([GOOD]).splitlines() == [
        "| What was done | The run under fault | Ledger before | Ledger after | Left behind | Recovered in |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `kill -9` here | killed by SIGKILL | 1,200 + 3 of 2,000, OpenSearch 600: differs "
        "| 1,990 + 10 of 2,000, OpenSearch 1,990: holds | nothing | 12 s from the start of the recovering run |",
    ]


def test_the_table_keeps_a_message_in_its_cell():
    row = report.table([replace(GOOD, first_end="exit 1: a | b\n" + "word " * 60, before=None)]).splitlines()[2]
    assert "exit 1: a \\| b word" in row and "…" in row and "not taken" in row


def test_the_table_marks_a_failure():
    assert "**FAILED: `kill -9` here: odd**" in report.table([replace(GOOD, problems=["odd"], after=None)])


def test_outcomes_come_back_from_json_as_they_were(tmp_path):
    outcomes = [GOOD, replace(GOOD, before=None, seconds_to_recover=None, orphans=["1 java"])]
    report.write(tmp_path / "chaos.json", outcomes)
    assert report.read(tmp_path / "chaos.json") == outcomes


def test_outcomes_are_read_from_a_notebooks_record_too(tmp_path):
    settings = Settings(run_id="r", runs_dir=str(tmp_path))
    file = record(settings.run_path, "06_chaos", {"seed": 7, "outcomes": [asdict(GOOD)]}, fact="")
    assert report.read(file) == [GOOD]


def test_scenarios_run_in_the_registrys_order():
    assert report.choose(["two-drivers", "kill-mid-bulk"]) == ["kill-mid-bulk", "two-drivers"]
    assert report.choose([]) == list(SCENARIOS)


def test_a_parameter_lists_scenarios_with_commas():
    assert report.listed("two-drivers, sigint,") == ["two-drivers", "sigint"]
    assert report.choose(report.listed("all")) == list(SCENARIOS)


def test_an_unknown_scenario_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="No scenario nonsense: there are nothing, kill-mid-bulk, "):
        report.choose(["nonsense"])
