"""The Spark session: one place for every Spark and catalogue setting."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from dualsink import interrupts
from dualsink.local import java
from dualsink.local.jars import spark_jars
from dualsink.settings import Settings

_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")


def spark_session(settings: Settings, name: str = "dualsink") -> SparkSession:
    """The session of this process, with the catalogue attached. Session time zone is UTC.

    S3 keys reach the JVM through its environment, never through a setting or the command line. The JVM is a new one,
    or that of `shared_jvm`. Raises PlatformError when no fitting Java or no jar can be had.
    """
    _prepare_environment(settings)
    # A failed batch is told of once, by the suite: py4j would print its traceback as well.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    for key, value in _configuration(settings).items():
        builder = builder.config(key, value)
    # A signal in the middle of the JVM's start would leave it behind, waiting for a word from Python.
    with interrupts.noted():
        return builder.getOrCreate()


@contextmanager
def shared_jvm(settings: Settings, log: Path) -> Iterator[dict[str, str]]:
    """A JVM for several processes, one after the other: most of a short run is a JVM's first minute.

    Yields the environment by which PySpark finds it in a process; nothing of it may be written down. The JVM listens
    on loopback, writes to `log`, and ends with the block, or when this process dies: it reads the pipe to it.
    """
    _prepare_environment(settings)
    configuration = SparkConf(loadDefaults=False).setAll(list(_configuration(settings).items()))
    with log.open("wb") as output, interrupts.noted():
        gateway = launch_gateway(configuration, {"stdout": output, "stderr": output})
    try:
        where = gateway.java_parameters
        yield {"PYSPARK_GATEWAY_PORT": str(where.port), "PYSPARK_GATEWAY_SECRET": where.auth_token}
    finally:
        gateway.close()
        gateway.proc.stdin.close()
        try:
            gateway.proc.wait(15)
        except subprocess.TimeoutExpired:
            gateway.proc.kill()


def _configuration(settings: Settings) -> dict[str, str]:
    return _engine(settings) | _local_only(settings) | catalog(settings)


def _prepare_environment(settings: Settings) -> None:
    os.environ["JAVA_HOME"] = str(java.find("spark").home)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["AWS_REGION"] = settings.s3_region
    for variable, parameter in (
        ("AWS_ACCESS_KEY_ID", "s3_access_key_env"),
        ("AWS_SECRET_ACCESS_KEY", "s3_secret_key_env"),
    ):
        if secret := settings.secret(parameter):
            os.environ[variable] = secret


def _engine(settings: Settings) -> dict[str, str]:
    scratch = settings.data_path / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        "spark.jars": ",".join(str(jar) for jar in spark_jars()),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG_CONFIG} -Dderby.system.home={scratch}",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.scheduler.mode": "FAIR",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _local_only(settings: Settings) -> dict[str, str]:
    """A local master listens on loopback only."""
    if not settings.spark_master.startswith("local"):
        return {}
    return {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def catalog(settings: Settings) -> dict[str, str]:
    """Spark settings of the Iceberg catalogue: Nessie for the names, S3 for the files."""
    prefix = f"spark.sql.catalog.{settings.catalog_name}"
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "nessie",
        f"{prefix}.uri": settings.nessie_uri,
        f"{prefix}.ref": settings.nessie_ref,
        f"{prefix}.warehouse": settings.warehouse,
        f"{prefix}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{prefix}.s3.endpoint": settings.s3_endpoint,
        f"{prefix}.s3.path-style-access": "true",
        # A reader must see what another process has just committed.
        f"{prefix}.cache-enabled": "false",
    }
