"""Trial of a scenario: servers, Spark, pipeline to break."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from pyspark.sql import SparkSession

from dualsink import polling
from dualsink.errors import PlatformError, SettingsError
from dualsink.kafka import generator, producer
from dualsink.kafka.records import Record
from dualsink.kafka.topic import Topic
from dualsink.ledger import ledger
from dualsink.opensearch import index
from dualsink.opensearch.cluster import Cluster
from dualsink.operations import cleanup, setup
from dualsink.settings import Settings
from dualsink.stream import query
from dualsink_workbench.chaos.driver import Driver, End
from dualsink_workbench.chaos.faults import Plan
from dualsink_workbench.chaos.outcome import Counts, Outcome
from dualsink_workbench.chaos.proxy import Exchange, Proxy, Rule, Tls
from dualsink_workbench.servers import certificates, credentials
from dualsink_workbench.servers.server import TRIALS
from dualsink_workbench.servers.stack import LocalServers

EVENTS = 2_000
COMMIT, BULK = r"POST .*/history/commit", r"POST /_bulk"
BATCH = 1_200
START, FAULT, BACK = "start of the recovering run", "fault", "end of the fault"


@dataclass(frozen=True)
class World:
    """World of the scenarios: running servers and a Spark session.

    The session sets up and takes ledgers; `folder` receives the drivers' logs.
    """

    spark: SparkSession
    servers: LocalServers
    folder: Path
    seed: int = 7

    @classmethod
    def of(cls, spark: SparkSession, settings: Settings) -> "World":
        """Return the world of an environment.

        Raises SettingsError for external servers, which must not be broken.
        """
        if settings.servers == "external":
            raise SettingsError(
                "servers is external: chaos breaks servers, and those of this environment are not ours."
            )
        credentials.export(settings)  # drivers with folders of their own play other machines
        servers = LocalServers(settings, say=lambda line: None)
        return cls(spark, servers, settings.data_path / "chaos", settings.chaos_seed)

    @property
    def settings(self) -> Settings:
        """Settings of the running servers."""
        return self.servers.settings


class Turn(Enum):
    """Turn of a scenario: first, beside others, or alone.

    Alone if it harms every pipeline.
    """

    FIRST = 1
    BESIDE_OTHERS = 2
    ALONE = 3


@dataclass(frozen=True)
class Scenario:
    """Scenario: one way to break the pipeline.

    `act` breaks and recovers a trial; a call of the scenario does all around it.
    """

    name: str
    done: str
    act: Callable[["Trial"], None]
    turn: Turn = Turn.BESIDE_OTHERS

    def __call__(self, world: World) -> Outcome:
        """Set up, break, recover, restore the servers, clean up.

        What goes wrong is in the outcome, not raised.
        """
        trial = Trial(world, self.name)
        try:
            with trial.standing():
                self.act(trial)
        except Exception as error:
            trial.expect(False, f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
        outcome = trial.outcome(self.done)
        if outcome.ok:
            shutil.rmtree(trial.folder, ignore_errors=True)
        return outcome


class Trial:
    """Trial: one pipeline of a scenario, with its notes."""

    def __init__(self, world: World, name: str):
        token = secrets.token_hex(3)
        self.world, self.spark, self.servers, self.seed = world, world.spark, world.servers, world.seed
        world.folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=world.folder))
        self.settings = world.settings.model_copy(update=_own_names(world.settings, name, token, self.folder))
        self.first_end: End | str = ""
        self.events = 0
        self.problems: list[str] = []
        self._name = name
        self._stack = ExitStack()
        self._numbers = count(1)
        self._drivers: list[Driver] = []
        self._orphans: list[str] = []
        self._before: Counts | None = None
        self._after: Counts | None = None
        self._clock: tuple[float, str] | None = None
        self._seconds: float | None = None

    @contextmanager
    def standing(self):
        """Create all that the pipeline needs while the block runs.

        Servers and names are restored afterwards.
        """
        setup.create_all(self.spark, self.settings)
        try:
            with self._stack:
                yield
        finally:
            for driver in self._drivers:
                driver.kill() if driver.running else None
                self._orphans += driver.orphans()
            self.servers.up()
            with suppress(Exception):
                cleanup.remove_all(self.spark, self.settings.as_keeper())

    # -- events --------------------------------------------------------------------------------------

    def produce(self, events: int = EVENTS, bad: float = 0.0) -> None:
        """Send generated events, a share of them malformed."""
        self.send(generator.generate(events, self.seed, bad, datetime.now(UTC)))

    def send(self, records: Iterable[Record]) -> None:
        """Send records."""
        self.events += producer.produce(records, Topic.of(self.settings))["records"]

    # -- drivers -------------------------------------------------------------------------------------

    def start(
        self,
        command: str = "stream",
        fault: str = "",
        batch: int = 0,
        lock_timeout: float = 30,
        environment: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Driver:
        """Start the pipeline as its own process.

        `changes` are parameters of this run alone, `lock_timeout` is with the checkpoint.
        """
        folder = self.folder / f"driver-{next(self._numbers)}"
        folder.mkdir()
        params = folder / "params.json"
        changes = {"servers": "external", "runs_dir": str(folder), **changes}
        params.write_bytes(orjson.dumps(self.settings.model_copy(update=changes).parameters()))
        plan = Plan(str(params), str(folder), command.split(), fault, batch, lock_timeout)
        driver = Driver(plan, folder, environment)
        self._drivers.append(driver)
        return driver

    @property
    def driver(self) -> Driver:
        """The one that was started last."""
        return self._drivers[-1]

    def run(self, command: str = "stream", **options: Any) -> End:
        """Start the pipeline as its own process, and wait."""
        return self.start(command, **options).end()

    def stream(self, **changes: Any) -> dict[str, Any]:
        """Run the pipeline in this process, before the fault."""
        return query.run(self.spark, self.settings.model_copy(update=changes))

    # -- faults --------------------------------------------------------------------------------------

    def proxied(self, parameter: str, *rules: Rule) -> dict[str, Any]:
        """Put a proxy before the server of an address parameter.

        Returns the parameters that lead through it.
        """
        value = getattr(self.settings, parameter)
        port = value if isinstance(value, int) else urlsplit(value).port
        proxy = self._stack.enter_context(Proxy(port, *rules, tls=self._tls(parameter.partition("_")[0])))
        return {parameter: proxy.port if isinstance(value, int) else value.replace(f":{port}", f":{proxy.port}")}

    def _tls(self, server: str) -> Tls | None:
        if server not in self.settings.secured_servers:
            return None
        place = self.settings.tls_path
        return Tls.of(place / f"{server}.pem", place / f"{server}.key", place / certificates.AUTHORITY)

    def kill_server(self, name: str) -> None:
        """SIGKILL for a server."""
        self.servers.stop(name, kill=True)

    def on_commit(self, act: Callable[[Exchange], None], skip: int = 0, table: str = "archive") -> dict[str, Any]:
        """Act on one commit to a table on its way.

        Returns the parameters that lead through the proxy before Nessie.
        """
        name = getattr(self.settings, f"{table}_table").rpartition(".")[2]
        return self.proxied("nessie_uri", Rule(COMMIT, act, f'"{name}"'.encode(), skip, limit=1))

    def kill_driver(self, exchange: Exchange) -> None:
        """Kill all of the newest driver; its request reaches nobody."""
        self.driver.kill()
        exchange.drop()

    @contextmanager
    def opensearch(self):
        """Return a client of the real node that may delete."""
        with closing(index.connect(Cluster.of(self.settings.as_keeper()))) as client:
            yield client

    # -- notes ---------------------------------------------------------------------------------------

    def expect(self, so: bool, problem: str) -> None:
        """Note a problem unless it is so."""
        if not so:
            self.problems.append(problem)

    def broken(self, end: End | str, expected: int | str | None = None) -> None:
        """Note the end of the broken run, and its ledger.

        `expected` is a status or a text of the error.
        """
        self.first_end = end
        if isinstance(expected, int):
            self.expect(end.status == expected, f"the first run should end with {expected}, not: {end}")
        elif expected:
            self.expect(end.status == 1 and expected in end.error, f"the error should say {expected!r}, not: {end}")
        self._before = self.take()

    def take(self) -> Counts:
        """Take the ledger."""
        return Counts.of(ledger.take(self.spark, self.settings, named=False))

    def clock(self, since: str = FAULT) -> None:
        """Begin to count the seconds to recover."""
        self._clock = (time.monotonic(), since)

    def recover(self, command: str = "stream", **options: Any) -> End:
        """Run again as its own process, and take the ledger.

        The run must end well.
        """
        self.clock(START)
        return self.recovered(self.run(command, **options))

    def recovered(self, end: End) -> End:
        """Note the end of the recovering run, and the ledger."""
        self.expect(end.status == 0, f"the recovering run should end well, not: {end}")
        self.settle()
        return end

    def settle(self) -> None:
        """Take the ledger that ends the clock."""
        self._after = self.take()
        if self._clock and self._after.holds:
            self._seconds = round(time.monotonic() - self._clock[0], 1)

    def quarantined(self, stage: str) -> int:
        """Count quarantined records of a stage."""
        return self.spark.table(self.settings.quarantine_table).where(f"stage = '{stage}'").count()

    def batches(self) -> list[dict[str, Any]]:
        """Return the telemetry of the last driver's batches."""
        file = self.driver.folder / "interactive" / "batches.jsonl"
        lines = file.read_text().splitlines() if file.is_file() else []
        return [line for line in map(orjson.loads, lines) if line["event"] == "batch"]

    def outcome(self, done: str) -> Outcome:
        """Return all that was noted."""
        since = self._clock[1] if self._clock else ""
        first_end = str(self.first_end).replace(f"{self.folder}/", "")
        return Outcome(
            self._name, done, first_end, self._before, self._after, self._seconds, since, self.events,
            self._orphans, self.problems,
        )  # fmt: skip


def wait_until(so: Callable[[], bool], what: str, timeout: float = 180) -> None:
    """Poll until a condition holds.

    Raises PlatformError naming the condition.
    """
    if not polling.until(so, timeout):
        raise PlatformError(f"Waited {timeout} s for {what}, which did not happen.")


def _own_names(settings: Settings, name: str, token: str, folder: Path) -> dict[str, Any]:
    """Return settings with names of the trial's own.

    They name topic, tables, index and checkpoint.
    """
    own = f"{name}-{token}"
    return {
        "kafka_partitions": 2,
        "kafka_topic": f"{settings.kafka_topic}-{TRIALS}-{own}",
        "iceberg_table": f"{TRIALS}_{own.replace('-', '_')}",
        "opensearch_index": f"{TRIALS}-{own}",
        "opensearch_refresh_interval": "1s",
        "checkpoint_dir": str(folder / "checkpoint"),
        "runs_dir": str(folder / "runs"),
        "run_id": "",
        "metrics_port": 0,
        "max_offsets_per_trigger": BATCH,
        "retry_deadline_seconds": 60.0,
        "retry_cap_seconds": 2.0,
        "streaming_mode": "available_now",
    }
