"""The real pipeline broken in every way we know, restarted, and proven whole: one test for each scenario.

`DUALSINK_CHAOS_REPORT` names the JSON file that receives the outcomes, from which the README's table is made:
`python -m dualsink.chaos --table FILE`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dualsink.chaos import report
from dualsink.chaos.outcome import Outcome
from dualsink.chaos.registry import SCENARIOS
from dualsink.chaos.world import World
from dualsink.local.servers import LocalServers


@pytest.fixture(scope="module")
def world(servers: LocalServers, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(spark, servers, tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    """What the tests of this module showed; written at their end."""
    found: list[Outcome] = []
    yield found
    fallback = tmp_path_factory.getbasetemp() / "chaos.json"
    report.write(Path(os.environ.get("DUALSINK_CHAOS_REPORT") or fallback), found)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ledger_holds_again_after(name: str, world: World, outcomes: list[Outcome]):
    outcome = SCENARIOS[name](world)
    outcomes.append(outcome)
    assert outcome.problems == []
    assert outcome.orphans == []
    assert outcome.after is not None and outcome.after.holds
    assert outcome.seconds_to_recover is not None
