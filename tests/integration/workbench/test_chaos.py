"""The real pipeline broken in every way we know, restarted, and proven whole: one test for each scenario.

All of them take most of an hour of one core. In CI (`CI=true`) each day has a third of them, by turns.
`DUALSINK_CHAOS_REPORT` names the JSON file that receives the outcomes, of which docs/reliability.md's table is made:
`./run_all.sh chaos --table FILE`.
"""

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.support.turns import of_today

from dualsink_workbench.chaos import report
from dualsink_workbench.chaos.outcome import Outcome
from dualsink_workbench.chaos.registry import SCENARIOS
from dualsink_workbench.chaos.trial import World
from dualsink_workbench.servers.stack import LocalServers

# They run in the first test's fixture, two side by side; a busy machine needs its time.
pytestmark = pytest.mark.timeout(5400)

TODAY = of_today(list(SCENARIOS))


@pytest.fixture(scope="module")
def outcomes(
    servers: LocalServers, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """What today's scenarios showed, by their names; also written as JSON."""
    found = report.run(World(spark, servers, tmp_path_factory.mktemp("chaos")), TODAY)
    fallback = tmp_path_factory.getbasetemp() / "chaos.json"
    report.write(Path(os.environ.get("DUALSINK_CHAOS_REPORT") or fallback), found)
    return {outcome.scenario: outcome for outcome in found}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ledger_holds_again_and_no_process_is_left_after(name: str, outcomes: dict[str, Outcome]):
    if name not in TODAY:
        pytest.skip("its turn in CI is on another day; `./run_all.sh chaos` runs all")
    outcome = outcomes[name]
    assert outcome.problems == []
    assert outcome.orphans == []
    assert outcome.after is not None and outcome.after.holds
    assert outcome.seconds_to_recover is not None
