"""One JVM for several processes: each has a session of its own in it, streams included, and it ends with its block."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dualsink.errors import PlatformError
from dualsink.settings import Settings
from dualsink_workbench.runner.shared_jvm import SharedJvm
from dualsink_workbench.servers.stack import LocalServers

STREAM = """
import sys
from dualsink.kafka import producer
from dualsink.kafka.source import Source
from dualsink.kafka.topic import Topic
from dualsink.operations import setup
from dualsink.settings import Settings
from dualsink.spark.session import spark_session
from dualsink.stream import query

settings = Settings.load([sys.argv[1]])
spark = spark_session(settings)
setup.create_all(spark, settings)
producer.produce(Source.of(settings).records(), Topic.of(settings))
print(spark._jvm.java.lang.ProcessHandle.current().pid(), query.run(spark, settings)["created"])
spark.stop()
"""
LEND = """
import sys, time
from pathlib import Path
from dualsink.errors import PlatformError
from dualsink_workbench.runner.shared_jvm import SharedJvm
from dualsink.settings import Settings

with SharedJvm(Settings.load([sys.argv[1]]), Path(sys.argv[2])) as lent:
    lent.environment()
    print("lent", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def params(servers: LocalServers, settings: Settings, tmp_path: Path) -> str:
    file = tmp_path / "params.json"
    file.write_text(settings.model_copy(update={"num_log_events": 50}).model_dump_json())
    return str(file)


def streamed(params: str, environment: dict[str, str]) -> tuple[int, int]:
    """The JVM that a process of its own streamed in, and how many documents it created."""
    command = [sys.executable, "-c", STREAM, params]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    jvm, created = done.stdout.split()[-2:]
    return int(jvm), int(created)


def test_two_processes_stream_one_after_the_other_in_one_jvm_that_ends_with_the_block(params, settings, tmp_path):
    log = tmp_path / "spark.log"
    with SharedJvm(settings, log) as lent:
        environment = lent.environment()
        first, second = streamed(params, environment), streamed(params, environment)
        jvm = psutil.Process(first[0])
        assert (first[1], second[1], first[0]) == (50, 50, second[0])
        assert environment["PYSPARK_GATEWAY_SECRET"] not in log.read_text()
        addresses = {c.laddr.ip for c in jvm.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        assert {address.removeprefix("::ffff:") for address in addresses} <= {"127.0.0.1"}
    assert not jvm.is_running()


def test_the_jvm_ends_when_the_process_that_lends_it_is_killed(params, tmp_path):
    lender = subprocess.Popen([sys.executable, "-c", LEND, params, str(tmp_path / "spark.log")], stdout=subprocess.PIPE)
    lender.stdout.readline()
    family = psutil.Process(lender.pid).children(recursive=True)
    assert "java" in {process.name() for process in family}
    lender.kill()
    lender.wait()
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_a_jvm_that_does_not_start_is_told_of_with_its_log(settings, tmp_path):
    wrong = settings.model_copy(update={"spark_driver_memory": "1"})
    with SharedJvm(wrong, tmp_path / "spark.log") as lent, pytest.raises(PlatformError, match="JVM did not start"):
        lent.environment()
