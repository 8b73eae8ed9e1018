"""The stream as a job: log_dual_sink.py through a real spark-submit, in a process and against servers of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession
from tests.support import days

from dualsink.kafka import generator, producer
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import setup
from dualsink.settings import Settings, project_root
from dualsink_workbench.servers.standalone import Standalone, environment, submission

MAIN_FILE = project_root(Path(__file__)) / "deploy" / "log_dual_sink.py"
COMMAND = MAIN_FILE.with_name("command.py")


@pytest.fixture
def pipeline(spark: SparkSession, settings: Settings) -> Settings:
    setup.create_all(spark, settings)
    return settings


@pytest.fixture
def submit(pipeline: Settings, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Submit a main file from an empty folder, so that no file of the project is in reach by accident."""
    empty = tmp_path / "elsewhere"
    empty.mkdir()

    def run(file: Path, master: str, *arguments: str) -> subprocess.CompletedProcess:
        options = {"spark.driver.memory": "1g", "spark.executor.memory": "768m"}
        around = os.environ | environment(pipeline) | {"PYSPARK_PYTHON": sys.executable}
        command = submission(file, master, *arguments, options=options)
        return subprocess.run(command, cwd=empty, env=around, capture_output=True, text=True, check=False)

    return run


def options(settings: Settings) -> list[str]:
    """The settings as somebody would type them."""
    names = (
        "kafka_bootstrap_servers", "kafka_topic", "opensearch_index", "nessie_uri", "s3_endpoint", "checkpoint_dir",
        "data_dir", "runs_dir",
    )  # fmt: skip
    typed = [f"--{name.replace('_', '-')}={getattr(settings, name)}" for name in names]
    return [*typed, f"--opensearch-hosts={settings.opensearch_url}", f"--iceberg-table={settings.archive_table}"]


def produce(settings: Settings, count: int, seed: int) -> None:
    producer.produce(generator.generate(count, seed, 0.02, days.end_of_events()), Topic.of(settings))


def hot_count(settings: Settings) -> int:
    with closing(index.connect(Cluster.of(settings))) as client:
        index.refresh(client, settings.opensearch_index)
        return client.count(index=settings.opensearch_index)["count"]


def test_submitted_twice_it_adds_what_is_new_each_time_and_the_ledger_holds(spark, pipeline, submit, tmp_path):
    for run in (1, 2):
        produce(pipeline, 300, seed=run)
        done = submit(MAIN_FILE, "local[2]", *options(pipeline))
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert done.stdout.splitlines()[-1] == "log_dual_sink: 300 events in 1 batch"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    book = ledger.take(spark, pipeline)
    book.check()
    assert sum(line.kafka for line in book.partitions) == 600
    assert spark.table(pipeline.archive_table).count() == hot_count(pipeline)


def test_with_a_mistake_it_ends_before_it_reads_with_a_message_and_status_2(pipeline, submit):
    done = submit(MAIN_FILE, "local[1]", "--hot-days=never")
    assert done.returncode == 2
    assert done.stdout.startswith("Impossible parameters:\n  hot_days: Input should be a valid integer")


def test_a_command_of_the_suite_is_submitted_likewise(pipeline, submit, tmp_path):
    params = tmp_path / "params.json"
    job = pipeline.model_copy(update={"servers": "external", "spark_master": ""})
    params.write_text(job.model_dump_json())
    done = submit(COMMAND, "local[2]", "validate", f"--params={params}")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "validate: the ledger holds: 0 records in Kafka" in done.stdout


# -- on a cluster --------------------------------------------------------------------------------------


def listened_on(pid: int) -> set[str]:
    """Addresses on which a process and those below it accept connections."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    connections = [c for member in family for c in member.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return {connection.laddr.ip.removeprefix("::ffff:") for connection in connections}


def test_on_two_workers_of_a_spark_cluster_it_does_the_same(spark, pipeline, submit, tmp_path):
    with Standalone(pipeline, tmp_path / "cluster", workers=2) as cluster:
        for run in (1, 2):
            produce(pipeline, 2_000, seed=run)
            done = submit(MAIN_FILE, cluster.master, *options(pipeline), "--max-offsets-per-trigger=1000")
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            assert done.stdout.splitlines()[-1].startswith("log_dual_sink: 2,000 events in ")
        assert {address for pid in cluster.pids for address in listened_on(pid)} == {"127.0.0.1"}
        assert all(any(executors_of(tmp_path / "cluster" / f"worker-{i}")) for i in range(2))
    book = ledger.take(spark, pipeline)
    book.check()
    assert sum(line.kafka for line in book.partitions) == 4_000


def executors_of(worker: Path) -> list[Path]:
    """Logs of the executors that a worker has started."""
    return sorted(worker.glob("app-*/*/stderr"))
