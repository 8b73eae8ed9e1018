"""Kafka Connect with the Apache Iceberg sink and, where its connector is given, an OpenSearch sink: what many run.

The OpenSearch sink connector is in no repository that the lock file's resolver knows, so it is a folder that the
caller has. Without it, the sink of the archive runs alone, and both sinks are compared by what was recorded once.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from bench import rig
from bench.contenders import Result
from bench.meter import Meter
from bench.report import CONNECT_BOTH
from dualsink import kafka, lake, search
from dualsink.local import jars, java
from dualsink.local.process import free_ports, last_lines
from dualsink.local.server import CONSOLE_LOGGING
from dualsink.local.servers import LocalServers
from dualsink.settings import Settings

RECORDED = {
    "contender": f"{CONNECT_BOTH} (recorded elsewhere)",
    "to_raw": 25_800 / 65_000,
    "cpu_per_event": 76.0,
    "opensearch_cpu_per_event": 31.0,
    "note": "not run here: the ratio to raw _bulk of one run of Connect 4.3.1 on a machine of this kind, 1,000,000 "
    "events: 25,800 events/s with both sinks, raw _bulk 65,000",
}
HEAP = "2g"
TASKS = 2
COMMIT_SECONDS = 5
_PATIENCE = 600


def run(settings: Settings, servers: LocalServers, folder: Path, opensearch: Path | None) -> Result:
    """Connect over the topic until all events are in every store that it writes to.

    Warm is from its first commit to the archive to the last but one: the last waits for its turn, with nothing to do.
    """
    events = sum(end - first for first, end in kafka.watermarks(settings).values())
    began = time.monotonic()
    with (
        _control_topic(settings),
        _worker(settings, folder, opensearch) as worker,
        Meter(rig.pids(servers) | {"connect": worker.process.pid}) as meter,
    ):
        worker.wait_for(settings, events, indexed=opensearch is not None)
    end = time.monotonic()
    first, last, warm = _warm(_commits(settings), began, end)
    cpu = {role: round(spent / warm * 1e6, 2) for role, spent in meter.cpu(first, last).items()}
    name = CONNECT_BOTH if opensearch else "Kafka Connect, Iceberg sink alone"
    return Result(name, events, end - began, warm, last - first, cpu, peak_memory=meter.peak())


def _commits(settings: Settings) -> list[tuple[float, int]]:
    """Moment (`time.monotonic`) and rows of every commit to the archive that added some."""
    since_boot = time.monotonic() - time.time()
    snapshots = lake.open_archive(settings).snapshots()
    rows = [(s.timestamp_ms / 1000 + since_boot, int(s.summary["added-records"] or 0)) for s in snapshots]
    return [commit for commit in rows if commit[1]]


def _warm(commits: list[tuple[float, int]], began: float, end: float) -> tuple[float, float, int]:
    """From when to when it was warm, and how many events it took then; all of the run where it made few commits."""
    if len(commits) < 3:
        return began, end, sum(rows for _, rows in commits)
    (first, _), *between, _ = commits
    return first, between[-1][0], sum(rows for _, rows in between)


@contextmanager
def _control_topic(settings: Settings) -> Iterator[None]:
    """The topic over which the sink's tasks agree on a commit."""
    control = settings.model_copy(update={"kafka_topic": _control(settings), "kafka_partitions": 1})
    kafka.ensure_topic(control)
    try:
        yield
    finally:
        kafka.drop_topic(control)


def _control(settings: Settings) -> str:
    return f"{settings.kafka_topic}_control"


# -- the worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worker:
    """A standalone worker: its process, its log, and the address of its REST interface."""

    process: subprocess.Popen
    log: Path
    address: str

    def wait_for(self, settings: Settings, events: int, indexed: bool) -> None:
        """Wait until the archive, and with `indexed` the hot tier, has all events. Raises RuntimeError if it cannot."""
        deadline = time.monotonic() + _PATIENCE
        while _archived(settings) < events or (indexed and _indexed(settings) < events):
            if self.process.poll() is not None or time.monotonic() > deadline or self._failed():
                trouble = "\n".join(last_lines(self.log, 30))
                raise RuntimeError(f"Kafka Connect archived {_archived(settings)} of {events} events:\n{trouble}")
            time.sleep(0.5)

    def _failed(self) -> bool:
        """Whether a task has died: the worker lives on without it."""
        try:
            found = requests.get(f"{self.address}/connectors?expand=status", timeout=5).json()
        except requests.RequestException:
            return False  # It is starting.
        return any(task["state"] == "FAILED" for sink in found.values() for task in sink["status"]["tasks"])


@contextmanager
def _worker(settings: Settings, folder: Path, opensearch: Path | None) -> Iterator[Worker]:
    """A worker with its sinks, ended at the end of the block."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "iceberg").symlink_to(jars.fetch("connect-iceberg"))
    sinks = {"iceberg": _iceberg(settings)}
    if opensearch:
        (plugins / "opensearch").symlink_to(opensearch.resolve())
        sinks["opensearch"] = _opensearch(settings)
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    options = {"listeners": address, "plugin.path": plugins, **_worker_options(settings, folder)}
    files = [_properties(folder / "worker.properties", options)]
    files += [_properties(folder / f"{name}.properties", {"name": name} | options) for name, options in sinks.items()]
    process = _start(settings, folder, files)
    try:
        yield Worker(process, folder / "connect.log", address)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _start(settings: Settings, folder: Path, files: list[Path]) -> subprocess.Popen:
    logging = folder / "log4j2.properties"
    logging.write_text(CONSOLE_LOGGING, encoding="utf-8")
    classes = f"{jars.fetch('connect')}/*:{jars.fetch('kafka')}/*"
    options = [f"-Xmx{HEAP}", "-Djava.net.preferIPv4Stack=true", f"-Dlog4j2.configurationFile={logging}"]
    command = [str(java.find("kafka").executable), *options, "-cp", classes]
    command += ["org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files)]
    keys = {
        "AWS_ACCESS_KEY_ID": settings.secret("s3_access_key_env"),
        "AWS_SECRET_ACCESS_KEY": settings.secret("s3_secret_key_env"),
        "AWS_REGION": settings.s3_region,
    }
    with (folder / "connect.log").open("wb") as log:
        return subprocess.Popen(command, env=os.environ | keys, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _properties(file: Path, options: Mapping[str, Any]) -> Path:
    file.write_text("".join(f"{name}={value}\n" for name, value in options.items()), encoding="utf-8")
    return file


def _worker_options(settings: Settings, folder: Path) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "offset.storage.file.filename": folder / "offsets",
        # At the default of a minute it waits instead of working.
        "offset.flush.interval.ms": 1000,
        "consumer.max.poll.records": 5000,
        "consumer.fetch.min.bytes": 2**20,
    }


# -- the sinks ---------------------------------------------------------------------------------------


def _iceberg(settings: Settings) -> dict[str, Any]:
    return {
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": TASKS,
        "topics": settings.kafka_topic,
        "iceberg.tables": f"{settings.database_name}.{settings.iceberg_table}",
        "iceberg.control.topic": _control(settings),
        "iceberg.control.commit.interval-ms": COMMIT_SECONDS * 1000,
        "iceberg.kafka.bootstrap.servers": settings.kafka_bootstrap_servers,
        "iceberg.catalog.catalog-impl": "org.apache.iceberg.nessie.NessieCatalog",
        "iceberg.catalog.uri": settings.nessie_uri,
        "iceberg.catalog.ref": settings.nessie_ref,
        "iceberg.catalog.warehouse": settings.warehouse,
        "iceberg.catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "iceberg.catalog.s3.endpoint": settings.s3_endpoint,
        "iceberg.catalog.s3.path-style-access": "true",
    }


def _opensearch(settings: Settings) -> dict[str, Any]:
    """Documents into one index of today that the template fits; their ids are deterministic, as a retry needs."""
    return {
        "connector.class": "io.aiven.kafka.connect.opensearch.OpensearchSinkConnector",
        "tasks.max": TASKS,
        "topics": settings.kafka_topic,
        "connection.url": settings.opensearch_url,
        "key.ignore": "true",
        "key.ignore.id.strategy": "topic.partition.offset",
        "schema.ignore": "true",
        "batch.size": 5000,
        "transforms": "index",
        "transforms.index.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.index.regex": ".*",
        "transforms.index.replacement": f"{settings.opensearch_index}-{datetime.now(UTC):%Y.%m.%d}",
    }


# -- what it has done --------------------------------------------------------------------------------


def _archived(settings: Settings) -> int:
    snapshot = lake.open_archive(settings).current_snapshot()
    return int(snapshot.summary["total-records"] or 0) if snapshot else 0


def _indexed(settings: Settings) -> int:
    with closing(search.connect(settings)) as client:
        search.refresh(client, settings.opensearch_index)
        return client.count(index=settings.opensearch_index)["count"]
