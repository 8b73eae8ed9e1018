"""What every measurement stands on: servers and names of its own, Spark, and what is said of the machine."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pyspark.sql import SparkSession

from dualsink import results
from dualsink.local.servers import LocalServers, export_credentials, free_settings
from dualsink.settings import Settings, project_root
from dualsink.spark import spark_session


@contextmanager
def own_servers() -> Iterator[LocalServers]:
    """Servers of the benchmark's own, in a new folder that is removed at its end."""
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
    return {server.name: server.pid for server in servers.status()}


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
