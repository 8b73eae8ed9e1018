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
from dualsink.errors import SettingsError
from dualsink.local import java
from dualsink.local.jars import spark_jars
from dualsink.settings import Settings

_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
_KEYS = {"AWS_ACCESS_KEY_ID": "s3_access_key_env", "AWS_SECRET_ACCESS_KEY": "s3_secret_key_env"}


def spark_session(settings: Settings, name: str = "dualsink") -> SparkSession:
    """The session of this process, with the catalogue attached. Session time zone is UTC.

    S3 keys reach the JVM through its environment, never through a setting or the command line. The JVM is a new one,
    or that of `shared_jvm`, or with an empty `spark_master` that of spark-submit, which then decides on master, memory
    and jars. Raises PlatformError when no fitting Java or no jar can be had, SettingsError for keys out of reach.
    """
    _prepare_environment(settings)
    # A failed batch is told of once, by the suite: py4j would print its traceback as well.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    builder = SparkSession.builder.appName(name)
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
    scratch = settings.data_path / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    machine = _machine(settings, scratch) | _local_only(settings) if settings.spark_master else {}
    return machine | _rules(scratch) | catalog(settings)


def _prepare_environment(settings: Settings) -> None:
    if not settings.spark_master:
        _check_keys(settings)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        return
    os.environ["JAVA_HOME"] = str(java.find("spark").home)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ |= jvm_keys(settings)


def jvm_keys(settings: Settings) -> dict[str, str]:
    """The S3 keys by the names of the variables that Spark's JVMs read; to be kept in an environment only."""
    found = {variable: settings.secret(parameter) for variable, parameter in _KEYS.items()}
    return {variable: secret for variable, secret in found.items() if secret}


def _check_keys(settings: Settings) -> None:
    """Refuse keys that this process has and its JVM, which is older, has not."""
    for variable, secret in jvm_keys(settings).items():
        if os.environ.get(variable) != secret:
            raise SettingsError(
                f"Spark's JVM takes its S3 keys from {variable}, which is not what {_KEYS[variable]} names: set "
                f"{variable} where spark-submit and the executors start, or -p {_KEYS[variable]} {variable}"
            )


def _rules(scratch: Path) -> dict[str, str]:
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.scheduler.mode": "FAIR",
        # Spark makes this folder; its default is the current one.
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }


def _machine(settings: Settings, scratch: Path) -> dict[str, str]:
    """What spark-submit decides where it is used."""
    return {
        "spark.master": settings.spark_master,
        "spark.jars": ",".join(str(jar) for jar in spark_jars()),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG_CONFIG} -Dderby.system.home={scratch}",
        "spark.local.dir": str(scratch),
        "spark.sql.shuffle.partitions": "4",
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
        f"{prefix}.client.region": settings.s3_region,
        f"{prefix}.s3.endpoint": settings.s3_endpoint,
        f"{prefix}.s3.path-style-access": "true",
        # A reader must see what another process has just committed.
        f"{prefix}.cache-enabled": "false",
    }
