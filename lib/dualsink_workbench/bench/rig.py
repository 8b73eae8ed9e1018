"""Common ground of all measurements: servers, names, Spark, machine."""

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pyspark import SparkContext
from pyspark.sql import SparkSession

from dualsink.notebook import results
from dualsink.settings import Settings, project_root
from dualsink.spark.session import spark_session
from dualsink_workbench.servers import credentials
from dualsink_workbench.servers.process import last_lines
from dualsink_workbench.servers.stack import LocalServers, free_settings

_ALIAS = "bench"


@contextmanager
def own_servers(base: Settings) -> Iterator[LocalServers]:
    """Run servers of the benchmark's own in a new folder.

    The folder is removed at the end; `base` gives the other parameters.
    """
    kind = "secured" if base.secured_servers else "plain"
    folder = project_root() / ".data" / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}-{kind}"
    # Users of secured servers have their rights on what begins with the alias; another stack has secrets of its own.
    names = {"environment": "bench", "opensearch_index": _ALIAS, **_variables(kind)}
    settings = base.model_copy(update=names | free_settings(base, folder))
    servers = LocalServers(settings)
    try:
        servers.up()
        credentials.export(settings)
        yield servers
    finally:
        servers.down()
        servers.clean()


def _variables(kind: str) -> dict[str, str]:
    """Return names of variables for the secrets of a stack."""
    named = (name for name in Settings.model_fields if name.endswith("_env"))
    return {name: f"DUALSINK_BENCH_{kind.upper()}_{name.removesuffix('_env').upper()}" for name in named}


def own_names(settings: Settings, name: str, **changes: Any) -> Settings:
    """Return settings with the names of one measurement.

    Topic, tables, index and run folder are its own; its servers run already.
    """
    own = f"{_ALIAS}_{name}"
    names = {"kafka_topic": own, "iceberg_table": own, "opensearch_index": own.replace("_", "-"), "run_id": own}
    place = {"servers": "external", "runs_dir": str(settings.data_path / "runs")}
    return settings.model_copy(update={**names, **place, **changes})


def with_spark(settings: Settings, work: Callable[[SparkSession, Settings], Any]) -> Any:
    """Run `work` in a Spark session of its own."""
    spark = spark_session(settings, "bench")
    try:
        return work(spark, settings)
    finally:
        spark.stop()


def end_jvm() -> None:
    """End the JVM that outlives its sessions.

    It has the keys and authorities of the servers that it was started for.
    """
    if gateway := SparkContext._gateway:
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


def pids(servers: LocalServers) -> dict[str, int]:
    """Return the servers' process ids by name."""
    return {server.name: server.pid for server in servers.status() if server.running}


@dataclass(frozen=True)
class Program:
    """Running `python -m dualsink NAME`, as a context manager.

    What still runs at the end of the block is ended.
    """

    process: subprocess.Popen
    log: Path

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def wait(self) -> None:
        """Wait for its end.

        Raises RuntimeError if the exit status is not 0.
        """
        if status := self.process.wait():
            trouble = "\n".join(last_lines(self.log))
            raise RuntimeError(f"{' '.join(self.process.args)} ended with status {status}:\n{trouble}")


def params_file(settings: Settings, file: Path) -> str:
    """Write the settings to a file for a program's `--params`.

    Creates the folder; returns the path.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings.parameters()), encoding="utf-8")
    return str(file)


def started(settings: Settings, name: str) -> Program:
    """Start a stage as a process of its own."""
    params, log = params_file(settings, settings.run_path / f"{name}.json"), settings.run_path / f"{name}.log"
    command = [sys.executable, "-m", "dualsink", name, "--params", params]
    with log.open("wb") as output:
        return Program(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output), log)


def batches(settings: Settings) -> list[dict[str, Any]]:
    """Read `batches.jsonl`, with each batch's end as `ended`.

    `ended` is in seconds since the epoch.
    """
    lines = [json.loads(line) for line in (settings.run_path / "batches.jsonl").read_text("utf-8").splitlines()]
    return [line | {"ended": datetime.fromisoformat(line["timestamp"]).timestamp()} for line in lines]


def write(file: Path, measured: str, settings: Settings, figures: dict[str, Any]) -> dict[str, Any]:
    """Write what was measured, with machine and versions.

    Returns all of it.
    """
    memory = psutil.virtual_memory().total
    machine = {"cores": psutil.cpu_count(), "memory": memory, "system": platform.platform()}
    load = [round(value, 1) for value in psutil.getloadavg()]
    about = {"measured": measured, "taken_at": results.now(), "machine": machine | {"load_average": load}}
    run = about | {"versions": results.versions(settings)} | figures
    results.write_json(file, run)
    return run


def quantiles(values: Any) -> dict[str, float]:
    """Return count, median, p95, p99 and maximum of values."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    spread = {"p50": p50, "p95": p95, "p99": p99, "max": np.max(values)}
    return {"count": len(values), **{name: round(float(value), 3) for name, value in spread.items()}}
