"""Spark session, with every Spark and catalogue setting."""

import logging
import os
import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from dualsink.errors import SettingsError
from dualsink.iceberg import security
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.servers import Storage
from dualsink.kafka.security import ALLOWED_TOKEN_URLS
from dualsink.settings import Secret, Settings
from dualsink.spark import java, signals, trust
from dualsink.spark.class_archive import Classes
from dualsink.spark.jars import spark_jars
from dualsink.spark.noise import launch_quietly

PORT, SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"
"""Environment variables by which PySpark finds a JVM that runs already, that of a run or of spark-submit."""
SHARED = "DUALSINK_LENT_JVM"
"""Environment variable of a run's JVM, whose context several processes use: it names the variable of its S3 keys."""
_LOG_CONFIG = Path(__file__).with_name("log4j2.properties")
_REDACTED = "(?i)token|secret|password|credential|jaas|keystore|access[.-]?key"
"""Names of options whose values Spark writes nowhere."""


@dataclass(frozen=True)
class Driver:
    """Driver of Spark: master, memory, and its own folder.

    An empty `master` leaves both to spark-submit. `token_url` is the one that its JVM may ask for Kafka's tokens, empty
    means none.
    """

    master: str
    memory: str
    folder: Path
    token_url: str

    @classmethod
    def of(cls, settings: Settings) -> "Driver":
        """Return the driver of the settings."""
        folder = settings.data_path / "spark"
        return cls(settings.spark_master, settings.spark_driver_memory, folder, settings.kafka_token_url)


def spark_session(
    settings: Settings, name: str = "dualsink", java_options: tuple[str, ...] = (), record_classes: bool = False
) -> SparkSession:
    """Return this process's session, catalogue attached, time zone UTC.

    S3 keys reach the JVM through its environment, never through a setting or the command line. The JVM is a new one, or
    the one that a run shares with its stages (see `runner/shared_jvm.py`) if that has the keys of these settings, which
    a stop of the session leaves to the run, or with an empty `spark_master` that of spark-submit, which then decides on
    master, memory and jars. A new one is started with `java_options` on top; with `record_classes` it makes the archive
    from which later ones start faster, if there is none. Raises PlatformError without a fitting Java or a jar,
    SettingsError for keys out of reach.
    """
    _silence_py4j()
    driver, archive = Driver.of(settings), Archive.of(settings)
    # A signal in the middle of the JVM's start would leave it behind, waiting for a word from Python.
    with signals.noted():
        if SHARED in os.environ and _fits(archive.storage.access_key.variable):
            return _shared_session()
        _prepare_environment(driver.master, archive.storage)
        configuration = {"spark.app.name": name, **_configuration(driver, archive, java_options, record_classes)}
        if PORT not in os.environ and not SparkContext._gateway:
            conf = SparkConf().setAll(configuration.items())
            SparkContext._ensure_initialized(gateway=launch_quietly(conf), conf=conf)
        # Not before: PySpark hands the configuration of a new JVM over on its command line.
        return SparkSession.builder.config(map=configuration | identity(archive)).getOrCreate()


def _silence_py4j() -> None:
    """Silence py4j: the suite reports a failed batch itself.

    Py4j would print the traceback too, in part as the root logger.
    """
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_not_py4js)


def _is_not_py4js(record: logging.LogRecord) -> bool:
    return "py4j" not in Path(record.pathname).parts


class _SharedContext(SparkContext):
    """The context in a run's JVM, which outlives this process."""

    def stop(self) -> None:
        self._jsc = None
        super().stop()


def _fits(variable: str) -> bool:
    """Return whether the run's JVM has the keys needed.

    They are named by the variable of the access key. Another one, such as the keeper's, is started where it has not.
    Raises SettingsError where this process has one already.
    """
    if os.environ[SHARED] == variable:
        return True
    if SparkContext._active_spark_context:
        raise SettingsError(
            f"This kernel's Spark session has the S3 keys of {os.environ[SHARED]}; "
            f"restart the kernel for a session with those of {variable}."
        )
    for name in (SHARED, PORT, SECRET):
        os.environ.pop(name, None)
    return False


def _shared_session() -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if not SparkContext._active_spark_context:
        SparkContext._ensure_initialized()
        jvm = SparkContext._jvm
        context = jvm.JavaSparkContext.fromSparkContext(jvm.org.apache.spark.SparkContext.getOrCreate())
        _SharedContext(conf=SparkConf(_jvm=jvm), jsc=context)
    return SparkSession.builder.getOrCreate()


def _configuration(
    driver: Driver, archive: Archive, java_options: tuple[str, ...], record_classes: bool
) -> dict[str, str]:
    driver.folder.mkdir(parents=True, exist_ok=True)
    machine = {}
    if driver.master:
        options = _java_options(driver, archive, record_classes) + java_options
        machine = _machine(driver, options) | _local_only(driver.master)
    return machine | _rules(driver.folder) | catalog(archive)


def _prepare_environment(master: str, storage: Storage) -> None:
    if not master:
        _check_keys(storage)
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        return
    os.environ["JAVA_HOME"] = str(java.find(java.SPARK).home)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ |= jvm_keys(storage)


def jvm_keys(storage: Storage) -> dict[str, str]:
    """Return the S3 keys as variables of Spark's JVMs.

    Keep them in an environment only.
    """
    found = {variable: secret.read() for variable, secret in _secrets(storage).items()}
    profile = {"AWS_PROFILE": storage.profile} if storage.profile else {}
    return profile | {variable: key for variable, key in found.items() if key}


def _secrets(storage: Storage) -> dict[str, Secret]:
    return {
        "AWS_ACCESS_KEY_ID": storage.access_key,
        "AWS_SECRET_ACCESS_KEY": storage.secret_key,
        "AWS_SESSION_TOKEN": storage.session_token,
    }


def _check_keys(storage: Storage) -> None:
    """Refuse keys that this process has and its JVM lacks.

    The JVM was started before this process.
    """
    secrets = _secrets(storage)
    for variable, key in jvm_keys(storage).items():
        if os.environ.get(variable) != key:
            parameter = secrets[variable].parameter if variable in secrets else "s3_profile"
            raise SettingsError(
                f"Spark's JVM takes its S3 keys from {variable}, which is not what {parameter} names: set "
                f"{variable} where spark-submit and the executors start, or -p {parameter} {variable}"
            )


def _rules(scratch: Path) -> dict[str, str]:
    return {
        "spark.redaction.regex": _REDACTED,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.scheduler.mode": "FAIR",
        # Spark makes this folder; its default is the current one.
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }


def _machine(driver: Driver, java_options: tuple[str, ...]) -> dict[str, str]:
    """Return settings that spark-submit would otherwise decide."""
    return {
        "spark.master": driver.master,
        **_jars(driver.master),
        "spark.driver.memory": driver.memory,
        "spark.driver.extraJavaOptions": shlex.join(java_options),
        "spark.local.dir": str(driver.folder),
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _jars(master: str) -> dict[str, str]:
    """Return the setting that gives the JVM its jars.

    A new JVM takes them on its class path; other machines, and a JVM that runs, get them sent.
    """
    jars = [str(jar) for jar in spark_jars()]
    if _is_local(master) and PORT not in os.environ:
        return {"spark.driver.extraClassPath": os.pathsep.join(jars)}
    return {"spark.jars": ",".join(jars)}


def _java_options(driver: Driver, archive: Archive, record_classes: bool) -> tuple[str, ...]:
    places = (f"-Dlog4j2.configurationFile={_LOG_CONFIG}", f"-Dderby.system.home={driver.folder}")
    places += trust.java_options(archive, driver.folder)
    if driver.token_url:
        places += (f"-D{ALLOWED_TOKEN_URLS}={driver.token_url}",)
    if not _is_local(driver.master):
        return places
    own = Path(find_spec("pyspark").origin).with_name("jars")
    classes = Classes("spark", java.find(java.SPARK), [*spark_jars(), *sorted(own.glob("*.jar"))])
    return (*places, *classes.options(record_classes))


def _is_local(master: str) -> bool:
    return master.split("[")[0] == "local"


def _local_only(master: str) -> dict[str, str]:
    """Return settings by which a local master uses loopback only.

    Its ports ask for a secret there, which Spark makes up itself and tells nobody.
    """
    if not _is_local(master):
        return {}
    place = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return place | {"spark.authenticate": "true", "spark.network.crypto.enabled": "true"}


def catalog(archive: Archive) -> dict[str, str]:
    """Return the catalogue's settings: Nessie for names, S3 for files."""
    prefix = _prefix(archive)
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "nessie",
        f"{prefix}.uri": archive.catalogue.uri,
        f"{prefix}.ref": archive.catalogue.ref,
        f"{prefix}.warehouse": archive.warehouse,
        f"{prefix}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{prefix}.client.region": archive.storage.region,
        f"{prefix}.s3.endpoint": archive.storage.endpoint,
        f"{prefix}.s3.path-style-access": "true",
        # A reader must see what another process has just committed.
        f"{prefix}.cache-enabled": "false",
        **{f"{prefix}.{name}": value for name, value in security.file_io(archive.storage).items()},
    }


def identity(archive: Archive) -> dict[str, str]:
    """Return the catalogue's settings that hold secrets.

    Keep them in memory.
    """
    properties = security.nessie_properties(archive.catalogue)
    return {f"{_prefix(archive)}.{name}": value for name, value in properties.items()}


def _prefix(archive: Archive) -> str:
    name, _, _ = archive.table.partition(".")
    return f"spark.sql.catalog.{name}"
