"""Every measurement but the contenders' on few events and one set of servers: whole figures, and their tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dualsink.settings import project_root

ROOT = project_root(Path(__file__))
SCRIPT = """
import sys
from pathlib import Path
from dualsink.settings import Settings
from dualsink_workbench.bench import explorer, flat, freshness, ledger, rehydration, rig, scaling

def back(spark, settings):
    return rehydration.measure(spark, servers, settings, events=2_000)

def proven(spark, settings):
    return ledger.measure(spark, servers, settings, events=4_000, days=8, new=100, say=print)

with rig.own_servers(Settings()) as servers:
    for name, work in {
        "explorer": lambda settings: explorer.measure(settings, 7_000, archived_days=1, calls=7, say=print),
        "flat": lambda settings: flat.measure(servers, settings, events=3_000),
        "freshness": lambda settings: freshness.measure(settings, 100, trigger=1, refresh=1, warm_up=8, seconds=6),
        "ledger": lambda settings: rig.with_spark(settings, proven),
        "rehydration": lambda settings: rig.with_spark(settings, back),
        "scaling": lambda settings: scaling.measure(servers, events=2_000, batch=500),
    }.items():
        settings = rig.own_names(servers.settings, name, max_offsets_per_trigger=300)
        rig.write(Path(sys.argv[1]) / f"{name}.json", name, settings, work(settings))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measures")
    done = subprocess.run([sys.executable, "-c", SCRIPT, folder], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def table(file: Path) -> list[str]:
    command = [str(ROOT / "run_all.sh"), "bench", "table", str(file)]
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_explorer_is_timed_in_every_tier_over_what_each_holds(measured):
    found = json.loads((measured / "explorer.json").read_text())
    assert {tier: found["loaded"][tier] for tier in found["tiers"]} == {"hot": 7_000, "both": 8_000, "archive": 8_000}
    assert all(tier["all"]["count"] == 7 and tier["all"]["p50"] > 0 for tier in found["tiers"].values())
    assert (
        table(measured / "explorer.json")[0]
        == "| search | hot: 7,000 events | both: 8,000 events | archive: 8,000 events |"
    )


def test_every_event_after_the_warm_up_has_an_age_in_both_stores(measured):
    found = json.loads((measured / "freshness.json").read_text())
    assert found["searchable"]["count"] == found["archived"]["count"] == pytest.approx(600, abs=60)
    assert 0 < found["archived"]["p50"] <= found["archived"]["p99"]
    assert "trigger 1 + refresh 1 + 1 = 3 s" in table(measured / "freshness.json")[2]


def test_each_tenth_of_a_backlog_tells_speed_memory_and_commits(measured):
    found = json.loads((measured / "flat.json").read_text())
    # Spark rounds a batch's share of each partition, so that some records may be left for one batch more.
    assert (found["events"], len(found["tenths"])) == (3_000, 10) and found["batches"] in (10, 11)
    assert all(tenth["rate"] > 0 and tenth["commit_seconds"]["p50"] > 0 for tenth in found["tenths"])
    assert set(found["last_to_second"]) >= {"rate", "cpu_per_event", "commit_p50"}
    assert len(table(measured / "flat.json")) == 12


def test_a_ledger_of_sealed_days_reads_what_is_new_alone(measured):
    first, some, whole = json.loads((measured / "ledger.json").read_text())["ledgers"]
    assert (first["not_read"], whole["not_read"]) == (0, 0) and some["not_read"] == pytest.approx(3_500, abs=500)
    assert 0 < some["storage_bytes"] < whole["storage_bytes"]
    assert len(table(measured / "ledger.json")) == 5


def test_each_day_that_is_brought_back_tells_rate_and_cpu(measured):
    rounds = json.loads((measured / "rehydration.json").read_text())["rounds"]
    assert [found["events"] for found in rounds] == [2_000, 2_000]
    assert all(found["rate"] > 0 and found["cpu_per_event"]["workers"] > 0 for found in rounds)
    assert len(table(measured / "rehydration.json")) == 4


def test_a_cluster_of_one_worker_is_compared_with_one_of_two(measured):
    turns = json.loads((measured / "scaling.json").read_text())["workers"]
    assert [turn["workers"] for turn in turns] == [1, 2] and all(turn["rate"] > 0 for turn in turns)
    assert table(measured / "scaling.json")[2].endswith("| 1.00 |")
