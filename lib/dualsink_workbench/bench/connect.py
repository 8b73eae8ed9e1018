"""Kafka Connect with Iceberg sink and optional OpenSearch sink.

The OpenSearch sink connector is in no repository that the lock file's resolver knows, so it is a folder that the
caller has. Without it, the sink of the archive runs alone, and both sinks are compared by what was recorded once.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import requests

from dualsink.errors import SettingsError
from dualsink.iceberg import reader
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.security import nessie_properties
from dualsink.iceberg.servers import Catalogue
from dualsink.kafka import security, topic
from dualsink.kafka.brokers import Brokers
from dualsink.kafka.topic import Topic
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink.spark import jars, java
from dualsink_workbench.bench import rig
from dualsink_workbench.bench.contenders import Result
from dualsink_workbench.bench.meter import Meter
from dualsink_workbench.bench.report import CONNECT_BOTH
from dualsink_workbench.servers.kafka import Kafka
from dualsink_workbench.servers.process import free_ports, last_lines
from dualsink_workbench.servers.server import CONSOLE_LOGGING
from dualsink_workbench.servers.stack import LocalServers

RECORDED = {
    "contender": f"{CONNECT_BOTH} (recorded elsewhere)",
    "to_raw": 19_300 / 33_400,
    "cpu_per_event": 76.0,
    "opensearch_cpu_per_event": 31.0,
    "note": "not run here: the ratio to raw _bulk of one run of Connect 4.3.1 with the OpenSearch sink connector 4.0.1 "
    "on a machine of this kind, counted by the index: 19,300 events/s with both sinks, raw _bulk 33,400",
}
HEAP = "2g"
TASKS = 2
COMMIT_SECONDS = 5
_TIMEOUT = 600


def run(settings: Settings, servers: LocalServers, folder: Path, opensearch: Path | None) -> Result:
    """Run Connect until every store has all records.

    Warm is from its first commit to the archive on, by the slower store: to the last commit but one (the last waits
    for its turn, with nothing to do), or to the last documents. A record counts as one event. Its jars are there
    before the clock starts.
    """
    events = sum(end - first for first, end in topic.watermarks(Topic.of(settings)).values())
    classes = Jars.fetched(opensearch)
    start = time.monotonic()
    with (
        _control_topic(settings),
        _worker(settings, folder, classes) as worker,
        Meter(rig.pids(servers) | {"connect": worker.process.pid}) as meter,
    ):
        indexed = worker.wait_for(settings, events, index_too=opensearch is not None)
    end = time.monotonic()
    first, last, warm = slower(_commits(settings), indexed, start, end)
    cpu = {role: round(spent / warm * 1e6, 2) for role, spent in meter.cpu(first, last).items()}
    name = CONNECT_BOTH if opensearch else "Kafka Connect, Iceberg sink alone"
    return Result(name, events, end - start, warm, last - first, cpu, peak_memory=meter.peak())


Progress = list[tuple[float, int]]
"""Moments (`time.monotonic`), and how many records came into a store until each since the one before."""
Warm = tuple[float, float, int]
"""Start, end and records of the warm part of a run."""


def _commits(settings: Settings) -> Progress:
    """Return moment and rows of each commit that added some."""
    since_boot = time.monotonic() - time.time()
    snapshots = reader.open_archive(Archive.of(settings)).snapshots()
    rows = [(s.timestamp_ms / 1000 + since_boot, int(s.summary["added-records"] or 0)) for s in snapshots]
    return [commit for commit in rows if commit[1]]


def slower(archived: Progress, indexed: Progress, start: float, end: float) -> Warm:
    """Return the warm part of the slower store."""
    parts = [_warm(archived, start, end)]
    if indexed:
        since = archived[0][0] if len(archived) > 2 else start
        rows = sum(count for moment, count in indexed if moment > since)
        parts.append((since, indexed[-1][0], rows))
    return min(parts, key=lambda part: part[2] / max(part[1] - part[0], 1e-9))


def _warm(commits: Progress, start: float, end: float) -> Warm:
    """Return the warm part by commits.

    After few commits it is the whole run.
    """
    if len(commits) < 3:
        return start, end, sum(rows for _, rows in commits)
    (first, _), *between, _ = commits
    return first, between[-1][0], sum(rows for _, rows in between)


@contextmanager
def _control_topic(settings: Settings) -> Iterator[None]:
    """Create the control topic of the sink's tasks."""
    control = replace(Topic.of(settings), name=_control(settings), partitions=1)
    topic.ensure_topic(control)
    try:
        yield
    finally:
        topic.drop_topic(control)


def _control(settings: Settings) -> str:
    return f"{settings.kafka_topic}_control"


# -- the worker --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worker:
    """Standalone Connect worker: process, log, REST address."""

    process: subprocess.Popen
    log: Path
    address: str

    def wait_for(self, settings: Settings, records: int, index_too: bool) -> Progress:
        """Wait until the stores have all records.

        Returns the progress of the index. The stores are the archive and, with `index_too`, the hot tier. Raises
        RuntimeError if they cannot get them.
        """
        deadline, progress, before = time.monotonic() + _TIMEOUT, [], 0
        while _archived(settings) < records or (index_too and before < records):
            if self.process.poll() is not None or time.monotonic() > deadline or self._failed():
                trouble = "\n".join(last_lines(self.log, 30))
                raise RuntimeError(f"Kafka Connect archived {_archived(settings)} of {records} records:\n{trouble}")
            time.sleep(0.5)
            if index_too and (now := _indexed(settings)) > before:
                progress.append((time.monotonic(), now - before))
                before = now
        return progress

    def _failed(self) -> bool:
        """Return whether a task has failed; the worker survives it."""
        try:
            status = requests.get(f"{self.address}/connectors?expand=status", timeout=5).json()
        except requests.RequestException:
            return False  # It is starting.
        return any(task["state"] == "FAILED" for sink in status.values() for task in sink["status"]["tasks"])


_MANIFEST = "META-INF/services/org.apache.kafka.connect.sink.SinkConnector"


@dataclass(frozen=True)
class Jars:
    """Folders of connectors, and the OpenSearch sink's class.

    Its name changed with version 4.
    """

    folders: dict[str, Path]
    opensearch_class: str = ""

    @classmethod
    def fetched(cls, opensearch: Path | None) -> "Jars":
        """Fetch what is missing.

        Raises SettingsError if the folder holds no OpenSearch sink connector.
        """
        for name in ("connect", "kafka"):
            jars.fetch(name)
        folders = {"iceberg": Path(jars.fetch("connect-iceberg"))}
        if opensearch is None:
            return cls(folders)
        found = next((name for name in _names(opensearch) if _OPENSEARCH_SINK.fullmatch(name)), None)
        if found is None:
            raise SettingsError(f"{opensearch} holds no OpenSearch sink connector for Kafka Connect.")
        return cls(folders | {"opensearch": opensearch}, found.removesuffix(".class").replace("/", "."))

    @property
    def discovery(self) -> str:
        """Way in which the worker finds plugins.

        By their manifests if all have them, which is faster.
        """
        return "service_load" if all(_MANIFEST in set(_names(f)) for f in self.folders.values()) else "hybrid_warn"


_OPENSEARCH_SINK = re.compile(r"(?:[a-z0-9]+/)+Open[sS]earchSinkConnector\.class")


def _names(folder: Path) -> Iterator[str]:
    """Yield the names of all entries of a folder's jars."""
    for file in sorted(folder.rglob("*.jar")):
        with ZipFile(file) as jar:
            yield from jar.namelist()


@contextmanager
def _worker(settings: Settings, folder: Path, connectors: Jars) -> Iterator[Worker]:
    """Run a worker with its sinks until the block ends."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True)
    for name, place in connectors.folders.items():
        (plugins / name).symlink_to(place.resolve())
    sinks = {"iceberg": _iceberg(settings)}
    if connectors.opensearch_class:
        sinks["opensearch"] = _opensearch(settings, connectors.opensearch_class)
    address = f"http://127.0.0.1:{free_ports(1)[0]}"
    options = {"listeners": address, "plugin.path": plugins, "plugin.discovery": connectors.discovery}
    options |= _worker_options(settings, folder)
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
    command = [str(java.find(Kafka.need).executable), *options, "-cp", classes]
    command += ["org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files)]
    keys = {
        "AWS_ACCESS_KEY_ID": settings.secret("s3_access_key_env"),
        "AWS_SECRET_ACCESS_KEY": settings.secret("s3_secret_key_env"),
        "AWS_REGION": settings.s3_region,
    }
    with (folder / "connect.log").open("wb") as log:
        return subprocess.Popen(command, env=os.environ | keys, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _properties(file: Path, options: Mapping[str, Any]) -> Path:
    lines = [f"{name}={_escaped(str(value))}\n" for name, value in options.items()]
    file.unlink(missing_ok=True)
    with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as handle:
        handle.writelines(lines)
    return file


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _kafka(settings: Settings, *prefixes: str) -> dict[str, str]:
    """Return options of each of the worker's clients."""
    options = security.java_options(Brokers.of(settings))
    return {f"{prefix}{name}": value for prefix in prefixes for name, value in options.items()}


def _worker_options(settings: Settings, folder: Path) -> dict[str, Any]:
    return {
        **_kafka(settings, "", "consumer.", "producer.", "admin."),
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
        **_kafka(settings, "iceberg.kafka."),
        "iceberg.catalog.catalog-impl": "org.apache.iceberg.nessie.NessieCatalog",
        "iceberg.catalog.uri": settings.nessie_uri,
        "iceberg.catalog.ref": settings.nessie_ref,
        "iceberg.catalog.warehouse": settings.warehouse,
        "iceberg.catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "iceberg.catalog.s3.endpoint": settings.s3_endpoint,
        "iceberg.catalog.s3.path-style-access": "true",
        **{f"iceberg.catalog.{name}": value for name, value in nessie_properties(Catalogue.of(settings)).items()},
    }


def _opensearch(settings: Settings, connector: str) -> dict[str, Any]:
    """Configure the OpenSearch sink: one index of today, deterministic ids.

    The template fits the index; retries need the ids.
    """
    return {
        "connector.class": connector,
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
    snapshot = reader.open_archive(Archive.of(settings)).current_snapshot()
    return int(snapshot.summary["total-records"] or 0) if snapshot else 0


def _indexed(settings: Settings) -> int:
    """Count documents that the index took, found yet or not."""
    with closing(index.connect(Cluster.of(settings))) as client:
        stats = client.indices.stats(index=f"{settings.opensearch_index}-*", metric="indexing")
    return stats["_all"]["primaries"].get("indexing", {}).get("index_total", 0)
