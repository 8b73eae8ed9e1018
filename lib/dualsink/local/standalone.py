"""Spark's own cluster on this machine: master and workers as processes of their own, on loopback; and spark-submit."""

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import requests

from dualsink.errors import PlatformError
from dualsink.local import java, process
from dualsink.local.jars import spark_jars
from dualsink.local.server import LOOPBACK
from dualsink.settings import Settings
from dualsink.spark import jvm_keys

PATIENCE = 180


class Standalone:
    """A cluster as a context manager; each worker has `cores` and gives executors `memory`.

    Keys of the stores are in the workers' environment, as Secret objects would put them there.
    """

    def __init__(self, settings: Settings, folder: Path, workers: int, cores: int = 1, memory: str = "1g"):
        self._folder = folder
        self._environment = environment(settings) | {"SPARK_DAEMON_MEMORY": "256m"}
        self._port, self._page, *self._pages = process.free_ports(2 + workers)
        self._size = ("--cores", str(cores), "--memory", memory)
        self._started: list[process.Record] = []

    @property
    def master(self) -> str:
        """Address for `--master`."""
        return f"spark://{LOOPBACK}:{self._port}"

    @property
    def pids(self) -> list[int]:
        """Processes of master and workers; executors and their Python are below them."""
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
        deadline = time.monotonic() + PATIENCE
        while self._alive() != workers:
            if time.monotonic() > deadline or not all(record.process() for record in self._started):
                raise PlatformError(f"Spark's cluster did not come up: its logs are in {self._folder}.")
            time.sleep(0.2)

    def _alive(self) -> int | None:
        """Workers that the master knows; None while it does not answer."""
        try:
            return requests.get(f"http://{LOOPBACK}:{self._page}/json/", timeout=5).json()["aliveworkers"]
        except (requests.RequestException, ValueError):
            return None


def submission(main_file: Path, master: str, *arguments: str, options: Mapping[str, str] | None = None) -> list[str]:
    """A spark-submit command with this suite's jars, driver on loopback; `options` are Spark's, by name."""
    local = {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK, "spark.ui.enabled": "false"}
    given = [f"--conf={name}={value}" for name, value in (local | dict(options or {})).items()]
    jars = ",".join(str(jar) for jar in spark_jars())
    submit = str(spark_home() / "bin" / "spark-submit")
    return [submit, "--master", master, "--jars", jars, *given, str(main_file), *arguments]


def environment(settings: Settings) -> dict[str, str]:
    """What the shell scripts of Spark need around them, on top of this process's environment."""
    homes = {"SPARK_HOME": str(spark_home()), "JAVA_HOME": str(java.find("spark").home)}
    return homes | {"SPARK_LOCAL_IP": LOOPBACK} | jvm_keys(settings)


def spark_home() -> Path:
    """The Spark that the package pyspark holds."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise PlatformError("There is no pyspark: install it (pip install pyspark==4.1.3).")
    return Path(found.origin).parent
