"""The real pipeline broken in every way we know, restarted, and proven whole: one test for each scenario.

`DUALSINK_CHAOS_REPORT` names the JSON file that receives the outcomes, from which the README's table is made:
`python -m dualsink.chaos --table FILE`.
"""

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dualsink.chaos import report
from dualsink.chaos.outcome import Outcome
from dualsink.chaos.registry import SCENARIOS
from dualsink.chaos.world import World
from dualsink.local.servers import LocalServers

# They run in the first test's fixture, two side by side; a busy machine needs its time.
pytestmark = pytest.mark.timeout(5400)


@pytest.fixture(scope="module")
def outcomes(
    servers: LocalServers, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """What every scenario showed, by its name; also written as JSON."""
    found = report.run(World(spark, servers, tmp_path_factory.mktemp("chaos")))
    fallback = tmp_path_factory.getbasetemp() / "chaos.json"
    report.write(Path(os.environ.get("DUALSINK_CHAOS_REPORT") or fallback), found)
    return {outcome.scenario: outcome for outcome in found}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ledger_holds_again_and_no_process_is_left_after(name: str, outcomes: dict[str, Outcome]):
    outcome = outcomes[name]
    assert outcome.problems == []
    assert outcome.orphans == []
    assert outcome.after is not None and outcome.after.holds
    assert outcome.seconds_to_recover is not None
