"""What every measurement stands on: servers and names of its own, Spark, and what is said of the machine."""

import json
import platform
import signal
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
from pyspark.sql import SparkSession

from dualsink import results
from dualsink.local.process import last_lines
from dualsink.local.servers import LocalServers, export_credentials, free_settings
from dualsink.settings import Settings, project_root
from dualsink.spark import spark_session


@contextmanager
def own_servers() -> Iterator[LocalServers]:
    """Servers of the benchmark's own, in a new folder that is removed at its end, also when it is told to end."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = project_root() / ".data" / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    settings = Settings.from_values({"environment": "bench", **free_settings(Settings(), folder)})
    servers = LocalServers(settings)
    try:
        servers.up()
        export_credentials(settings)
        yield servers
    finally:
        servers.down()
        servers.clean()


def own_names(settings: Settings, name: str, **changes: Any) -> Settings:
    """Settings with topic, tables, index and run folder of one measurement; its servers run already."""
    own = f"bench_{name}"
    names = {"kafka_topic": own, "iceberg_table": own, "opensearch_index": own.replace("_", "-"), "run_id": own}
    place = {"servers": "external", "runs_dir": str(settings.data_path / "runs")}
    return settings.model_copy(update={**names, **place, **changes})


def with_spark(settings: Settings, work: Callable[[SparkSession, Settings], Any]) -> Any:
    """What `work` returns, done in a Spark session that ends after it."""
    spark = spark_session(settings, "bench")
    try:
        return work(spark, settings)
    finally:
        spark.stop()


def pids(servers: LocalServers) -> dict[str, int]:
    """The servers' processes by name."""
    return {server.name: server.pid for server in servers.status() if server.running}


@dataclass(frozen=True)
class Program:
    """A running `python -m dualsink NAME`; a context manager that ends what still runs."""

    process: subprocess.Popen
    log: Path

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def wait(self) -> None:
        """Wait for its end. Raises RuntimeError where that is not a good one."""
        if status := self.process.wait():
            trouble = "\n".join(last_lines(self.log))
            raise RuntimeError(f"{' '.join(self.process.args)} ended with status {status}:\n{trouble}")


def params_file(settings: Settings, file: Path) -> str:
    """The settings as a file, in a folder that is made, for a program's `--params`; returns its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings.parameters()), encoding="utf-8")
    return str(file)


def started(settings: Settings, name: str) -> Program:
    """Start a stage as a process of its own, with these settings."""
    params, log = params_file(settings, settings.run_path / f"{name}.json"), settings.run_path / f"{name}.log"
    command = [sys.executable, "-m", "dualsink", name, "--params", params]
    with log.open("wb") as output:
        return Program(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output), log)


def batches(settings: Settings) -> list[dict[str, Any]]:
    """The lines of `batches.jsonl`, with the end of each batch in seconds since the epoch as `ended`."""
    lines = [json.loads(line) for line in (settings.run_path / "batches.jsonl").read_text("utf-8").splitlines()]
    return [line | {"ended": datetime.fromisoformat(line["timestamp"]).timestamp()} for line in lines]


def write(file: Path, measured: str, settings: Settings, found: dict[str, Any]) -> dict[str, Any]:
    """Write what was measured, with the machine and the versions; returns all of it."""
    memory = psutil.virtual_memory().total
    machine = {"cores": psutil.cpu_count(), "memory": memory, "system": platform.platform()}
    load = [round(value, 1) for value in psutil.getloadavg()]
    about = {"measured": measured, "taken_at": results.now(), "machine": machine | {"load_average": load}}
    run = about | {"versions": results.versions(settings)} | found
    results.write_json(file, run)
    return run


def quantiles(values: Any) -> dict[str, float]:
    """How many values, their median, 95th and 99th percentile and the largest."""
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    spread = {"p50": p50, "p95": p95, "p99": p99, "max": np.max(values)}
    return {"count": len(values), **{name: round(float(value), 3) for name, value in spread.items()}}
