"""The benchmark, on few events: every contender takes all of them, and the table and the picture are made of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.turns import of_today

from dualsink.settings import project_root


def bench(*arguments: str) -> str:
    command = [str(project_root(Path(__file__)) / "run_all.sh"), "bench", *arguments]
    environment = os.environ | {"VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    bench("run", "--events=4000", "--batch=400", "--rounds=1", f"--output={file}")
    return file


def test_every_contender_takes_all_events_and_tells_what_they_cost(measured):
    found = {each["name"]: each for each in json.loads(measured.read_text())["results"]}
    assert {name: each["events"] for name, each in found.items()} == {
        "raw _bulk": 4_000, "dualsink": 4_000, "usual tutorial code": 1_600,
        "Kafka Connect, Iceberg sink alone": 4_000,
    }  # fmt: skip
    assert all(each["rate"] > 0 and each["cpu_per_event"]["opensearch"] > 0 for each in found.values())
    assert set(found["dualsink"]["legs_per_event"]) == {"parse", "documents", "archive", "send"}
    assert set(found["dualsink"]["peak_memory"]) >= {
        "spark",
        "workers",
        "driver",
        "kafka",
        "opensearch",
        "nessie",
        "s3",
    }


def test_its_table_has_a_row_for_each_contender_and_one_for_what_could_not_run(measured):
    rows = bench("table", str(measured)).strip().splitlines()[2:]
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert names[:3] == ["raw _bulk", "dualsink", "usual tutorial code"]
    assert names[3:] == ["Kafka Connect, Iceberg sink alone", "Kafka Connect, both sinks (recorded elsewhere)"]


@pytest.mark.skipif(not of_today(["--secure"]), reason="its turn in CI is on another day")
def test_with_secure_every_contender_takes_all_events_on_plain_servers_and_on_secured_ones(tmp_path):
    file = tmp_path / "bench.json"
    said = bench("run", "--secure", "--events=2000", "--batch=300", "--rounds=1", f"--output={file}")
    found = [(each["name"], each["events"]) for each in json.loads(file.read_text())["results"]]
    assert found == [(name, 2_000) for name in ("raw _bulk, TLS", "raw _bulk", "dualsink", "dualsink, TLS")]
    rows = [row for row in said.splitlines() if row.startswith("| dualsink: ")]
    assert rows[0].startswith("| dualsink: events/s, warm | ") and rows[0].endswith("% |")
    assert {"opensearch", "spark", "kafka"} <= {row.split(" | ")[0].rpartition(", ")[2] for row in rows}


def test_its_picture_is_drawn(measured, tmp_path):
    bench("picture", str(measured), str(tmp_path / "bench.png"))
    assert (tmp_path / "bench.png").stat().st_size > 10_000
