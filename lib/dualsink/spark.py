"""The Spark session: one place for every Spark and catalogue setting."""

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from dualsink import interrupts
from dualsink.errors import SettingsError
from dualsink.local import java
from dualsink.local.classes import Classes
from dualsink.local.jars import spark_jars
from dualsink.settings import Settings

PORT, SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"
"""Environment variables by which PySpark finds a JVM that runs already, that of a run or of spark-submit."""
LENT = "DUALSINK_LENT_JVM"
"""Environment variable that says it is that of a run, with a context that several processes use."""
_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
_KEYS = {"AWS_ACCESS_KEY_ID": "s3_access_key_env", "AWS_SECRET_ACCESS_KEY": "s3_secret_key_env"}


def spark_session(
    settings: Settings, name: str = "dualsink", java_options: tuple[str, ...] = (), record_classes: bool = False
) -> SparkSession:
    """The session of this process, with the catalogue attached. Session time zone is UTC.

    S3 keys reach the JVM through its environment, never through a setting or the command line. The JVM is a new one,
    or the one that a run lends to its stages (see `jvm`), which a stop of the session leaves to the run, or with an
    empty `spark_master` that of spark-submit, which then decides on master, memory and jars. A new one is started with
    `java_options` on top; with `record_classes` it makes the archive that later ones start faster from, where there is
    none. Raises PlatformError when no fitting Java or no jar can be had, SettingsError for keys out of reach.
    """
    _silence_py4j()
    # A signal in the middle of the JVM's start would leave it behind, waiting for a word from Python.
    with interrupts.noted():
        if LENT in os.environ:
            return _lent_session()
        _prepare_environment(settings)
        configuration = {"spark.app.name": name, **_configuration(settings, java_options, record_classes)}
        return SparkSession.builder.config(map=configuration).getOrCreate()


def _silence_py4j() -> None:
    """A failed batch is told of once, by the suite: py4j would print its traceback too, in part as the root logger."""
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_not_py4js)


def _is_not_py4js(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts


class _Lent(SparkContext):
    """The context in a run's JVM, which outlives this process."""

    def stop(self) -> None:
        self._jsc = None
        super().stop()


def _lent_session() -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if not SparkContext._active_spark_context:
        SparkContext._ensure_initialized()
        jvm = SparkContext._jvm
        context = jvm.JavaSparkContext.fromSparkContext(jvm.org.apache.spark.SparkContext.getOrCreate())
        _Lent(conf=SparkConf(_jvm=jvm), jsc=context)
    return SparkSession.builder.getOrCreate()


def _configuration(settings: Settings, java_options: tuple[str, ...], record_classes: bool) -> dict[str, str]:
    scratch = settings.data_path / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    machine = {}
    if settings.spark_master:
        options = _java_options(settings, scratch, record_classes) + java_options
        machine = _machine(settings, scratch, options) | _local_only(settings)
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


def _machine(settings: Settings, scratch: Path, java_options: tuple[str, ...]) -> dict[str, str]:
    """What spark-submit decides where it is used."""
    return {
        "spark.master": settings.spark_master,
        **_jars(settings),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": " ".join(java_options),
        "spark.local.dir": str(scratch),
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _jars(settings: Settings) -> dict[str, str]:
    """A new JVM takes them on its class path; other machines, and a JVM that runs, get them sent."""
    jars = [str(jar) for jar in spark_jars()]
    if _is_local(settings) and PORT not in os.environ:
        return {"spark.driver.extraClassPath": os.pathsep.join(jars)}
    return {"spark.jars": ",".join(jars)}


def _java_options(settings: Settings, scratch: Path, record_classes: bool) -> tuple[str, ...]:
    places = (f"-Dlog4j2.configurationFile={_LOG_CONFIG}", f"-Dderby.system.home={scratch}")
    if not _is_local(settings):
        return places
    own = Path(find_spec("pyspark").origin).with_name("jars")
    classes = Classes("spark", java.find("spark"), [*spark_jars(), *sorted(own.glob("*.jar"))])
    return (*places, *classes.options(record_classes))


def _is_local(settings: Settings) -> bool:
    return settings.spark_master.split("[")[0] == "local"


def _local_only(settings: Settings) -> dict[str, str]:
    """A local master listens on loopback only."""
    if not _is_local(settings):
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
