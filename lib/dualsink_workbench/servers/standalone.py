"""Spark cluster on loopback: master and workers as processes.

The command of spark-submit is here too.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import requests

from dualsink import polling
from dualsink.errors import PlatformError
from dualsink.iceberg.servers import Storage
from dualsink.local_servers import Record
from dualsink.settings import Settings
from dualsink.spark import java
from dualsink.spark.jars import spark_jars
from dualsink.spark.session import jvm_keys
from dualsink_workbench.servers import process
from dualsink_workbench.servers.server import LOOPBACK

START_TIMEOUT = 180


class Standalone:
    """Spark cluster as a context manager.

    Each worker has `cores` and gives executors `memory`. Keys of the stores are in the workers' environment, as Secret
    objects would put them there.
    """

    def __init__(self, settings: Settings, folder: Path, workers: int, cores: int = 1, memory: str = "1g"):
        self._folder = folder
        self._environment = environment(settings) | {"SPARK_DAEMON_MEMORY": "256m"}
        self._port, self._page, *self._pages = process.free_ports(2 + workers)
        self._size = ("--cores", str(cores), "--memory", memory)
        self._started: list[Record] = []

    @property
    def master(self) -> str:
        """Address for `--master`."""
        return f"spark://{LOOPBACK}:{self._port}"

    @property
    def pids(self) -> list[int]:
        """Processes of master and workers, parents of the executors."""
        return [record.pid for record in self._started]

    def __enter__(self) -> "Standalone":
        try:
            self._start("master", "master.Master", "--port", str(self._port), "--webui-port", str(self._page))
            self._await(workers=0)
            for i, page in enumerate(self._pages):
                place = ("--webui-port", str(page), "--work-dir", str(self._folder / f"worker-{i}"))
                self._start(f"worker-{i}", "worker.Worker", *place, *self._size, self.master)
            self._await(workers=len(self._pages))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for record in reversed(self._started):
            process.end(record)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        spark_class = str(spark_home() / "bin" / "spark-class")
        what = [spark_class, f"org.apache.spark.deploy.{program}", "--host", LOOPBACK, *arguments]
        command = process.Command(what, self._folder / name, self._environment)
        record, _ = process.launch(command, self._folder / f"{name}.log", str(self._folder / name))
        self._started.append(record)

    def _await(self, workers: int) -> None:
        def decided() -> bool:
            return self._alive() == workers or not all(record.process() for record in self._started)

        if not polling.until(decided, START_TIMEOUT, every=0.2) or self._alive() != workers:
            raise PlatformError(f"Spark's cluster did not come up: its logs are in {self._folder}.")

    def _alive(self) -> int | None:
        """Return the workers that the master knows, None without answer."""
        try:
            return requests.get(f"http://{LOOPBACK}:{self._page}/json/", timeout=5).json()["aliveworkers"]
        except (requests.RequestException, ValueError):
            return None


def submission(main_file: Path, master: str, *arguments: str, options: Mapping[str, str] | None = None) -> list[str]:
    """Return a spark-submit command with this suite's jars.

    The driver is on loopback; `options` are Spark's, by name.
    """
    local = {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK, "spark.ui.enabled": "false"}
    given = [f"--conf={name}={value}" for name, value in (local | dict(options or {})).items()]
    jars = ",".join(str(jar) for jar in spark_jars())
    submit = str(spark_home() / "bin" / "spark-submit")
    return [submit, "--master", master, "--jars", jars, *given, str(main_file), *arguments]


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that Spark's scripts need.

    They come on top of this process's environment.
    """
    homes = {"SPARK_HOME": str(spark_home()), "JAVA_HOME": str(java.find(java.SPARK).home)}
    return homes | {"SPARK_LOCAL_IP": LOOPBACK} | jvm_keys(Storage.of(settings))


def spark_home() -> Path:
    """Return the folder of the Spark in package pyspark."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise PlatformError("There is no pyspark: install it (pip install pyspark==4.1.3).")
    return Path(spec.origin).parent
