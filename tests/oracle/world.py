"""The product as its users have it: servers and commands, reached through `python -m dualsink` alone."""

import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from tests.oracle.proxy import Trap, proxied

PROJECT = Path(__file__).parents[2]
PATIENCE = 300
"""Seconds that a command may take; what does not end by then never does."""
# Commands live for seconds: the JVM's second compiler would cost them half of it.
# So does the compiler of Spark's own plans, for a dozen rows.
_SHORT_LIFE = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC -Dspark.sql.codegen.wholeStage=false "
    "-Dspark.sql.codegen.factoryMode=NO_CODEGEN -Dspark.sql.adaptive.enabled=false"
)


@dataclass(frozen=True)
class Result:
    """How a command ended; a negative status is the signal that killed it."""

    status: int
    out: str = ""
    err: str = ""

    @property
    def ok(self) -> bool:
        """Whether it says that all is well."""
        return self.status == 0

    @property
    def text(self) -> str:
        """All that it said."""
        return f"{self.out}\n{self.err}"

    def __str__(self) -> str:
        return f"exit {self.status}:\n{self.text.strip()[-3000:]}"


class Console:
    """One long-lived process that runs commands; a killed one is followed by a new one."""

    def __init__(self, environment: Mapping[str, str], log: Path):
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen | None = None

    def run(self, arguments: list[str]) -> Result:
        """Run a command to its end."""
        return self.start(arguments).result()

    def start(self, arguments: list[str]) -> "Running":
        """Begin a command."""
        self._ensure()
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        return Running(self, self._process)

    @property
    def pid(self) -> int:
        """The process, while there is one."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL for the process, its JVM and all their children, at once."""
        if self._process and self._process.poll() is None:
            family = [self._process, *psutil.Process(self._process.pid).children(recursive=True)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()

    def close(self) -> None:
        """End it."""
        self.kill()
        if self._process:
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe.close()

    def _ensure(self) -> None:
        if self._process and self._process.poll() is None:
            return
        self.close()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("console.py"))],
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )


class Running:
    """A command under way."""

    def __init__(self, console: Console, process: subprocess.Popen):
        self._console, self._process = console, process
        self._answer = ""
        self.killed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(ValueError):
            self._answer = self._process.stdout.readline()

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return not self._reader.is_alive()

    def result(self, patience: float = PATIENCE) -> Result:
        """How it ended. One that does not end in time is killed, and TimeoutError raised."""
        self._reader.join(patience)
        if self._reader.is_alive():
            self._console.kill()
            raise TimeoutError(f"A command did not end within {patience} s.")
        if not self._answer:
            return Result(self._process.wait())
        return Result(**json.loads(self._answer))

    def kill(self) -> Result:
        """Kill it with its JVM."""
        self.killed = True
        self._console.kill()
        return self.result(30)


@dataclass
class World:
    """Running servers on free ports of loopback, in a folder of their own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    _consoles: dict[int, Console] = field(default_factory=dict)

    @contextmanager
    def standing(self) -> Iterator["World"]:
        """Servers up while the block runs."""
        self._command("up", self._write("servers.yaml", {"servers": "local", **self._places()}))
        try:
            self.about = json.loads(self._command("status", self.folder / "servers.yaml", "--json"))
            self._write("oracle.yaml", {"servers": "external", **self._places(), "spark_driver_memory": "1g"})
            self.environment = {**_clean_environment(), **self._keys(), "SPARK_SUBMIT_OPTS": _SHORT_LIFE}
            yield self
        finally:
            for console in self._consoles.values():
                console.close()
            self._command("down", self.folder / "servers.yaml")

    @property
    def parameters(self) -> Path:
        """The file to give as `--env`."""
        return self.folder / "oracle.yaml"

    def console(self, number: int = 0) -> Console:
        """A process for commands; another number is another machine."""
        if number not in self._consoles:
            self._consoles[number] = Console(self.environment, self.folder / f"console-{number}.log")
        return self._consoles[number]

    def _command(self, name: str, params: Path, *options: str) -> str:
        command = [sys.executable, "-P", "-m", "dualsink", name, "--env", str(params), *options]
        environment = _clean_environment()
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _write(self, name: str, values: Mapping[str, Any]) -> Path:
        file = self.folder / name
        file.write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
        return file

    def _places(self) -> dict[str, Any]:
        if not hasattr(self, "_ports"):
            self._ports = _free_ports()
        return {"environment": "oracle", "data_dir": str(self.folder / "data"), **self._ports}

    def _keys(self) -> dict[str, str]:
        named = self.about["credentials"]
        keys = json.loads(Path(named["file"]).read_text(encoding="utf-8"))
        return {named["s3_access_key_env"]: keys["access_key"], named["s3_secret_key_env"]: keys["secret_key"]}


def _clean_environment() -> dict[str, str]:
    """This process's, without the keys of other tests' storage."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DUALSINK_S3_")}


def _free_ports() -> dict[str, Any]:
    """Ports between those that other tests' servers and outgoing connections are given."""
    kafka, nessie, s3, trino = _free(4, range(10_000, 18_000))
    (opensearch,) = _free(1, range(4_000, 5_000))
    return {
        "kafka_bootstrap_servers": f"127.0.0.1:{kafka}",
        "opensearch_host": "127.0.0.1",
        "opensearch_port": opensearch,
        "nessie_uri": f"http://127.0.0.1:{nessie}/api/v2",
        "s3_endpoint": f"http://127.0.0.1:{s3}",
        "trino_uri": f"http://127.0.0.1:{trino}",
    }


def _free(count: int, ports: range) -> list[int]:
    drawn = random.SystemRandom().sample(ports, len(ports))
    return list(itertools.islice(filter(_is_free, drawn), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


BEFORE_DOCUMENTS, BEFORE_ARCHIVE, AFTER_ARCHIVE = "before documents", "before the archive", "after the archive"
STEPS = (BEFORE_DOCUMENTS, BEFORE_ARCHIVE, AFTER_ARCHIVE)
"""Where a command can be stopped: at its first bulk request, at the archive's commit, at that commit's answer."""


class Pipeline:
    """Topic, tables, alias and checkpoint of one test's own, and the commands upon them."""

    def __init__(self, world: World, name: str, **parameters: Any):
        self.world = world
        self.topic, self.table, self.alias = name, f"t_{name}", name.replace("_", "-")
        self.parameters = {
            "kafka_topic": self.topic,
            "iceberg_table": self.table,
            "opensearch_index": self.alias,
            "opensearch_refresh_interval": "1s",
            "kafka_partitions": 2,
            "runs_dir": str(world.folder / "runs" / name),
            "checkpoint_dir": str(world.folder / "checkpoints" / name),
            "retry_deadline_seconds": 20,
            "retry_cap_seconds": 1,
            **parameters,
        }

    def run(self, command: str, console: int = 0, **parameters: Any) -> Result:
        """Run a command to its end, whatever that is."""
        return self.start(command, console, **parameters).result()

    def start(self, command: str, console: int = 0, **parameters: Any) -> Running:
        """Begin a command; a console other than the first is another machine, with a disk of its own."""
        disk = {"data_dir": self.world.folder / f"machine-{console}"} if console else {}
        return self.world.console(console).start(self.arguments(command, disk | parameters))

    def must(self, command: str, console: int = 0, **parameters: Any) -> Result:
        """Run a command that has to end well."""
        result = self.run(command, console, **parameters)
        assert result.ok, f"{command}: {result}"
        return result

    def arguments(self, command: str, parameters: Mapping[str, Any]) -> list[str]:
        """The command line, `parameters` on top of the pipeline's own."""
        pairs = [part for name, value in (self.parameters | parameters).items() for part in ("-p", name, str(value))]
        return [*command.split(), "--env", str(self.world.parameters), *pairs]

    @contextmanager
    def stopped(self, command: str, step: str, console: int = 0, **parameters: Any) -> Iterator[Running]:
        """A command that stands still at a step while the block runs, and goes on after it.

        Raises AssertionError where it ended without reaching the step.
        """
        trap, parameter = _trap(step, self.table)
        with proxied(_port(self._place(parameter)), trap) as port:
            parameters[parameter] = _at_port(self._place(parameter), port)
            running = self.start(command, console, **parameters)
            while not trap.sprung.wait(0.1):
                assert not running.ended, f"{command} ended before it was {step}: {running.result()}"
            yield running
            # What a dead machine has not sent reaches nobody.
            trap.cut = running.killed
            trap.release.set()
            with suppress(TimeoutError):
                running.result()

    def killed(self, command: str, step: str, console: int = 0, **parameters: Any) -> None:
        """Run a command and kill its machine at a step."""
        with self.stopped(command, step, console, **parameters) as running:
            running.kill()
        time.sleep(0.5)

    def _place(self, parameter: str) -> Any:
        return self.world._places()[parameter]


def _trap(step: str, table: str) -> tuple[Trap, str]:
    if step == BEFORE_DOCUMENTS:
        return Trap("POST .*/_bulk"), "opensearch_port"
    return Trap("POST .*/history/commit", f'"{table}"', answer=step == AFTER_ARCHIVE), "nessie_uri"


def _port(place: Any) -> int:
    return int(re.search(r"\d{4,5}", str(place)).group())


def _at_port(place: Any, port: int) -> Any:
    return port if isinstance(place, int) else place.replace(f":{_port(place)}", f":{port}")
