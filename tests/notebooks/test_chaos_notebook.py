"""06_chaos on real servers, with one scenario: both ledgers, seconds and orphans, as lines, table, picture and data."""

import pytest
from tests.notebooks.notebook_outputs import printed, shown

from dualsink.settings import Settings

SCENARIO = "kill-archive-ahead"


@pytest.fixture(scope="module")
def executed(local: Settings, run_notebook, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The executed notebook and what it recorded."""
    update = {"chaos_scenarios": SCENARIO, "run_id": "chaos", "runs_dir": str(tmp_path_factory.mktemp("runs"))}
    return run_notebook("06_chaos", local.model_copy(update=update | {"spark_driver_memory": "1g"}))


def test_it_says_what_it_will_do(executed):
    (html,) = shown(executed[0], "06-scenarios", "text/html")
    assert SCENARIO in html and "half of the documents missing" in html


def test_a_line_says_when_it_begins_and_another_both_ledgers_the_orphans_and_the_seconds(executed):
    begins, line = printed(executed[0], "06-run").splitlines()
    assert begins.startswith(f"{SCENARIO} begins: `kill -9`")
    assert line.startswith(f"[OK] {SCENARIO}: before ")
    assert ": differs; after " in line and ": holds; left behind: nothing; " in line


def test_the_table_says_it_in_words_and_not_by_colour_alone(executed):
    (html,) = shown(executed[0], "06-table", "text/html")
    assert "killed by SIGKILL" in html and "holds" in html and "nothing" in html


def test_its_exercises_are_solved(local: Settings, run_notebook):
    solved, _ = run_notebook("solutions/06_chaos", local.model_copy(update={"spark_driver_memory": "1g"}))
    assert "[OK] nothing" in printed(solved, "06-2")


def test_it_draws_one_picture(executed):
    assert len(shown(executed[0], "06-picture", "image/png")) == 1


def test_the_outcome_is_recorded_as_data(executed):
    result = executed[1]["result"]
    (outcome,) = result["outcomes"]
    assert (result["seed"], outcome["scenario"], outcome["orphans"], outcome["problems"]) == (7, SCENARIO, [], [])
    assert (outcome["before"]["holds"], outcome["after"]["holds"]) == (False, True)
    assert outcome["seconds_to_recover"] > 0
    assert executed[1]["fact"].startswith("1 of 1 scenarios recovered")
